/** `1 layer`, `12 layers`, `2 classes`. */
export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}
