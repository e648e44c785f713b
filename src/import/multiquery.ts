/** Attention over a map whose heads share one key and one value (MobileNetV4, arXiv 2404.10518), of fewer places than the queries or of as many. */
import { shapeOf } from '../graph/graph.ts';
import { append, type Builder, type Projection } from '../network/builder.ts';
import { conv } from '../network/conv.ts';
import { crossAttention } from '../network/crossattention.ts';
import { batchNorm } from '../network/layer.ts';

export interface MultiQuery {
  norm: string;
  query: string;
  /** A 1×1 convolution each; with `stride` a depthwise one of that stride, and its norm, before it. */
  key: { proj: string; down: string; norm: string };
  value: { proj: string; down: string; norm: string };
  /** A 1×1 convolution without a bias. */
  out: string;
  stride: number;
  kernel: number;
  heads: number;
  /** Channels of a query, of the key and of the value. */
  width: number;
  eps: number;
}

/** x: a map [B,H,W,C], and so is what it returns; the input is not added. */
export function multiQuery(b: Builder, x: number, spec: MultiQuery): number {
  const { query, key, value, out, stride, kernel, heads, width, eps } = spec;
  const [batch, rows, columns, c] = shapeOf(b.graph, x) as [number, number, number, number];
  const one = (h: number, name: string, channels: number, role?: Projection): number =>
    conv(b, h, { conv: name, bare: true, eps, ...(role ? { role } : {}) }, channels, { kernel: 1, stride: 1, tfPadding: false });
  const flat = (h: number, name: string): number => {
    const [, height, w, channels] = shapeOf(b.graph, h) as [number, number, number, number];
    return append(b, 'Reshape', `${name}.rows`, [h], { shape: [batch, height * w, channels] });
  };
  const h = batchNorm(b, x, spec.norm, eps);
  const shared = ({ proj, down, norm }: MultiQuery['key'], role: Projection): number => {
    const seen = stride > 1 ? conv(b, h, { conv: down, norm, eps, role }, c, { kernel, stride, tfPadding: false }, true) : h;
    return flat(one(seen, proj, width, role), proj);
  };
  const inputs = [flat(one(h, query, heads * width, 'query'), query), shared(key, 'key'), shared(value, 'value')];
  const mixed = crossAttention(b, inputs, `${out}.attention`, heads, 1);
  const map = append(b, 'Reshape', `${out}.map`, [mixed], { shape: [batch, rows, columns, heads * width] });
  return one(map, out, c);
}
