/** Operators against PyTorch's autograd: outputs and gradients (tools/golden/operators.py). */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import { runCase, w, x } from '../ops/table.ts';
import { close } from '../support/close.ts';

interface Tensor {
  shape: number[];
  data: number[];
}
interface Golden {
  op: string;
  attributes: Record<string, number | number[]>;
  inputs: (Tensor | null)[];
  y: Tensor;
  dy: number[];
  gradients: (number[] | null)[];
}

const { cases } = JSON.parse(readFileSync('test/golden/operators.json', 'utf8')) as { cases: Golden[] };

for (const { op, attributes, inputs, y, dy, gradients } of cases)
  test(`${op} ${JSON.stringify(attributes)} of ${inputs.map((one) => `[${one?.shape}]`)}`, () => {
    const operands = inputs.map((one, i) => {
      if (one === null) return null;
      const operand = i === 0 ? x(one.shape, one.data) : w(one.shape, one.data);
      return gradients[i] ? operand : { ...operand, learns: false };
    });
    const found = runCase(
      { op, name: op, inputs: operands, attributes, shape: y.shape, f: () => Float64Array.from(y.data), kept: [0, 0] },
      dy,
    );
    close(found.y, y.data, 3e-6, `${op}: y`);
    gradients.forEach((want, i) => {
      if (want) close(found.gradients[i]!, want, 3e-5, `${op}: d input ${i}`);
    });
  });

test.run();
