/** What a family of networks is to the importer: how its graph is built, and which configurations mean one of it. */

import type { Config } from '../formats/config.ts';
import type { Builder } from '../network/builder.ts';

/** Height and width of pictures that were asked for; undefined: the network's own. */
export type Size = readonly [number, number] | undefined;

/** A network's shape, as its configuration and the file's names tell it. Its fields beyond these are the family's own. */
export interface Spec {
  /** Height and width of its pictures. */
  image: readonly [number, number];
  /** Its pictures are normalised by a mean and a deviation of a half, whatever its library does with others. */
  half?: boolean;
}

export type Library = 'transformers' | 'timm' | 'torchvision' | 'onnx';

/** One library's way to write a family down. */
export interface Reader<S extends Spec = Spec> {
  library: Library;
  /** Does it read this model_type (transformers), or this architecture, by its name without the tag? */
  reads(name: string): boolean;
  /** Names that it reads, from which the nearest to a name that nobody reads is chosen; for transformers, every model_type. */
  names: readonly string[];
  /** Its cases in test/golden: one at least. */
  golden: readonly string[];
  /** `name`: what `reads` took. */
  read(c: Config, name: string, image: Size): S;
}

export interface Family<S extends Spec = Spec> {
  /** Its row in docs/models.md. */
  title: string;
  readers: readonly Reader<S>[];
  /** Appends the forward nodes; `x` is the normalised picture [B,H,W,C]. Returns the logits. */
  build(b: Builder, x: number, spec: S, classes: number): number;
  /** The checkpoint's own classifiers: of several the logits are the mean. */
  heads(spec: S): readonly string[];
  /** Layers besides its heads that a new head takes the place of. */
  replaced?: readonly string[];
  /** Tensors of its checkpoints that a classifier of pictures has no use for. */
  unread?: readonly RegExp[];
  /** Tensors among them that belong to the checkpoint's classes: a file of other classes has no place for them. */
  ofClasses?: readonly RegExp[];
  /** Why a new head is not one that its library's class could load; absent: it is. */
  ownHead?: string;
  /** Throws InputError where sizes do not fit each other; absent: at least 32×32. */
  check?(where: string, spec: S): void;
  /** Layers that give q, k and v, where the checkpoint has no biases of them: one fused layer, or three of `n` rows. */
  projections?(spec: S): { layers: string[]; n: number }[];
  /** Layers without a bias behind a norm, into which a learnt one could move. */
  mergings?(spec: S): { norm: string; reduction: string }[];
  /** Convolutions that were saved with their batch norms folded (`batch_norm: "folded"`), with their channels. */
  folded?(spec: S): { names: { conv: string; eps: number }; channels: number }[];
  /** Share of paths that its library leaves out where the configuration says nothing. */
  dropPath?: number | ((name: string) => number);
}
