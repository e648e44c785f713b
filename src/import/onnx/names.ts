/** What the layers of a file are called: by their modules' paths, where its exporter left them. */
import type { OnnxNode } from './model.ts';

/**
 * The module's path of a node: what torch's newer exporter wrote beside it, or the node's name, `/blocks/blocks.0/attn/qkv/MatMul`, in which
 * every module of a list repeats the list's name; without either the node's own name.
 */
export function nameOf({ name, op, scope, outputs }: OnnxNode): string {
  if (scope !== undefined) return scope;
  if (!name.includes('/')) return name === '' ? (outputs[0] ?? op) : name;
  const parts: string[] = [];
  // onnxruntime puts a word of its own behind the name of what it put together.
  for (const part of name
    .replace(/\/\w*Fusion\w*$/, '')
    .split('/')
    .filter((p) => p !== '')) {
    const before = parts.at(-1);
    if (before !== undefined && part.startsWith(`${before}.`)) parts.pop();
    parts.push(part);
  }
  const path = parts.slice(0, -1).join('.');
  return path === '' ? parts.join('.') : path;
}

/** The layer that a weight's own name says: `features.0.0` of `features.0.0.weight`; undefined where an exporter made the name up. */
export function layerOfWeight(tensor: string | undefined): string | undefined {
  const match = tensor === undefined ? undefined : /^([A-Za-z_][\w.]*)\.weight$/.exec(tensor);
  return match?.[1];
}
