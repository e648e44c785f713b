// Which Quick, Draw! classes are for what, once for every experiment: what judges a claim is never what a recipe was settled on, nor
// what our ViT was pretrained on.
import { allClasses, order, TEN } from './quickdraw.mjs';

const rest = allClasses().filter((c) => !TEN.includes(c));
const drawn = order(rest.length, 777).map((i) => rest[i]);

/** The demo's ten, and twice ten drawn from the rest: they judge. */
export const EVALUATION = [TEN, drawn.slice(0, 10).sort(), drawn.slice(10, 20).sort()];

/** Four times ten others: recipes are settled on them. Our ViT has never seen the first two sets. */
export const DEVELOPMENT = [-10, -20, -30, -40].map((from) => drawn.slice(from, from + 10 || undefined).sort());

/** What our ViT learns from: 295 classes, none of them in EVALUATION or in DEVELOPMENT's first two sets. */
export const PRETRAINING = drawn.slice(20, -20).sort();
