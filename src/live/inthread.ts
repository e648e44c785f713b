/** A round in a thread of its own, as its caller sees it: whatever an instruction, planning or a checkpoint takes, an answer does not wait for it. */
import { inOwnThread } from '../use/ownthread.ts';
import type { RunRound } from './round.ts';

export const runRoundInThread: RunRound = (order, hooks) => inOwnThread({ file: 'round.js', where: 'round', order, hooks });
