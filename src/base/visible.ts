/**
 * Text from outside (names of classes, files, tensors) as it may stand on a terminal or a page: on one line, and with nothing in it that would be
 * obeyed, would not be seen, or would turn what follows around. Such characters (assembly/abi/unseen.ts) are shown as their escapes: `\n`,
 * `\u001b`, `\u202e`. The WASI program does the same (targets/wasi/text.ts).
 */
import { isUnseen } from '../../assembly/abi/unseen.ts';

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const escaped = (c: string): string => {
  const code = c.codePointAt(0)!.toString(16);
  return SHORT[c] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`);
};

const replaced = (text: string, as: (c: string) => string): string =>
  text.replace(/[^ -~]/gu, (c) => (isUnseen(c.codePointAt(0)!) ? as(c) : c));

/** The whole text, escaped where it must be. */
export const visible = (text: string): string => replaced(text, escaped);

/** The same of several lines: line feeds stay. */
export const visibleLines = (text: string): string => replaced(text, (c) => (c === '\n' ? c : escaped(c)));

/** The same for JSON text, which stays JSON of the same value: what JSON.stringify leaves as it is becomes an escape of JSON's. */
export const visibleJson = (json: string): string =>
  replaced(json, (c) => Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''));

/** Bytes of a name that is no UTF-8, as text: `caf\xe9`. */
export const visibleBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => (b < 32 || b > 126 ? `\\x${b.toString(16).padStart(2, '0')}` : String.fromCharCode(b))).join('');

/** Beyond ASCII everything escaped: two names that look alike and are not. */
export const spelled = (text: string): string => text.replace(/[^ -~]/gu, escaped);
