/** A round in a thread of its own, as that thread sees it. */
import { carryOutHere } from '../use/ownthreadside.ts';
import { runRound } from './round.ts';

await carryOutHere(runRound);
