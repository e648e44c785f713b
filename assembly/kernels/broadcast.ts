import { BroadcastAddArg, SumBatchArg } from '../abi/ops/module';
import { address, int } from '../engine/argument';
import { firstBy, lastBy } from '../engine/team';

/**
 * BroadcastAdd: y[B,N] = x[B,N] + p[N]: a low-rank prompt on every picture of the batch.
 *
 * Y may equal X; P overlaps neither. Threads share N in blocks of 16. Moves 8·B·N + 4·N bytes.
 */
export function broadcastAdd(p: usize): void {
  const x = address(p, BroadcastAddArg.X);
  const prompt = address(p, BroadcastAddArg.P);
  const y = address(p, BroadcastAddArg.Y);
  const n = int(p, BroadcastAddArg.N);
  const batch = int(p, BroadcastAddArg.BATCH);
  const from = firstBy(n, 16);
  const until = lastBy(n, 16);
  const row = (<usize>n) << 2;
  for (let b = 0; b < batch; b++) {
    const at = <usize>b * row;
    let i = from;
    for (; i + 4 <= until; i += 4) {
      const o = (<usize>i) << 2;
      v128.store(y + at + o, f32x4.add(v128.load(x + at + o), v128.load(prompt + o)));
    }
    for (; i < until; i++) {
      const o = (<usize>i) << 2;
      store<f32>(y + at + o, load<f32>(x + at + o) + load<f32>(prompt + o));
    }
  }
}

/**
 * SumBatch: y[N] = Σ_b x[B,N], pictures in order: the gradient of what BroadcastAdd added.
 *
 * Y overlaps nothing. Threads share N in blocks of 16. Moves 4·B·N + 4·N bytes.
 */
export function sumBatch(p: usize): void {
  const x = address(p, SumBatchArg.X);
  const y = address(p, SumBatchArg.Y);
  const n = int(p, SumBatchArg.N);
  const batch = int(p, SumBatchArg.BATCH);
  const from = firstBy(n, 16);
  const until = lastBy(n, 16);
  const row = (<usize>n) << 2;
  let i = from;
  for (; i + 4 <= until; i += 4) {
    let at = x + ((<usize>i) << 2);
    let sum = v128.load(at);
    for (let b = 1; b < batch; b++) {
      at += row;
      sum = f32x4.add(sum, v128.load(at));
    }
    v128.store(y + ((<usize>i) << 2), sum);
  }
  for (; i < until; i++) {
    let at = x + ((<usize>i) << 2);
    let sum = load<f32>(at);
    for (let b = 1; b < batch; b++) {
      at += row;
      sum += load<f32>(at);
    }
    store<f32>(y + ((<usize>i) << 2), sum);
  }
}
