/** A run in a thread of its own, as that thread sees it. */
import { trainJob } from '../training/job.ts';
import { carryOutHere } from './ownthreadside.ts';

await carryOutHere(trainJob, { onFeatures: ({ node, bytes }: { node: string; bytes: number }) => ({ node, bytes }) });
