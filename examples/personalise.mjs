// A camera that learns its owner's things: fine-tune, classify frames, and change what it knows while it runs.
//
//     node examples/personalise.mjs <model folder> <pictures> <working folder>
//
// <pictures> holds root/class/*.jpg. Everything happens in this process; linear memory never exceeds the budgets below.
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BudgetError, decodePicture, loadClassifier, trainJob } from 's2a';

const [model, pictures, work] = process.argv.slice(2);
if (!work) {
  console.error('node examples/personalise.mjs <model folder> <pictures> <working folder>');
  process.exit(2);
}

// 1. Learn. The micro-batch is chosen so that the plan fits; BudgetError says what would.
const train = (name, options) =>
  trainJob(
    { model, data: pictures, out: join(work, name), budget: '48MiB', batchSize: 8, ...options },
    { onEpoch: ({ epoch, val }) => console.log(`${name}: epoch ${epoch}, ${val.correct} of ${val.count} right`) },
  );
try {
  const { adapter, plan } = await train('first', { epochs: 3 });
  console.log(`${adapter}: ${plan.trainable.count} numbers learnt in ${plan.linearBytes / 1024} KiB`);
} catch (error) {
  if (error instanceof BudgetError) console.error(`at least ${error.smallestBytes} bytes are needed`);
  throw error;
}

// 2. Classify. An application has RGB frames from its camera; here a file stands for one.
const classifier = loadClassifier(join(work, 'first'), { model, budget: '32MiB' });
const [name] = await readdir(pictures);
const [file] = await readdir(join(pictures, name));
const show = async (title) => {
  // decodePicture turns, resizes and crops; for raw frames: classifier.predict(rgb, width, height).
  const pixels = await decodePicture(readFileSync(join(pictures, name, file)), classifier.preprocess);
  const [best] = classifier.predictPrepared(pixels);
  console.log(`${title}: ${name}/${file} is ${best.label}, ${(100 * best.probability).toFixed(1)} %`);
};
await show('first');

// 3. Learn again, longer, and change the adapter under the running classifier. One that is broken changes nothing.
await train('second', { epochs: 6, seed: 1 });
classifier.changeAdapter(join(work, 'second'));
await show('second');
try {
  classifier.changeAdapter(join(work, 'no-such-adapter'));
} catch (error) {
  console.log(`refused, and still working: ${error.message}`);
}
await show('still the second');
