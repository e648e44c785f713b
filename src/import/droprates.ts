/** Dropout and drop-path rates that a model's configuration states: what transformers and timm apply in training, so does a job here. */
import { type Config, real, section } from '../formats/config.ts';
import type { DropRates } from '../network/drop.ts';

/** More than that would leave nothing to learn from. */
const MOST = 0.9;

/** Of a Hugging Face configuration. `attention_probs_dropout_prob` would need masks over scores that are never stored. */
export function hfDrop(whole: Config): DropRates {
  // Of pictures and texts, the half for pictures.
  const c = whole.has('vision_config') ? section(whole, 'vision_config') : whole;
  const hidden = real(c, 'hidden_dropout_prob', 0, 0, MOST);
  // EfficientNet's is called otherwise. Published MobileNetV1 says 0.999, which is the share that its authors kept.
  const key = c.has('dropout_rate') ? 'dropout_rate' : 'classifier_dropout_prob';
  const head = real(c, key, 0);
  return {
    dropout: { embeddings: hidden, layers: hidden, head: head > MOST ? 0 : head },
    path: real(c, 'drop_path_rate', 0, 0, MOST),
    pathFrom: 'config.json',
    // EfficientNet's drop_connect_rate is one of elements, and another in each block.
    unused: stated(c, ['attention_probs_dropout_prob', 'attention_dropout', 'drop_connect_rate', ...(head > MOST ? [key] : [])]),
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
