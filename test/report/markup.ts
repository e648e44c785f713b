/** Every element that opens closes, in order; SVG's and HTML's empty elements aside. */
export function unbalanced(page: string): string | undefined {
  const open: string[] = [];
  for (const [, close, name, empty] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s(?:"[^"]*"|[^">])*?)?(\/?)>/g)) {
    if (empty || ['meta', 'img'].includes(name!)) continue;
    if (!close) open.push(name!);
    else if (open.pop() !== name) return `</${name}>`;
  }
  return open.length > 0 ? `<${open.at(-1)}>` : undefined;
}
