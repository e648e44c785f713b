// docs/results/parity.md from the records of `node tools/parity.mjs --full` (build/parity).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS, listed, RECORDS, worst } from './full.mjs';

const PAGE = 'docs/results/parity.md';
const e = (x) => x.toExponential(1);

/** Returns the exit code: 1 where a model has no record, which the page says, or one that misses a bound. */
export function writePage(interpreter) {
  const { cases, seed } = listed(interpreter);
  const wanted = Object.entries(cases).flatMap(([name, weights]) =>
    weights.map((kind) => ({ name, kind, path: join(RECORDS, `${name}-${kind}.json`) })),
  );
  const [there, absent] = [true, false].map((is) => wanted.filter(({ path }) => existsSync(path) === is));
  if (there.length === 0) {
    console.error(`${PAGE}: no records in ${RECORDS}; run node tools/parity.mjs --full first`);
    return 1;
  }
  const records = there.map(({ path }) => JSON.parse(readFileSync(path, 'utf8')));
  writeFileSync(
    PAGE,
    page(
      records,
      seed,
      absent.map(({ name, kind }) => `${name} (${kind})`),
    ),
  );
  return absent.length > 0 || records.some((r) => r.missed.length > 0) ? 1 : 0;
}

/** Methods with ten losses. */
const TRAINED = ['bias', 'full'];
const short = (method) => (TRAINED.includes(method) ? method : 'bias + prompt + side');

/** One row a model: the bounds of the issue. */
function against(records, key) {
  return records.map(({ name, logits, methods, missed }) => {
    const list = Object.values(methods);
    const errors = list.map((m) => `${e(worst(m[key])[1])}`);
    const losses = Math.max(...TRAINED.map((method) => methods[method].losses));
    const tensors = list.map((m) => Object.keys(m[key]).length).join(' · ');
    return `| ${name} | ${e(logits)} | ${errors.join(' | ')} | ${e(losses)} | ${tensors} | ${missed.length === 0 ? 'holds' : `misses ${missed.length}`} |`;
  });
}

function page(records, seed, absent) {
  const { versions, methods } = records[0];
  const [plain, clear] = ['plain', 'clear'].map((kind) => records.filter((r) => r.kinked && r.weights === kind));
  const head = `| model | logits | ${Object.keys(methods)
    .map((m) => `gradients, ${short(m)}`)
    .join(' | ')} | ten losses | tensors | |
|---|---|---|---|---|---|---|---|`;
  const moved = plain.flatMap(({ name, methods }) =>
    Object.entries(methods).map(([method, m]) => {
      const { ours, farthest, pytorch, units, below, above } = m.moved;
      return (
        `| ${name}, ${short(method)} | ${e(worst(m.exact)[1])}, ${e(m.whole.ours)} | ${e(worst(m.single)[1])}, ${e(m.whole.pytorch)} | ${ours} | ${pytorch} | ` +
        `${ours > 0 ? e(farthest) : ''} | ${units.toLocaleString('en')} | ${below.toLocaleString('en')} | ${above.toLocaleString('en')} |`
      );
    }),
  );
  const clipped = clear.map(({ name, methods }) => {
    const { ours, pytorch, units, below, above } = methods.full.moved;
    return `${name} ${below.toLocaleString('en')} below and ${above.toLocaleString('en')} above of ${units.toLocaleString('en')}, ${ours} here and ${pytorch} in PyTorch on another side than in f64`;
  });
  const missed = records.flatMap((r) => r.missed.map((text) => `- ${r.name}, ${r.weights}: ${text}`));
  return `# Parity with PyTorch at full size

Written by \`node tools/parity.mjs --page\` from the records of \`node tools/parity.mjs --full --python PYTHON\` (PyTorch ${versions.torch}, transformers ${versions.transformers}, timm
${versions.timm}; one thread each). One configuration of every family as it is published, 224×224, two pictures (vit-b, swin-b: one), random weights (seed ${seed}), policy \`exact\`.
Bounds: logits ${LIMITS.logits}, the gradient of every tensor that learns ${LIMITS.gradients}, ten losses ${LIMITS.losses}, each the distance over the norm; the figures
are the worst tensor's. A tensor whose gradient is zero (in f64 below 10⁻⁹ of the largest) is not compared; PyTorch trains none that is missing here but key biases,
whose gradient is zero. Logits are those of the checkpoint's own head and of a new one. Losses: \`bias\` under AdamW and \`full\` under SGD with momentum,
warm-up and clipping. Modules (\`bias+prompt:rank=8+side:ratio=8\`) are hooks on PyTorch's own model (\`tools/golden/modules.py\`), their tensors random and nowhere zero.
Small configurations of every family, in the tests, are held to 1e-4 (gradients) and 1e-5 (logits).

## Against PyTorch in f32

${head}
${against(
  records.filter((r) => !r.kinked || r.weights === 'clear'),
  'pytorch',
).join('\n')}

ResNets and MobileNets have kinks: a ReLU's slope jumps where its input is 0, and a unit that stands within rounding of there has another
gradient on either side. Here their weights are drawn so that units stand some four deviations clear of the kinks (\`kinks.py\`); what is clipped
is clipped well beyond them. A ResNet's max-pool has near ties all the same, which move its stem's weight alone. Counts (method \`full\`, a max-pool's choices among the units): ${clipped.join('; ')}.

## Where kinks decide

The same networks with plain random weights: a quarter to a third of all units are clipped, and of millions some stand within rounding of their kink. PyTorch's own f32 then
misses its own f64 by up to ${e(Math.max(...plain.flatMap((r) => Object.values(r.methods).map((m) => worst(m.single)[1]))))}. So the bound is held against PyTorch in f64 with every unit on the side of its kink that it has here (the
engine's own inputs of every activation and max-pool say which); nothing else is given to it. Logits and losses are against f32, as above.

${head}
${against(plain, 'sided').join('\n')}

What differs from plain f64, then, are those few units, and they stood within rounding of their kink (bound: ${LIMITS.kink} of the root mean square of the activation's inputs).
Distances are those of the worst tensor and of all as one vector:

| model, method | here from f64 | PyTorch's f32 from f64 | units on another side, here | PyTorch's f32 | farthest from the kink | units | below | above |
|---|---|---|---|---|---|---|---|---|
${moved.join('\n')}
${absent.length > 0 ? `\nNot measured with this program: ${absent.join(', ')}.\n` : ''}${missed.length > 0 ? `\n## Missed\n\n${missed.join('\n')}\n` : ''}`;
}
