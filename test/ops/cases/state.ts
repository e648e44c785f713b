/** The state block of a loss under test: a smoothing, a scale, and sums that are not 0, so that what is added can be told from what is set. */
import { State } from '../../../assembly/abi/head.ts';

export const SMOOTHING = Math.fround(0.1);
export const SCALE = 0.25;

export function stateBlock(): Uint8Array {
  const bytes = new Uint8Array(State.Bytes);
  const view = new DataView(bytes.buffer);
  view.setFloat32(State.Smoothing, SMOOTHING, true);
  view.setFloat32(State.LossScale, SCALE, true);
  view.setFloat64(State.LossSum, 10, true);
  view.setInt32(State.Correct, 100, true);
  view.setInt32(State.Count, 200, true);
  return bytes;
}
