/**
 * Going on from an earlier adapter: every learnt tensor is where a new run starts, and classes that it did not know get rows of their own.
 *
 *     adapter's head            new head
 *     | cat |                   | cat  |   rows keep their places, so that each label keeps its row
 *     | dog |        ─►         | dog  |
 *                               | bird |   appended, from ridge regression (headstart.ts) or zero
 *
 * The adapter is only read. Its optimizer state is not part of it: the new run warms up as any other.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { InputError } from '../base/error.ts';
import { stableJson } from '../base/json.ts';
import type { Precision } from '../base/precision.ts';
import { composed } from '../data/entries.ts';
import { type Engine, writeParameter } from '../engine/engine.ts';
import { type AdapterInfo, adapterDigest, checkBase, readAdapter } from '../formats/adapterfile.ts';
import { type Known, readKnown } from '../formats/knownfile.ts';
import { type Memory, readMemory } from '../formats/memoryfile.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { checkPreparation, type Preparation } from '../input/index.ts';
import { type MethodLike, methodOf } from '../network/method.ts';
import { CLASSIFY } from '../task/index.ts';
import { checkTensors } from './adapter.ts';
import { CALIBRATION } from './calibrate/file.ts';

/** An adapter to go on from. Close it after use. */
export interface Start {
  /** What it learnt, and so what the run learns. */
  method: string;
  /** Of the frozen weights that it learnt over: the run's, unless that says another. */
  precision: Precision;
  imageSize: readonly [height: number, width: number];
  /** How it wants its examples prepared. */
  preparation: Preparation;
  labels: readonly string[];
  task: TaskSettings;
  /** Where it lies, for messages. */
  where: string;
  /** What it knows of what it was taught, or why that is not known; pictures that it remembers. */
  known: Known | { why: string };
  memory: Memory | undefined;
  /** Its calibrated tables, where there are some. */
  tables: string | undefined;
  /** Of all that the run takes from it: what a checkpoint of the run belongs to. */
  digest: string;
  /** Refuses another base, image size or preprocessing. */
  check(base: AdapterInfo['base'], preprocess: Preparation): void;
  /** Puts its tensors into a fresh engine whose head has `labels.length` rows or more. */
  fill(engine: Engine): void;
  close(): void;
}

/** Opens what `--from` names. `out`: where the run writes, which may not be there; absent where nothing is written. */
export function openStart(path: string, method: MethodLike | undefined, out?: string): Start {
  const adapter = readAdapter(path);
  let preparation: Preparation;
  let companions: Pick<Start, 'known' | 'memory'>;
  try {
    companions = { known: readKnown(adapter), memory: readMemory(adapter) };
    preparation = checkPreparation(adapter.preprocessing, adapter.path);
    if (out !== undefined && resolve(dirname(adapter.path)) === resolve(out))
      throw new InputError({ where: '--out', what: 'is the folder of --from, which stays as it is', got: out, expected: 'another folder' });
    const asked = method === undefined ? adapter.method : methodOf(method).name;
    if (asked !== adapter.method)
      throw new InputError({
        where: adapter.path,
        what: 'the adapter was trained with another method',
        got: asked,
        expected: adapter.method,
        hint: 'leave --method, --last and --depth out to go on with it',
      });
  } catch (error) {
    adapter.weights.close();
    throw error;
  }
  return {
    method: adapter.method,
    precision: adapter.precision,
    imageSize: adapter.base.imageSize,
    preparation,
    ...companions,
    labels: adapter.labels,
    task: adapter.task ?? CLASSIFY,
    where: adapter.path,
    tables: existsSync(join(dirname(adapter.path), CALIBRATION)) ? join(dirname(adapter.path), CALIBRATION) : undefined,
    digest: adapterDigest(adapter),
    check(base, preprocess) {
      checkBase(adapter, base);
      if (stableJson(adapter.preprocessing) !== stableJson(preprocess))
        throw new InputError({ where: adapter.path, what: 'the adapter wants its pictures prepared otherwise than the model folder says' });
    },
    fill(engine) {
      for (const { record, values } of checkTensors(engine, adapter, true)) {
        const whole = new Float32Array(record.shape.reduce((n, d) => n * d, 1));
        whole.set(values);
        writeParameter(engine, record, whole);
      }
    },
    close: () => adapter.weights.close(),
  };
}

/** The earlier labels in their order, then the classes that are new. */
export function joinLabels(before: readonly string[], classes: readonly string[]): string[] {
  const rows = rowsOfLabels(before, classes);
  return [...before, ...classes.filter((_, i) => rows[i]! < 0)];
}

/** Where each of `classes` stands among `labels`, -1 where it does not. Accents may be composed in them or not. */
export function rowsOfLabels(labels: readonly string[], classes: readonly string[]): number[] {
  const rows = new Map<string, number>();
  for (const [row, label] of labels.entries()) if (!rows.has(composed(label))) rows.set(composed(label), row);
  return classes.map((name) => rows.get(composed(name)) ?? -1);
}

/** Refuses to write over an adapter of other classes: what it learnt of them would be gone. */
export function guardAdapter(out: string, labels: readonly string[]): void {
  if (!existsSync(join(out, 'adapter_model.safetensors'))) return;
  let found: readonly string[];
  try {
    const adapter = readAdapter(out);
    found = adapter.labels;
    adapter.weights.close();
  } catch (error) {
    // One that cannot be read holds nothing to lose.
    if (error instanceof InputError) return;
    throw error;
  }
  if (found.length === labels.length && rowsOfLabels(labels, found).every((row) => row >= 0)) return;
  const text = (list: readonly string[]): string => (list.length > 6 ? `${list.length} classes` : list.join(', '));
  throw new InputError({
    where: out,
    what: 'holds an adapter for other classes',
    got: text(labels),
    expected: text(found),
    hint: `--from ${out} --out <another folder> adds classes to it; a new --out starts anew`,
  });
}
