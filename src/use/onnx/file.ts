/** An ONNX file from nodes and constants: the messages of onnx.proto that it needs, by their field numbers. */
import { bytes, float, inside, int, ints, type Message, message, string } from '../../formats/wirewriter.ts';

/** ONNX's element types that are written. */
export const ELEMENT = { f32: 1, i8: 3, i64: 7 } as const;
export type Element = keyof typeof ELEMENT;

/** An initializer. `data`: little-endian, row-major. */
export interface Constant {
  name: string;
  element: Element;
  shape: readonly number[];
  data: Uint8Array;
}

/** Attributes by name: a whole number, whole numbers, a text, or a float as `{ float }`. */
export type OnnxAttributes = Readonly<Record<string, number | readonly number[] | string | { float: number }>>;

export interface OnnxNode {
  op: string;
  name: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: OnnxAttributes;
}

/** A port: its name and shape; a text stands for a length that is left open. */
export interface Port {
  name: string;
  shape: readonly (number | string)[];
}

export interface OnnxFile {
  nodes: readonly OnnxNode[];
  constants: readonly Constant[];
  input: Port;
  output: Port;
  /** Name of the graph. */
  graph: string;
  /** Texts by key, beside the graph. */
  metadata: Readonly<Record<string, string>>;
}

/** The operators' version, and the file format's that came with it. */
export const OPSET = 18;
const IR_VERSION = 8;

/** AttributeProto's types. */
const enum Kind {
  Float = 1,
  Int = 2,
  String = 3,
  Ints = 7,
}

function attribute(name: string, value: OnnxAttributes[string]): Message {
  const typed = (kind: Kind, field: Message): Message => message(string(1, name), field, int(20, kind));
  if (typeof value === 'number') return typed(Kind.Int, int(3, value));
  if (typeof value === 'string') return typed(Kind.String, string(4, value));
  if ('float' in value) return typed(Kind.Float, float(2, value.float));
  return typed(Kind.Ints, ints(8, value));
}

const node = ({ op, name, inputs, outputs, attributes }: OnnxNode): Message =>
  message(
    ...inputs.map((input) => string(1, input)),
    ...outputs.map((output) => string(2, output)),
    string(3, name),
    string(4, op),
    ...Object.entries(attributes).map(([key, value]) => inside(5, attribute(key, value))),
  );

const tensor = ({ name, element, shape, data }: Constant): Message =>
  message(ints(1, shape), int(2, ELEMENT[element]), string(8, name), bytes(9, data));

function port({ name, shape }: Port): Message {
  const dims = shape.map((n) => inside(1, typeof n === 'number' ? int(1, n) : string(2, n)));
  return message(string(1, name), inside(2, inside(1, message(int(1, ELEMENT.f32), inside(2, message(...dims))))));
}

/** The whole file. */
export function onnxFile({ nodes, constants, input, output, graph, metadata }: OnnxFile): Message {
  const body = message(
    ...nodes.map((one) => inside(1, node(one))),
    string(2, graph),
    ...constants.map((one) => inside(5, tensor(one))),
    inside(11, port(input)),
    inside(12, port(output)),
  );
  return message(
    int(1, IR_VERSION),
    string(2, 's2a'),
    inside(7, body),
    inside(8, message(string(1, ''), int(2, OPSET))),
    ...Object.entries(metadata).map(([key, value]) => inside(14, message(string(1, key), string(2, value)))),
  );
}
