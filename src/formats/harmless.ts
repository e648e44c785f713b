/**
 * Keys of configurations that say nothing about the network that a picture goes through. Whatever is in no such list and is read by no
 * reader is refused. A key belongs here only where the library's own sources never look at it between pixels and logits.
 */
import type { Config } from './config.ts';

/** Says of keys that they change nothing: they need not be understood. */
export function ignore(c: Config, keys: Iterable<string>): void {
  for (const key of keys) c.get(key);
}

/** Of the configuration class that all of transformers' models share: where it came from, how it is run, and what only language models use. */
export const TRANSFORMERS = [
  // What it is called and where it came from.
  ...['model_type', 'architectures', '_name_or_path', 'name_or_path', '_commit_hash', 'transformers_version', 'transformers.js_config'],
  // The classes: read where there is a head of its own.
  ...['id2label', 'label2id', 'num_labels', 'finetuning_task', 'task_specific_params', 'problem_type'],
  // How PyTorch runs it, to the same numbers: types are those of the tensors.
  ...['torch_dtype', 'dtype', 'use_bfloat16', 'torchscript', 'gradient_checkpointing', 'use_cache', 'chunk_size_feed_forward'],
  ...['attn_implementation', '_attn_implementation', '_attn_implementation_autoset', '_attn_implementation_internal'],
  ...['experts_implementation', '_experts_implementation', '_experts_implementation_internal'],
  // What it returns besides.
  ...['return_dict', 'use_return_dict', 'output_hidden_states', 'output_attentions', '_output_attentions', 'output_scores'],
  ...[
    'return_dict_in_generate',
    'tie_last_hidden_states',
    'tf_legacy_loss',
    'out_features',
    'out_indices',
    '_out_features',
    '_out_indices',
  ],
  'stage_names',
  // How weights are drawn at random.
  'initializer_range',
  // Decoders and text.
  ...[
    'is_encoder_decoder',
    'is_decoder',
    'add_cross_attention',
    'cross_attention_hidden_size',
    'tie_encoder_decoder',
    'tie_word_embeddings',
  ],
  ...['tokenizer_class', 'prefix', 'bos_token_id', 'pad_token_id', 'eos_token_id', 'sep_token_id', 'decoder_start_token_id', 'max_length'],
  ...['min_length', 'do_sample', 'early_stopping', 'num_beams', 'num_beam_groups', 'diversity_penalty', 'temperature', 'top_k', 'top_p'],
  ...['typical_p', 'repetition_penalty', 'length_penalty', 'no_repeat_ngram_size', 'encoder_no_repeat_ngram_size', 'bad_words_ids'],
  ...['num_return_sequences', 'forced_bos_token_id', 'forced_eos_token_id', 'remove_invalid_values', 'exponential_decay_length_penalty'],
  ...['suppress_tokens', 'begin_suppress_tokens'],
] as const;

/** Beside `architecture` in a timm configuration, at its top: "saved for informational purposes, do not impact model build". */
export const TIMM = ['architecture', 'num_classes', 'num_features', 'global_pool', 'label_names', 'label_descriptions', 'labels'] as const;

/** The keys of transformers that its wrapper around timm adds; `do_pooling` is of its headless class alone. */
export const TIMM_WRAPPER = [...TRANSFORMERS, 'do_pooling'] as const;

/** timm's `pretrained_cfg`: how pictures are prepared (read by src/input/timm.ts), where weights lie, whom to thank. */
export const PRETRAINED = [
  ...['input_size', 'test_input_size', 'min_input_size', 'fixed_input_size', 'interpolation', 'crop_pct', 'test_crop_pct', 'crop_mode'],
  ...['mean', 'std'],
  ...['url', 'file', 'hf_hub', 'hf_hub_id', 'hf_hub_filename', 'source', 'architecture', 'tag', 'custom_load'],
  ...['num_classes', 'label_offset', 'label_names', 'label_descriptions', 'labels', 'pool_size', 'test_pool_size'],
  ...['first_conv', 'classifier', 'license', 'description', 'origin_url', 'paper_name', 'paper_ids', 'notes'],
] as const;

/** Of timm's `model_args`: how many classes (the head's shape says it), how weights are drawn, where and in which type they are held. */
export const TIMM_ARGS = [
  'num_classes',
  'weight_init',
  'fix_init',
  'zero_init_last',
  'head_init_scale',
  'device',
  'dtype',
  'bn_momentum',
] as const;
