/**
 * An ONNX file as it lies: nodes, the places of its tensors, inputs and outputs (onnx.proto, fields by number). Weights stay where they are, in
 * the file or beside it; only what is small is read.
 */
import { dirname, join } from 'node:path';
import { InputError, shown, shownValue } from '../../base/error.ts';
import { type ByteSource, openFile } from '../../base/files.ts';
import { elements } from '../../base/tensor.ts';
import { type Field, Wire } from '../../formats/wire.ts';

/** Element types by their number in the format: name, bytes. */
export const ELEMENTS: Readonly<Record<number, readonly [string, number]>> = {
  1: ['F32', 4],
  2: ['U8', 1],
  3: ['I8', 1],
  4: ['U16', 2],
  5: ['I16', 2],
  6: ['I32', 4],
  7: ['I64', 8],
  9: ['BOOL', 1],
  10: ['F16', 2],
  11: ['F64', 8],
  12: ['U32', 4],
  13: ['U64', 8],
  16: ['BF16', 2],
};

/** Where a tensor's elements are: bytes of a file, row-major and little-endian, or numbers that stood one by one. */
export type Place = { file: number; offset: number; bytes: number } | { numbers: number[] };

export interface TensorRef {
  name: string;
  /** A key of `ELEMENTS`. */
  element: number;
  shape: readonly number[];
  place: Place;
}

export interface Attribute {
  i?: number;
  f?: number;
  s?: string;
  ints?: number[];
  floats?: number[];
  strings?: string[];
  tensor?: TensorRef;
  /** It holds a graph of its own: a branch or a loop. */
  isGraph?: true;
}

export interface OnnxNode {
  op: string;
  domain: string;
  name: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: ReadonlyMap<string, Attribute>;
  /** Path of the module that it belongs to, where the exporter wrote it beside the node. */
  scope?: string;
}

/** An input or output: its element type and shape; a number, a name, or nothing for an axis that is open. */
export interface Port {
  name: string;
  element: number;
  shape: readonly (number | string | undefined)[] | undefined;
}

export interface OnnxFile {
  path: string;
  /** The file itself, then its external data. */
  files: { path: string; source: ByteSource }[];
  opset: number;
  producer: string;
  nodes: readonly OnnxNode[];
  initializers: ReadonlyMap<string, TensorRef>;
  inputs: readonly Port[];
  outputs: readonly Port[];
  metadata: ReadonlyMap<string, string>;
  close(): void;
}

export const OLDEST = 11;
/** The newest that this was written for. */
export const NEWEST = 25;
const MOST_NODES = 100_000;
const MOST_TENSORS = 50_000;
const MOST_AXES = 12;
/** Longest list of numbers in an attribute, and of a tensor whose numbers stand one by one. */
const MOST_NUMBERS = 1 << 22;
const STANDARD = ['', 'ai.onnx'];

/** Reads a file's graph. The files stay open until `close`. */
export function openOnnx(path: string): OnnxFile {
  const files = [{ path, source: openFile(path) }];
  try {
    return new Reader(path, files).read();
  } catch (error) {
    for (const { source } of files) source.close();
    throw error;
  }
}

class Reader {
  private readonly wire: Wire;
  private readonly external = new Map<string, number>();
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers = new Map<string, TensorRef>();
  private readonly ports: { 11: Port[]; 12: Port[] } = { 11: [], 12: [] };
  private readonly path: string;
  private readonly files: OnnxFile['files'];

  constructor(path: string, files: OnnxFile['files']) {
    this.path = path;
    this.files = files;
    this.wire = new Wire(path, files[0]!.source, 'is it an ONNX file, and was the download complete?');
  }

  private fault(what: string, more: { got?: string | number; expected?: string | number; hint?: string } = {}): InputError {
    return new InputError({ where: this.path, what, ...more });
  }

  read(): OnnxFile {
    const { wire } = this;
    const opsets = new Map<string, number>();
    const metadata = new Map<string, string>();
    const functions: string[] = [];
    let graph: Field | undefined;
    let producer = '';
    for (const field of wire.fields(0, wire.source.size)) {
      if (field.id === 2) producer = wire.text(field);
      else if (field.id === 7) graph = field;
      else if (field.id === 8) this.opset(field, opsets);
      else if (field.id === 14) this.pair(field, metadata);
      else if (field.id === 25) for (const inner of wire.inner(field)) if (inner.id === 1) functions.push(wire.text(inner));
    }
    if (graph === undefined) throw this.fault('no graph in this file', { hint: 'is it an ONNX model?' });
    const opset = opsets.get('') ?? opsets.get('ai.onnx');
    if (opset === undefined) throw this.fault('does not say which version of the operators it uses');
    if (opset < OLDEST || opset > NEWEST)
      throw this.fault('the version of its operators is not known here', {
        got: `opset ${opset}`,
        expected: `${OLDEST} to ${NEWEST}`,
        hint: 'export it again with another opset_version, or convert it with onnx.version_converter',
      });
    this.graph(graph);
    const used = this.nodes.find(({ op }) => functions.includes(op));
    if (used)
      throw this.fault(`node ${shown(used.name || used.op)} calls the function ${shown(used.op)} of the file`, {
        hint: 'onnx.inliner.inline_local_functions writes a file without functions',
      });
    const { files } = this;
    return {
      path: this.path,
      files,
      opset,
      producer,
      nodes: this.nodes,
      initializers: this.initializers,
      inputs: this.ports[11].filter(({ name }) => !this.initializers.has(name)),
      outputs: this.ports[12],
      metadata,
      close: () => {
        for (const { source } of files) source.close();
      },
    };
  }

  private opset(field: Field, opsets: Map<string, number>): void {
    let domain = '';
    let version = 0;
    for (const inner of this.wire.inner(field)) {
      if (inner.id === 1) domain = this.wire.text(inner);
      else if (inner.id === 2) version = inner.value;
    }
    opsets.set(domain, version);
  }

  /** A StringStringEntryProto. */
  private pair(field: Field, into: Map<string, string>): void {
    let key = '';
    let value: Field | undefined;
    for (const inner of this.wire.inner(field)) {
      if (inner.id === 1) key = this.wire.text(inner);
      else if (inner.id === 2) value = inner;
    }
    // Exporters keep whole stack traces there.
    if (value !== undefined && value.to - value.from < 1 << 15) into.set(key, this.wire.text(value));
  }

  private graph(graph: Field): void {
    for (const field of this.wire.inner(graph)) {
      if (field.id === 1) {
        if (this.nodes.push(this.node(field)) > MOST_NODES) throw this.fault('too many nodes', { expected: `at most ${MOST_NODES}` });
      } else if (field.id === 5) {
        const tensor = this.tensor(field);
        if (this.initializers.has(tensor.name)) throw this.fault(`tensor ${shown(tensor.name)} is there twice`);
        this.initializers.set(tensor.name, tensor);
        if (this.initializers.size > MOST_TENSORS) throw this.fault('too many tensors', { expected: `at most ${MOST_TENSORS}` });
      } else if (field.id === 11 || field.id === 12) this.ports[field.id].push(this.port(field));
      else if (field.id === 15) throw this.fault('holds sparse tensors, which are not supported');
    }
  }

  private node(field: Field): OnnxNode {
    const { wire } = this;
    const node = { op: '', domain: '', name: '', inputs: [] as string[], outputs: [] as string[] };
    const attributes = new Map<string, Attribute>();
    const metadata = new Map<string, string>();
    for (const inner of wire.inner(field)) {
      if (inner.id === 1) node.inputs.push(wire.text(inner));
      else if (inner.id === 2) node.outputs.push(wire.text(inner));
      else if (inner.id === 3) node.name = wire.text(inner);
      else if (inner.id === 4) node.op = wire.text(inner);
      else if (inner.id === 5) {
        const { name, attribute } = this.attribute(inner);
        attributes.set(name, attribute);
      } else if (inner.id === 7) node.domain = wire.text(inner);
      else if (inner.id === 9) this.pair(inner, metadata);
    }
    if (STANDARD.includes(node.domain)) node.domain = '';
    const scope = scopeOf(metadata.get('pkg.torch.onnx.name_scopes'));
    return { ...node, attributes, ...(scope ? { scope } : {}) };
  }

  private attribute(field: Field): { name: string; attribute: Attribute } {
    const { wire } = this;
    const a: Attribute = {};
    let name = '';
    for (const inner of wire.inner(field)) {
      if (inner.id === 1) name = wire.text(inner);
      else if (inner.id === 2) [a.f] = this.numbers(inner, true);
      else if (inner.id === 3) a.i = inner.value;
      else if (inner.id === 4) a.s = wire.text(inner);
      else if (inner.id === 5) a.tensor = this.tensor(inner);
      else if (inner.id === 6 || inner.id === 11) a.isGraph = true;
      else if (inner.id === 7) a.floats = wire.floats(inner, a.floats, MOST_NUMBERS);
      else if (inner.id === 8) a.ints = wire.integers(inner, a.ints, MOST_NUMBERS);
      else if (inner.id === 9) a.strings = [...(a.strings ?? []), wire.text(inner)];
    }
    return { name, attribute: a };
  }

  private numbers(field: Field, areFloats: boolean): number[] {
    return areFloats ? this.wire.floats(field, [], MOST_NUMBERS) : this.wire.integers(field, [], MOST_NUMBERS);
  }

  private port(field: Field): Port {
    const { wire } = this;
    const port = { name: '', element: 0, shape: undefined as (number | string | undefined)[] | undefined };
    const dim = (field: Field): number | string | undefined => {
      let size: number | string | undefined;
      for (const inner of wire.inner(field)) {
        if (inner.id === 1) size = inner.value;
        else if (inner.id === 2) size = wire.text(inner);
      }
      return size;
    };
    for (const info of wire.inner(field)) {
      if (info.id === 1) port.name = wire.text(info);
      if (info.id !== 2) continue;
      for (const type of wire.inner(info)) {
        if (type.id !== 1) continue;
        for (const tensor of wire.inner(type)) {
          if (tensor.id === 1) port.element = tensor.value;
          else if (tensor.id === 2) {
            port.shape = [];
            for (const axis of wire.inner(tensor)) if (axis.id === 1) port.shape.push(dim(axis));
          }
        }
      }
    }
    return port;
  }

  private tensor(field: Field): TensorRef {
    const { wire } = this;
    let [element, name, isExternal] = [0, '', false];
    const shape: number[] = [];
    const external = new Map<string, string>();
    /** raw_data or packed floats: a range; by the kind of field. */
    const ranges: Field[] = [];
    const listed: number[] = [];
    for (const inner of wire.inner(field)) {
      if (inner.id === 1) wire.integers(inner, shape, MOST_AXES);
      else if (inner.id === 2) element = inner.value;
      else if (inner.id === 8) name = wire.text(inner);
      else if (inner.id === 9 || ((inner.id === 4 || inner.id === 10) && inner.kind === 'bytes')) ranges.push(inner);
      else if (inner.id === 4) wire.floats(inner, listed, MOST_NUMBERS);
      else if (inner.id === 5 || inner.id === 7 || inner.id === 11) wire.integers(inner, listed, MOST_NUMBERS);
      else if (inner.id === 13) this.pair(inner, external);
      else if (inner.id === 14) isExternal = inner.value === 1;
      else if (inner.id === 3) throw this.fault(`tensor ${shown(name)} is stored in segments, which are not supported`);
    }
    const where = `${this.path}, tensor ${shown(name)}`;
    const kind = ELEMENTS[element];
    // Texts and exotic types are legal where nothing of the network reads them.
    if (kind === undefined) return { name, element, shape, place: { numbers: [] } };
    const count = elements(shape);
    if (Number.isNaN(count)) throw new InputError({ where, what: 'bad shape', got: shownValue(shape) });
    const bytes = count * kind[1];
    const [range] = ranges;
    if (isExternal) return { name, element, shape, place: this.externalPlace(where, external, bytes) };
    if (ranges.length === 1 && range!.to - range!.from === bytes && listed.length === 0)
      return { name, element, shape, place: { file: 0, offset: range!.from, bytes } };
    if (ranges.length > 0 || listed.length !== count)
      throw new InputError({
        where,
        what: 'holds another number of elements than its shape says',
        got: ranges.length > 0 ? `${ranges.reduce((n, r) => n + r.to - r.from, 0)} bytes` : `${listed.length} numbers`,
        expected: ranges.length > 0 ? `${bytes} bytes` : count,
      });
    return { name, element, shape, place: { numbers: element === 10 || element === 16 ? listed.map((x) => halfOf(x, element)) : listed } };
  }

  private externalPlace(where: string, external: ReadonlyMap<string, string>, bytes: number): Place {
    const location = external.get('location') ?? '';
    const isPlain = location !== '' && !/[\\:\0]/.test(location) && !location.startsWith('/') && !location.split('/').includes('..');
    if (!isPlain)
      throw new InputError({
        where,
        what: 'lies in a file outside the folder of the model',
        got: shown(location),
        expected: 'a name in that folder',
      });
    const number = (key: string, preset: number): number => {
      const text = external.get(key);
      if (text !== undefined && !/^\d{1,15}$/.test(text))
        throw new InputError({ where, what: `bad ${key} of external data`, got: shown(text) });
      return text === undefined ? preset : Number(text);
    };
    const [offset, length] = [number('offset', 0), number('length', bytes)];
    if (length !== bytes)
      throw new InputError({ where, what: 'has another length than its shape', got: `${length} bytes`, expected: bytes });
    const path = join(dirname(this.path), location);
    let file = this.external.get(location);
    if (file === undefined) {
      file = this.files.push({ path, source: openFile(path) }) - 1;
      this.external.set(location, file);
    }
    const { size } = this.files[file]!.source;
    if (offset + bytes > size)
      throw new InputError({
        where: path,
        what: `tensor ${shown(where)} lies outside this file`,
        got: `${size} bytes`,
        expected: `at least ${offset + bytes}`,
        hint: 'was the download complete?',
      });
    return { file, offset, bytes };
  }
}

/** The innermost module's path in what torch's exporter writes: a list of ever longer paths, the node's own name last. */
function scopeOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const paths = [...text.matchAll(/'([^']*)'/g)].map((m) => m[1]!);
  return paths
    .slice(0, -1)
    .filter((path) => path !== '')
    .at(-1);
}

/** The number that 16 bits stand for, as f16 (element 10) or bf16. */
export function halfOf(bits: number, element: number): number {
  const [sign, rest] = [bits & 0x8000 ? -1 : 1, bits & 0x7fff];
  const [exponent, fraction, bias, size] = element === 10 ? [rest >> 10, rest & 1023, 15, 1024] : [rest >> 7, rest & 127, 127, 128];
  if (exponent === (element === 10 ? 31 : 255)) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? fraction / size : 1 + fraction / size) * 2 ** (Math.max(exponent, 1) - bias);
}
