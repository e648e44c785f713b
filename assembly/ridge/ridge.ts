/**
 * Rows of a head in closed form, before the first step: ridge regression from the features x of n pictures onto which class each is of, λ by
 * leave-one-out, then one factor on all logits, from the cross-entropy of the same left-out predictions: how confident it may be. It starts
 * less so, no surer of the pictures that it was made of than of those left out: a head that fits its pictures leaves them nothing to teach.
 *
 *     x̃ = x - mean x,  ỹ = y - share of the class        logit_c(x) = s·(share_c + w_c·x̃),  w = (X̃ᵀX̃ + λ)⁻¹ X̃ᵀỸ = X̃ᵀ(X̃X̃ᵀ + λ)⁻¹ Ỹ
 *     left out, picture i:  ŷ = y - r_i / (1 - h_i),      r_i = y - fitted, h_i = 1/n + what x̃_i adds to its own fit
 *
 * Whichever matrix is smaller, [n,n] or [F,F], is made tridiagonal once (tridiagonal.ts); then every λ costs little. The matrix and all else lie in
 * the room that the plan has for a pass's temporaries, and in the head's gradients, which are zero before the first step and after it.
 *
 * The features are the host's, in a file: it asks `ridgeNext` which row is wanted, puts it at `ridgeRow()` and asks again, until there is
 * nothing left to want. One thread; sums in f64 in the order of the pictures. So the same program starts from the same head everywhere.
 */
import { Found, Want } from '../abi/ridge';
import {
  Asked,
  calibrate,
  chooseLambda,
  chosen,
  factor,
  factorByMargin,
  forget,
  isLeftOut,
  judge,
  judgeAll,
  lambdaOf,
  leftOut,
  lookAtClasses,
  loss,
  relativeLambda,
  right,
  setDiagonal,
  setFactor,
} from './leftout';
import {
  beside,
  bias,
  BLOCK,
  block,
  centre,
  centred,
  classes,
  counts,
  diagonal,
  dotF32,
  features,
  firstRow,
  gradient,
  isDual,
  labels,
  LAMBDAS,
  layOut,
  lineOf,
  m,
  matrix,
  mean,
  n,
  project,
  rowAt,
  share,
  targets,
  u,
  weight,
  z,
} from './room';
import { addScaled, dot, factorise, solve, tridiagonalise } from './tridiagonal';

export { ridgePictures, ridgeRow } from './room';

const enum Step {
  Mean,
  Gram,
  Targets,
  Choose,
  Calibrate,
  Margin,
  Weights,
  Done,
}

let step: Step = Step.Done;
let at: i32 = 0;
let wanted: i32 = 0;
let blockStart: i32 = 0;

/**
 * Begins with as many pictures as `ridgePictures` says. Offsets into the arena of the room, the head's weight [c,f], bias [c] and the weight's
 * gradient; rows before `first` are left as they are.
 */
export function ridgeBegin(room: u32, pictures: i32, f: i32, c: i32, w: u32, b: u32, g: u32, first: i32, roomBytes: u32): void {
  layOut(room, pictures, f, c, w, b, g, first, roomBytes);
  memory.fill(counts, 0, (<usize>c) << 3);
  memory.fill(mean, 0, (<usize>f) << 3);
  memory.fill(matrix, 0, (<usize>m * <usize>m) << 3);
  forget();
  step = Step.Mean;
  at = -1;
}

export function ridgeFound(i: Found): f64 {
  if (i == Found.Relative) return relativeLambda();
  if (i == Found.Lambda) return lambdaOf(chosen);
  if (i == Found.Factor) return factor;
  if (i == Found.LeftOut) return leftOut;
  if (i == Found.Right) return leftOut == 0 ? 0 : <f64>right / <f64>leftOut;
  return leftOut == 0 ? 0 : loss / <f64>leftOut;
}

/** Takes the row that was wanted, whose label is given, and says what is wanted next. */
export function ridgeNext(label: i32): i32 {
  if (at >= 0) {
    take(wanted, label);
    if (step == Step.Done) return Want.NotFinite;
  }
  do {
    at++;
    wanted = next();
    if (wanted >= 0) return wanted;
    if (!finish()) return Want.Constant;
    at = -1;
  } while (step != Step.Done);
  return Want.Nothing;
}

/** The row of this step's `at`-th turn; -1 where the step is over. */
function next(): i32 {
  if (step == Step.Gram && isDual) {
    // Of every block of rows, the rows from its first on.
    if (blockStart + at >= n) {
      blockStart += BLOCK;
      at = 0;
    }
    return blockStart < n ? blockStart + at : -1;
  }
  if (step == Step.Mean || step == Step.Gram) return at < n ? at : -1;
  if (step == Step.Weights) return isDual && at < n ? at : -1;
  if (isDual) return -1;
  if (step == Step.Targets) return at < n ? at : -1;
  while (at < n && !isLeftOut(at, asked())) at++;
  return at < n ? at : -1;
}

@inline function asked(): Asked {
  return step == Step.Choose ? Asked.Lambda : step == Step.Calibrate ? Asked.Factor : Asked.Margin;
}

function take(i: i32, label: i32): void {
  if (step == Step.Mean) return takeMean(i, label);
  centre();
  if (step == Step.Gram) {
    if (isDual) takePairs(i);
    else takeSquares(i);
  } else if (step == Step.Targets) {
    const to = gradient + ((<usize>label * <usize>features) << 2);
    for (let k: usize = 0; k < <usize>features; k++)
      store<f32>(to + (k << 2), <f32>(<f64>load<f32>(to + (k << 2)) + load<f64>(centred + (k << 3))));
  } else if (step == Step.Weights) addToWeights(i);
  else {
    project(centred, z);
    judge(i, asked(), z);
  }
}

function takeMean(i: i32, label: i32): void {
  store<i32>(labels + ((<usize>i) << 2), label);
  const count = counts + ((<usize>label) << 3);
  store<f64>(count, load<f64>(count) + 1);
  let sum: f64 = 0;
  for (let k: usize = 0; k < <usize>features; k++) {
    const x = <f64>load<f32>(rowAt + (k << 2));
    sum += x;
    store<f64>(mean + (k << 3), load<f64>(mean + (k << 3)) + x);
  }
  if (!isFinite<f64>(sum)) step = Step.Done;
}

/** [n,n]: products of row i with the block's rows. */
function takePairs(i: i32): void {
  const width = (<usize>features) << 3;
  const slot = i - blockStart;
  if (slot < BLOCK) memory.copy(block + <usize>slot * width, centred, width);
  for (let s = 0, last = min(slot, BLOCK - 1); s <= last; s++) {
    const j = blockStart + s;
    const product = dot(features, block + <usize>s * width, centred);
    store<f64>(matrix + ((<usize>i * <usize>n + <usize>j) << 3), product);
    store<f64>(matrix + ((<usize>j * <usize>n + <usize>i) << 3), product);
  }
}

/** [F,F]: products of the features with each other, a block of rows at a time, above the diagonal. */
function takeSquares(i: i32): void {
  const width = (<usize>features) << 3;
  const slot = i % BLOCK;
  memory.copy(block + <usize>slot * width, centred, width);
  if (slot + 1 < BLOCK && i + 1 < n) return;
  for (let a = 0; a < features; a++) {
    const o = (<usize>a) << 3;
    for (let s = 0; s <= slot; s++) {
      const row = block + <usize>s * width + o;
      addScaled(features - a, load<f64>(row), row, matrix + <usize>a * width + o);
    }
  }
}

/** The end of a step; false where there is nothing to learn from. */
function finish(): bool {
  if (step == Step.Mean) {
    for (let k: usize = 0; k < <usize>features; k++) store<f64>(mean + (k << 3), load<f64>(mean + (k << 3)) / <f64>n);
    blockStart = 0;
    if (!lookAtClasses()) return false;
    step = Step.Gram;
  } else if (step == Step.Gram) {
    if (!decompose()) return false;
    step = Step.Targets;
  } else if (step == Step.Targets) {
    makeTargets();
    step = Step.Choose;
    if (isDual) judgeAll(Asked.Lambda);
  } else if (step == Step.Choose) {
    step = chooseLambda() ? Step.Calibrate : Step.Margin;
    if (isDual) judgeAll(asked());
  } else if (step == Step.Calibrate || step == Step.Margin) {
    if (step == Step.Calibrate) calibrate();
    else factorByMargin();
    beginWeights();
    step = Step.Weights;
  } else {
    scaleRows();
    step = Step.Done;
  }
  return true;
}

/** The matrix becomes Q, T stands beside it with its factors for every λ. */
function decompose(): bool {
  if (!isDual)
    for (let a = 0; a < m; a++)
      for (let b = 0; b < a; b++)
        store<f64>(matrix + ((<usize>a * <usize>m + <usize>b) << 3), load<f64>(matrix + ((<usize>b * <usize>m + <usize>a) << 3)));
  let trace: f64 = 0;
  for (let i = 0; i < m; i++) trace += load<f64>(matrix + ((<usize>i * <usize>m + <usize>i) << 3));
  const diagonalMean = trace / <f64>n;
  setDiagonal(diagonalMean);
  let size: f64 = 0;
  for (let k: usize = 0; k < <usize>features; k++) size += load<f64>(mean + (k << 3)) * load<f64>(mean + (k << 3));
  // Below what f32 features can differ by there is only rounding.
  if (!(diagonalMean > 1e-12 * size) || !isFinite<f64>(diagonalMean)) return false;
  tridiagonalise(m, matrix, diagonal, beside, u, z);
  for (let l = 0; l < LAMBDAS; l++) factorise(m, lambdaOf(l), diagonal, beside, lineOf(l, 0), lineOf(l, 1));
  return true;
}

/** Qᵀ of what ridge regresses onto, class by class: of Ỹ, or of X̃ᵀỸ. */
function makeTargets(): void {
  for (let c = 0; c < classes; c++) {
    if (isDual) {
      memory.fill(z, 0, (<usize>m) << 3);
      for (let i = 0; i < n; i++) {
        const own = load<i32>(labels + ((<usize>i) << 2)) == c ? 1 : 0;
        addScaled(m, <f64>own - share(c), matrix + ((<usize>i * <usize>m) << 3), z);
      }
    } else {
      for (let k: usize = 0; k < <usize>features; k++) store<f64>(u + (k << 3), <f64>load<f32>(targets(c) + (k << 2)));
      project(u, z);
    }
    for (let k: usize = 0; k < <usize>m; k++) store<f32>(targets(c) + (k << 2), <f32>load<f64>(z + (k << 3)));
  }
}

/** From the targets to what each row of the head is a sum by: of pictures, or, by rows of Q, of features. */
function beginWeights(): void {
  for (let c = 0; c < classes; c++) {
    const to = targets(c);
    for (let k: usize = 0; k < <usize>m; k++) store<f64>(z + (k << 3), <f64>load<f32>(to + (k << 2)));
    solve(m, lineOf(chosen, 0), lineOf(chosen, 1), z, u);
    for (let k: usize = 0; k < <usize>m; k++) store<f32>(to + (k << 2), <f32>load<f64>(u + (k << 3)));
    if (c < firstRow) continue;
    const row = weight + ((<usize>c * <usize>features) << 2);
    if (isDual) memory.fill(row, 0, (<usize>features) << 2);
    else for (let k = 0; k < m; k++) store<f32>(row + ((<usize>k) << 2), <f32>dot(m, matrix + ((<usize>k * <usize>m) << 3), u));
  }
}

/** Picture i's part in every row that is written. */
function addToWeights(i: i32): void {
  for (let c = firstRow; c < classes; c++) {
    const part = dotF32(matrix + ((<usize>i * <usize>m) << 3), targets(c));
    const row = weight + ((<usize>c * <usize>features) << 2);
    for (let k: usize = 0; k < <usize>features; k++)
      store<f32>(row + (k << 2), <f32>(<f64>load<f32>(row + (k << 2)) + part * load<f64>(centred + (k << 3))));
  }
}

/** w_c·x of the mean. */
function atMean(c: i32): f64 {
  const row = weight + ((<usize>c * <usize>features) << 2);
  let sum: f64 = 0;
  for (let k: usize = 0; k < <usize>features; k++) sum += <f64>load<f32>(row + (k << 2)) * load<f64>(mean + (k << 3));
  return sum;
}

/** Confidence and biases; the gradients are zero again. Rows that join others get their size, and at the mean their mean logit. */
function scaleRows(): void {
  let written = 0;
  let shares: f64 = 0;
  let size: f64 = 0;
  for (let c = firstRow; c < classes; c++) {
    if (share(c) == 0) continue;
    written++;
    shares += share(c);
    size += sqrt<f64>(squareAbout(c, 0));
  }
  let level: f64 = 0;
  if (firstRow > 0 && size > 0) {
    // The mean of the older rows, in the room of a picture.
    memory.fill(centred, 0, (<usize>features) << 3);
    for (let c = 0; c < firstRow; c++) {
      const row = weight + ((<usize>c * <usize>features) << 2);
      level += (atMean(c) + <f64>load<f32>(bias + ((<usize>c) << 2))) / <f64>firstRow;
      for (let k: usize = 0; k < <usize>features; k++)
        store<f64>(centred + (k << 3), load<f64>(centred + (k << 3)) + <f64>load<f32>(row + (k << 2)) / <f64>firstRow);
    }
    let older: f64 = 0;
    for (let c = 0; c < firstRow; c++) older += sqrt<f64>(squareAbout(c, centred)) / <f64>firstRow;
    // Older rows that are all alike, as one alone is, have no size.
    if (older > 0) setFactor((older * <f64>written) / size);
  }
  const usual = written == 0 ? 0 : shares / <f64>written;
  for (let c = firstRow; c < classes; c++) {
    const row = weight + ((<usize>c * <usize>features) << 2);
    const isSeen = share(c) > 0;
    for (let k: usize = 0; k < <usize>features; k++)
      store<f32>(row + (k << 2), isSeen ? <f32>(factor * <f64>load<f32>(row + (k << 2))) : 0);
    store<f32>(bias + ((<usize>c) << 2), isSeen ? <f32>(level + factor * (share(c) - usual) - atMean(c)) : 0);
  }
  memory.fill(gradient, 0, (<usize>classes * <usize>features) << 2);
}

/** ‖w_c - about‖². */
function squareAbout(c: i32, about: usize): f64 {
  const row = weight + ((<usize>c * <usize>features) << 2);
  let sum: f64 = 0;
  for (let k: usize = 0; k < <usize>features; k++) {
    const d = <f64>load<f32>(row + (k << 2)) - (about == 0 ? 0 : load<f64>(about + (k << 3)));
    sum += d * d;
  }
  return sum;
}
