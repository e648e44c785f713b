/** JSON that comes from files: read without trusting it, written so that equal values give equal bytes. */
import { InputError, shown } from './error.ts';

/**
 * Parses UTF-8 JSON whose outermost value must be an object. Depth is limited before parsing, and no name may stand twice in one object:
 * JSON.parse would keep the last of the two in silence.
 */
export function parseJson(where: string, bytes: Uint8Array, maxDepth = 32): Record<string, unknown> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError({ where, what: 'is not UTF-8 text' });
  }
  let value: unknown;
  try {
    checkNames(where, text, maxDepth);
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError({ where, what: `is not valid JSON (${shown((error as Error).message)})` });
  }
  if (!isRecord(value)) throw new InputError({ where, what: 'is not a JSON object' });
  return value;
}

/** Walks the brackets and strings of a JSON text. */
function checkNames(where: string, text: string, maxDepth: number): void {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '{' || c === '[') {
      if (open.push(undefined) > maxDepth) {
        throw new InputError({ where, what: 'is nested too deeply', expected: `at most ${maxDepth} levels` });
      }
    } else if (c === '}' || c === ']') {
      open.pop();
    } else if (c === '"') {
      const start = i++;
      while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      let next = i + 1;
      while (text[next] === ' ' || text[next] === '\n' || text[next] === '\r' || text[next] === '\t') next++;
      if (text[next] !== ':' || open.length === 0) continue;
      const name = JSON.parse(text.slice(start, i + 1)) as string;
      const names = open[open.length - 1] ?? new Set();
      open[open.length - 1] = names;
      if (names.has(name)) throw new InputError({ where, what: `the name ${shown(name)} stands twice` });
      names.add(name);
    }
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON text that depends on the value alone: keys sorted at every level. */
export function stableJson(value: unknown, indent?: number): string {
  const sorted = (_key: string, v: unknown) =>
    isRecord(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v;
  return JSON.stringify(value, sorted, indent);
}
