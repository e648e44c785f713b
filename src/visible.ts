/**
 * Text from outside (names of classes, files, tensors) as it may stand on a terminal or a page: on one line, and with nothing in it that would be
 * obeyed, would not be seen, or would turn what follows around. Such characters are shown as their escapes: `\n`, `\u001b`, `\u202e`.
 *
 * Left as they are: letters of every script, emoji, and the joiners that both need (U+200C, U+200D).
 */
const UNSEEN =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const escaped = (c: string): string => {
  const code = c.codePointAt(0)!.toString(16);
  return SHORT[c] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`);
};

/** The whole text, escaped where it must be. */
export const visible = (text: string): string => text.replace(UNSEEN, escaped);

/** The same of several lines: line feeds stay. */
export const visibleLines = (text: string): string => text.replace(UNSEEN, (c) => (c === '\n' ? c : escaped(c)));

/** The same for JSON text, which stays JSON of the same value: what JSON.stringify leaves as it is becomes an escape of JSON's. */
export const visibleJson = (json: string): string =>
  json.replace(UNSEEN, (c) =>
    c === '\n' ? c : Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );

/** Bytes of a name that is no UTF-8, as text: `caf\xe9`. */
export const visibleBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => (b < 32 || b > 126 ? `\\x${b.toString(16).padStart(2, '0')}` : String.fromCharCode(b))).join('');

/** Beyond ASCII everything escaped: two names that look alike and are not. */
export const spelled = (text: string): string => text.replace(/[^ -~]/gu, escaped);
