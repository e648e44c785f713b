/** Dropout and drop-path rates that a model's configuration states: what transformers and timm apply in training, so does a job here. */
import { type Config, real, section } from './config.ts';

/** Shares of elements left out in training: of embeddings, of what a block's layers put out, of what the head reads. */
export interface DropoutRates {
  embeddings: number;
  layers: number;
  head: number;
}

export interface DropRates {
  dropout: DropoutRates;
  /** Share of pictures without the last block's branch. */
  path: number;
  /** Who says so, for a sentence. */
  pathFrom: string;
  /** Rates stated that nothing here applies, as `key value`. */
  unused: readonly string[];
}

export const everywhere = (rate: number): DropoutRates => ({ embeddings: rate, layers: rate, head: rate });

/** More than that would leave nothing to learn from. */
const MOST = 0.9;

/** Of a Hugging Face configuration. `attention_probs_dropout_prob` would need masks over scores that are never stored. */
export function hfDrop(c: Config): DropRates {
  const hidden = real(c, 'hidden_dropout_prob', 0, 0, MOST);
  return {
    dropout: { embeddings: hidden, layers: hidden, head: real(c, 'classifier_dropout_prob', 0, 0, MOST) },
    path: real(c, 'drop_path_rate', 0, 0, MOST),
    pathFrom: 'config.json',
    unused: stated(c, ['attention_probs_dropout_prob']),
  };
}

/**
 * Of timm's `model_args`, which its folders seldom have: `path` is then the rate of the class. Its `proj_drop_rate` stands inside the MLP
 * too, where no mask is made here.
 */
export function timmDrop(c: Config, path: number): DropRates {
  const args = section(c, 'model_args');
  return {
    dropout: { embeddings: real(args, 'pos_drop_rate', 0, 0, MOST), layers: 0, head: real(args, 'drop_rate', 0, 0, MOST) },
    path: real(args, 'drop_path_rate', path, 0, MOST),
    pathFrom: args.get('drop_path_rate') === undefined ? "timm's default" : 'config.json',
    unused: stated(args, ['proj_drop_rate', 'attn_drop_rate', 'patch_drop_rate', 'drop_block_rate']),
  };
}

const stated = (c: Config, keys: readonly string[]): string[] =>
  keys.filter((key) => real(c, key, 0) > 0).map((key) => `${key} ${c.get(key)}`);

/** What a job drops: what it says itself, else what the configuration says. */
export const chosenDrop = (drop: DropRates, given: { dropout?: number | undefined; dropPath?: number | undefined }) => ({
  dropout: given.dropout === undefined ? drop.dropout : everywhere(given.dropout),
  dropPath: given.dropPath ?? drop.path,
});

/** One sentence for each rate of the configuration that acts, or that does not. */
export function dropNotes(drop: DropRates, given: { dropout?: number | undefined; dropPath?: number | undefined }): string[] {
  const { embeddings, layers, head } = drop.dropout;
  const parts = [
    ...(layers > 0 ? [`${layers} of what embeddings and layers put out`] : embeddings > 0 ? [`${embeddings} of the embeddings`] : []),
    ...(head > 0 ? [`${head} of what the head reads`] : []),
  ];
  const notes: string[] = [];
  if (parts.length > 0 && given.dropout === undefined)
    notes.push(`config.json: dropout ${parts.join(' and ')} in training; --dropout 0 turns it off`);
  if (drop.path > 0 && given.dropPath === undefined)
    notes.push(`${drop.pathFrom}: drop-path ${drop.path} in training; --drop-path 0 turns it off`);
  if (drop.unused.length > 0) notes.push(`config.json: ${drop.unused.join(' and ')} not applied: no such mask is made here`);
  return notes;
}
