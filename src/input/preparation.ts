/** What adapters remember of how examples are prepared: plain JSON. The network sees (value · scale − mean) / std, a mean and a std for each channel. */
import type { ArrayPreparation } from './example.ts';
import type { Preprocess } from './resized.ts';

/** How pictures or arrays become a network's input. */
export type Preparation = Preprocess | ArrayPreparation;
