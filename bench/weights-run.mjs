// One run of the weights experiment, a process of its own: trains by the library, then names every test drawing over weights of each
// precision that is asked for.
//   node bench/weights-run.mjs '{"model", "pictures", "out", "job", "over"}'   →  one JSON object on standard output
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const { decodePicture, loadClassifier, trainJob } = await import('../dist/index.js');
const { model, pictures, out, job, over } = JSON.parse(process.argv[2]);

// Classifier and validation pictures decide which epoch is kept; the test pictures are first opened below.
const result = await trainJob({ ...job, model, data: pictures, out });

const classifiers = over.map((weights) => loadClassifier(out, { model, weights }));
/** By drawing, `class/number`: the label under each precision, in the order of `over`. */
const named = {};
for (const label of readdirSync(join(pictures, 'test')).sort())
  for (const file of readdirSync(join(pictures, 'test', label)).sort()) {
    const pixels = await decodePicture(readFileSync(join(pictures, 'test', label, file)), classifiers[0].preprocess);
    named[`${label}/${file.slice(0, 3)}`] = classifiers.map((c) => c.predictPrepared(pixels)[0].label);
  }

rmSync(out, { recursive: true });
process.stdout.write(
  JSON.stringify({
    named,
    bestEpoch: result.bestEpoch,
    linearBytes: result.memory.linearBytes,
    frozenBytes: result.plan.parts.frozen,
    cpuSeconds: process.cpuUsage().user / 1e6,
  }),
);
