/** A run that never was, for the page's tests and for looking at the page. */
import { encode } from 'fast-png';
import type { PlanColumn, ReportData } from '../../src/report/data.ts';

const MIB = 1 << 20;
const CLASSES = ['bear', 'bird', 'butterfly', 'camel', 'cat', 'elephant', 'fish', 'horse', 'rabbit', 'snail'];

const column = (label: string, kept: number, trainable: number, temporaries: number): PlanColumn => {
  const parts = {
    frozen: 8.5 * MIB,
    trainable: trainable * MIB,
    kept: kept * MIB,
    temporaries: temporaries * MIB,
    batch: 0.3 * MIB,
    program: 0.2 * MIB,
    scratch: 0.6 * MIB,
  };
  if (label.startsWith('full')) parts.frozen = 0;
  const sum = Object.values(parts).reduce((a, b) => a + b, 0);
  return { label, parts, linearBytes: Math.ceil(sum / 65536) * 65536 };
};

/** A ring or a square with a gap, so that pictures differ. */
function picture(seed: number): Uint8Array {
  const side = 28;
  const data = new Uint8Array(side * side).fill(255);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const [dx, dy] = [x - 14, y - 14];
      const r = seed % 2 ? Math.hypot(dx, dy) : Math.max(Math.abs(dx), Math.abs(dy));
      if (Math.abs(r - 5 - (seed % 7)) < 1.2 && (x * 7 + y * 3 + seed) % 11) data[y * side + x] = 20 * (seed % 5);
    }
  return encode({ width: side, height: side, data, channels: 1, depth: 8 });
}

export function sample(): ReportData {
  const epochs = Array.from({ length: 8 }, (_, i) => ({
    epoch: i + 1,
    trainLoss: 0.35 + 1.95 * Math.exp(-i / 2.2),
    trainAccuracy: 0.93 - 0.63 * Math.exp(-i / 2),
    valLoss: 0.72 + 1.4 * Math.exp(-i / 1.8),
    valAccuracy: 0.77 - 0.4 * Math.exp(-i / 1.6),
  }));
  const losses = Array.from({ length: 200 }, (_, i) => ({
    step: i + 1,
    loss: 0.35 + 1.95 * Math.exp(-i / 55) + 0.22 * Math.sin(i * 12.9898) * Math.exp(-i / 260),
  }));
  const plan = column('bias, S2A', 1.4, 0.6, 3.1);
  return {
    title: 'MobileNetV2 learns ten animals',
    summary: 'Every bias of a pretrained MobileNetV2 1.0 and a new classifier learned from 400 drawings of 96 x 96 points, inside 24 MiB.',
    classes: CLASSES,
    accuracy: { chance: 0.1, head: 0.502, after: 0.714, predictions: 500, part: 'test' },
    losses,
    epochs,
    bestEpoch: 7,
    plan,
    others: [column('bias, everything kept in f32', 30.5, 0.6, 3.3), column('full fine-tuning', 42, 34.5, 4.8)],
    budgetBytes: 24 * MIB,
    measured: { linearBytes: plan.linearBytes, residentBytes: 71.3 * MIB, seconds: 58.4, imagesPerSecond: 54.7 },
    pictures: Array.from({ length: 24 }, (_, i) => ({
      png: picture(i),
      truth: CLASSES[i % 10]!,
      predicted: CLASSES[i % 5 === 3 ? (i + 4) % 10 : i % 10]!,
      confidence: 0.99 - 0.021 * i,
      file: `test/${CLASSES[i % 10]}/${i}.png`,
    })),
    skipped: [
      { file: 'train/cat/IMG_0042.heic', reason: 'HEIC is not supported' },
      { file: 'train/fish/<odd> & "name".jpg', reason: 'not a picture' },
    ],
    configuration: [
      { name: 'model', value: 'demo/mobilenetv2' },
      { name: 'method', value: 'bias' },
      { name: 'kept', value: 's2a' },
      { name: 'batch size', value: 16 },
      { name: 'learning rate', value: 0.005 },
      { name: 'flip', value: true },
    ],
    command:
      's2a train demo/mobilenetv2 demo/quickdraw --method bias --keep s2a --budget 24MiB --epochs 8 --batch-size 16 --out demo/adapter',
    adapter: 'demo/adapter',
  };
}
