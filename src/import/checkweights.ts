/**
 * Are a folder's weights those of the network that its configuration means? Every tensor that this network reads must be there in its shape,
 * and every other one must be known to change nothing: a block that nothing reads, or a norm, is a sign of another network.
 */
import { State } from '../../assembly/abi/head.ts';
import { InputError, shown } from '../base/error.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { weightOf } from '../formats/weightsfile.ts';
import { addValue, createGraph, f32, type Source, u8 } from '../graph/graph.ts';
import { createBuilder, startPhase } from '../network/builder.ts';
import { type Method, type MethodLike, methodOf } from '../network/method.ts';
import { buildModel, headsOf, type Model } from './index.ts';

/** What is about to be done with the weights; absent: a new head on the whole network. */
export interface WeightsUse {
  /** Of it only how early the network ends matters here. */
  method?: MethodLike | undefined;
  /** `file`: the checkpoint's own head is read too. */
  head?: 'file' | 'new';
}

/** Throws InputError for the first tensor that is missing or has a wrong shape or type, and for those that nothing reads. */
export function checkWeights(model: Model, file: SafetensorsFile, { method, head = 'new' }: WeightsUse = {}): void {
  const depth = method === undefined ? undefined : methodOf(method).depth;
  const read = tensorsOf(model, head, depth);
  checkChannels(model, file, read);
  for (const [name, { shape }] of read) weightOf(file, name, shape);
  // Layers that a depth leaves out belong to the network all the same.
  const known = tensorsOf(model, 'file', undefined);
  const heads = head === 'new' ? replaced(model) : [];
  const unread = [...file.tensors.keys()].filter(
    (name) =>
      !known.has(name) &&
      ![...HARMLESS, ...(model.family.unread ?? [])].some((r) => r.test(name)) &&
      !heads.some((h) => name.startsWith(`${h}.`)),
  );
  const [first] = unread;
  if (first === undefined) return;
  throw new InputError({
    where: file.path,
    what: `tensor ${shown(first)} is not read by the network that config.json describes`,
    got: `${unread.length} such ${unread.length === 1 ? 'tensor' : 'tensors'} of ${file.tensors.size}`,
    expected: 'none',
    hint: 'these are the weights of another network, or config.json is not the one that they were saved with',
  });
}

/** The first convolution reads as many channels as the configuration says. */
function checkChannels({ library, channels }: Model, file: SafetensorsFile, read: ReadonlyMap<string, Source>): void {
  // Layers declare their weights in the order in which an input goes through them; a class token has not four axes.
  const entry = [...read.values()].find(({ shape }) => shape.length === 4);
  const shape = entry && file.tensors.get(entry.tensor)?.shape;
  if (entry === undefined || shape?.length !== 4 || shape[1] === channels) return;
  if (shape[0] !== entry.shape[0] || shape[2] !== entry.shape[2] || shape[3] !== entry.shape[3]) return;
  const key = library === 'timm' ? 'model_args.in_chans' : 'num_channels';
  throw new InputError({
    where: file.path,
    what: `${entry.tensor} reads another number of channels than config.json says`,
    got: shape[1]!,
    expected: channels,
    hint: `where the weights are right write "${key}": ${shape[1]} into config.json`,
  });
}

/** What a network takes from its checkpoint, by name: what its forward pass declares when it is built for one picture. */
function tensorsOf(model: Model, head: 'file' | 'new', depth: Method['depth']): Map<string, Source> {
  const graph = createGraph();
  const state = addValue(graph, 'state', u8(State.Bytes), 'state');
  const b = createBuilder(graph, methodOf(depth === undefined ? 'probe' : `probe+depth:blocks=${depth.blocks}`), head, state, 'f32');
  startPhase(b, 'eval');
  buildModel(b, addValue(graph, 'pixels', f32(1, ...model.image, model.channels), 'batch'), model, model.labels?.length ?? 1);
  return new Map(graph.values.flatMap(({ source }) => (source ? [[source.tensor, source] as const] : [])));
}

/** Tensors that nothing between pixels and logits reads, whatever the family. */
const HARMLESS: readonly RegExp[] = [
  // Counters of batch norms.
  /(^|\.)num_batches_tracked$/,
  // Buffers that follow from the configuration, which older files hold: which relative position a pair has, which windows meet, 0, 1, 2, …
  /(^|\.)(relative_position_index|relative_coords_table|attention_bias_idxs|attn_mask|position_ids)$/,
  // Hugging Face: poolers, which its classifiers do without; masked pictures' token and decoder; norms of features that a detector reads.
  /^(\w+\.)?pooler\./,
  /^(\w+\.)?embeddings\.mask_token$/,
  /^decoder\.\d+\./,
  /^hidden_states_norms\./,
];

/** What a new head takes the place of: the checkpoint's classifiers, and (timm before 0.9) the layer between features and classifier. */
const replaced = (model: Model): readonly string[] => [...headsOf(model), ...(model.family.replaced ?? [])];
