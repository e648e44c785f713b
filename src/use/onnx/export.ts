/**
 * A network with what was learnt, as one ONNX file: whatever it came as. It is written from the graph that answers here, node by node: biases, low-rank
 * products, prompts, side branches, the new head are operators like others. Weights that are kept in 8 bits stay so, as codes with a
 * DequantizeLinear behind them.
 */
import { join } from 'node:path';
import { InputError } from '../../base/error.ts';
import { fileExists, makeFolder, writeAtomic, writeText } from '../../base/files.ts';
import { stableJson } from '../../base/json.ts';
import { guardOutput } from '../../base/output.ts';
import type { Precision } from '../../base/precision.ts';
import type { AdapterInfo } from '../../formats/adapterfile.ts';
import type { Message } from '../../formats/wirewriter.ts';
import { nodesOf, shapeOf } from '../../graph/graph.ts';
import { isArrayPreparation } from '../../input/example.ts';
import { processorFor } from '../../input/huggingface.ts';
import { type Preparation, portOf } from '../../input/index.ts';
import type { Preprocess } from '../../input/preprocess.ts';
import type { Compiled } from '../../pipeline/compiled.ts';
import { CLASSIFY, constantsOf, taskOf } from '../../task/index.ts';
import { openInference } from '../classifier.ts';
import { onnxFile } from './file.ts';
import { knownIn } from './known.ts';
import { RULES } from './rules/index.ts';
import { Writer } from './writer.ts';

/** What is exported, and where to. */
export interface OnnxOptions {
  /** Folder of the model, or its ONNX file. */
  model: string;
  /** The adapter's folder, or its weights file; undefined: the model with the head of its own. */
  adapter?: string;
  /** Folder for model.onnx, config.json and preprocessor_config.json. */
  out: string;
  /** Precision of frozen weights, where it is not to be the one that the adapter was trained over. */
  weights?: Precision;
}

/** What exporting wrote. */
export interface OnnxResult {
  /** The folder. */
  out: string;
  /** Names of the classes, labels or numbers, in the order of the outputs. */
  classes: readonly string[];
  /** How many nodes the graph in the file has. */
  nodes: number;
  /** Bytes of model.onnx. */
  bytes: number;
  /** What a person should know of it, a sentence each. */
  notes: string[];
}

/** Of a file that protocol buffers can hold. */
const MOST_BYTES = 2 ** 31 - 1;
/** Operators that evaluation alone needs: they answer what nobody asks of the file. */
const LOSSES: readonly string[] = ['CrossEntropy', 'BinaryCrossEntropy', 'Huber'];
const FILE = 'model.onnx';

/** The graph of evaluation, and what its pictures and answers are called. */
function writeGraph(compiled: Compiled, memory: ArrayBuffer, { task, labels }: AdapterInfo): { writer: Writer; input: readonly number[] } {
  const { graph, plan } = compiled;
  const writer = new Writer(graph, knownIn(graph, plan.offsets, memory));
  let input: readonly number[] = [];
  for (const node of nodesOf(graph)) {
    if (node.phase !== 'eval') continue;
    writer.begin(node);
    if (node.op === 'Pixels') {
      input = shapeOf(graph, node.outputs[0]!);
      writer.put(node.outputs[0]!, 'pixel_values', 'first');
    } else if (node.isLoss || LOSSES.includes(node.op)) writeAnswer(writer, node.inputs[0]!, task, labels);
    else {
      const rule = RULES[node.op];
      if (rule === undefined) throw writer.refusal(node, 'this operator');
      rule(node, writer);
    }
  }
  return { writer, input };
}

/** The head's outputs, numbers in their units. */
function writeAnswer(writer: Writer, logits: number, task: AdapterInfo['task'], labels: readonly string[]): void {
  let answer = writer.value(logits);
  if (task !== undefined && taskOf(task.name).constants.includes('std')) {
    const numbers = constantsOf(task, labels.length);
    const [mean, std] = [numbers.subarray(0, labels.length), numbers.subarray(labels.length)];
    answer = writer.node('Add', [
      writer.node('Mul', [answer, writer.floats('std', [labels.length], std)]),
      writer.floats('mean', [labels.length], mean),
    ]);
  }
  writer.node('Identity', [answer], {}, 'logits');
}

/** config.json: names of the outputs, as transformers and this project look for them. */
function configOf({ labels, task }: AdapterInfo): Record<string, unknown> {
  const { threshold = [] } = task?.constants ?? {};
  return {
    id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    num_labels: labels.length,
    problem_type: taskOf(task?.name ?? CLASSIFY.name).problemType,
    ...(threshold.some((t) => t !== 0.5) ? { s2a_thresholds: threshold } : {}),
  };
}

/** The file puts channels in its network's order itself. */
const forFile = ({ reversed: _, ...rest }: Preprocess): Preprocess => rest;

function notesOn(preprocess: Preparation, precision: Precision): string[] {
  const { channels } = portOf(preprocess);
  const notes: string[] = [];
  if (isArrayPreparation(preprocess))
    notes.push(`it takes arrays, channels first, ${channels} of them, normalised as the adapter's preprocessing says`);
  else if (processorFor(forFile(preprocess)) === undefined)
    notes.push('no preprocessor_config.json can say how its pictures are prepared: the adapter says it (preprocessing)');
  if (precision === 'int4') notes.push('its weights are those of int4, written as f32');
  return notes;
}

/** Writes the folder. Throws InputError for what ONNX has no operator for, by its node's name, and for files of more than 2 GiB. */
export function exportOnnx({ model, adapter: path, out, weights }: OnnxOptions): OnnxResult {
  guardOutput(out, { model, ...(path === undefined ? {} : { adapter: path }) });
  const file = join(out, FILE);
  if (fileExists(join(out, 'model.safetensors')) || fileExists(file))
    throw new InputError({ where: '--out', what: 'holds a model, which is not written over', got: out, expected: 'another folder' });
  const { engine, adapter, preprocess, compiled } = openInference(path, {
    model,
    isWhole: true,
    unknown: 0,
    ...(weights === undefined ? {} : { weights }),
  });
  const { writer, input } = writeGraph(compiled, engine.memory.buffer as ArrayBuffer, adapter);
  const [, height, width, channels] = input as [number, number, number, number];
  const { labels } = adapter;
  const whole = onnxFile({
    nodes: writer.nodes,
    constants: writer.constants,
    input: { name: 'pixel_values', shape: ['batch', channels, height, width] },
    output: { name: 'logits', shape: ['batch', labels.length] },
    graph: compiled.program.about.model,
    metadata: { labels: JSON.stringify(labels) },
  });
  if (whole.bytes > MOST_BYTES)
    throw new InputError({
      where: file,
      what: 'would be larger than an ONNX file can be',
      got: whole.bytes,
      expected: MOST_BYTES,
      hint: '--weights int8 makes it a quarter',
    });
  makeFolder(out);
  writeMessage(file, whole);
  writeText(join(out, 'config.json'), `${stableJson(configOf(adapter), 2)}\n`);
  const processor = isArrayPreparation(preprocess) ? undefined : processorFor(forFile(preprocess));
  if (processor !== undefined) writeText(join(out, 'preprocessor_config.json'), `${stableJson(processor, 2)}\n`);
  const notes = notesOn(preprocess, weights ?? adapter.precision);
  return { out, classes: labels, nodes: writer.nodes.length, bytes: whole.bytes, notes };
}

const writeMessage = (path: string, { pieces }: Message): void =>
  writeAtomic(path, (write) => {
    for (const piece of pieces) write(piece);
  });
