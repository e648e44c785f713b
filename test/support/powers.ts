import { State } from '../../assembly/abi/head.ts';

/** The powers of both betas as they are before the first update, where none has been made. */
export function beginPowers(state: DataView): void {
  if (state.getInt32(State.Step, true) > 0) return;
  for (const power of [State.Beta1Power, State.Beta2Power]) state.setFloat64(power, 1, true);
}
