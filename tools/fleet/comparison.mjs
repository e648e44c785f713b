// What the fleet's adapter is held against: each board alone, and all drawings in one place, by the same command with the same number of epochs.
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { s2a } from './nodes.mjs';

const evaluate = (model, adapter, data) => JSON.parse(s2a('eval', model, adapter, join(data, 'test'), '--json'));

/** Accuracy of the global adapter after some rounds, on drawings that no node has. */
export function judgeFleet({ model, out, data, rounds }) {
  let count = 0;
  const judged = [...new Set(rounds)].map((round) => {
    const answer = evaluate(model, join(out, 'rounds', String(round).padStart(3, '0')), data);
    count = answer.count;
    return { round, accuracy: answer.accuracy };
  });
  return { count, rounds: judged };
}

/** Trains as a person would, and returns the folder of the adapter. */
function train({ model, data, out, flags, epochs }) {
  s2a('train', model, data, ...flags, '--epochs', String(epochs), '--out', out, '--json');
  return out;
}

/** Each node's own adapter on all classes, where it is wrong about every class that it never saw; and that of all drawings in one place. */
export function judgeAlone({ root, model, boards, data, flags, epochs }) {
  const folder = join(root, 'alone');
  const alone = boards.map(({ name, folder: own, classes }) => {
    const adapter = train({ model, data: own, out: join(folder, name), flags, epochs });
    // Only its own classes have an answer that it could give: the others' drawings count as wrong.
    const some = join(folder, `${name}-test`);
    rmSync(some, { recursive: true, force: true });
    mkdirSync(join(some, 'test'), { recursive: true });
    for (const label of classes) cpSync(join(data, 'test', label), join(some, 'test', label), { recursive: true });
    const { accuracy, count } = evaluate(model, adapter, some);
    return { name, right: accuracy * count };
  });
  const adapter = train({ model, data, out: join(folder, 'all'), flags, epochs });
  const { accuracy: pooled, count } = evaluate(model, adapter, data);
  const each = alone.map(({ name, right }) => ({ name, accuracy: right / count }));
  return { alone: each, mean: each.reduce((sum, { accuracy }) => sum + accuracy, 0) / each.length, pooled };
}
