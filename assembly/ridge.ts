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
import { Found, Want } from './abi/ridge';
import { exp64, log64 } from './math';
import { base } from './team';
import { addScaled, dot, factorise, solve, tridiagonalise } from './tridiagonal';

/** The largest side of the matrix, and the most pictures. */
const MOST_SIDE: i32 = 1024;
const MOST_PICTURES: i32 = 4096;
/** Pictures left out one by one, at most, and the fewest of a class: of less than so many one is a large part. Half the classes must have so many. */
const MOST_LEFT_OUT: i32 = 1024;
const ENOUGH: f64 = 4;
/** Values of λ: √10 apart, from 1e-4 of the matrix's mean diagonal element on. The middle one where leaving out says nothing. */
const LAMBDAS: i32 = 13;
const LEAST_LAMBDA: f64 = 1e-4;
const LAMBDA_STEP: f64 = 3.1622776601683795;
const USUAL_LAMBDA: i32 = 8;
/** Factors of the logits: √2 apart from 1/4 on. */
const FACTORS: i32 = 25;
const LEAST_FACTOR: f64 = 0.25;
const FACTOR_STEP: f64 = 1.4142135623730951;
/** Where leaving out says nothing: what a picture's own logit stands above the mean of all. */
const MARGIN: f64 = 1;
/** Rows that are worked on at a time. */
const BLOCK: i32 = 32;

const enum Step { Mean, Gram, Targets, Choose, Calibrate, Margin, Weights, Done }

let n: i32 = 0;
let features: i32 = 0;
let classes: i32 = 0;
let firstRow: i32 = 0;
let isDual: bool = false;
/** Side of the matrix. */
let m: i32 = 0;

// Addresses: the head's, then the room's parts in their order.
let weight: usize = 0;
let bias: usize = 0;
let gradient: usize = 0;
let rowAt: usize = 0;
let labels: usize = 0;
let counts: usize = 0;
let mean: usize = 0;
let centred: usize = 0;
let block: usize = 0;
let diagonal: usize = 0;
let beside: usize = 0;
let u: usize = 0;
let z: usize = 0;
let factors: usize = 0;
let predicted: usize = 0;
let sums: usize = 0;
let matrix: usize = 0;

// Where it stands.
let step: Step = Step.Done;
let at: i32 = 0;
let wanted: i32 = 0;
let blockStart: i32 = 0;
let canLeaveOut: bool = false;
let leftOut: i32 = 0;
let leftOutInAll: i32 = 0;
let right: i32 = 0;
let chosen: i32 = 0;
let diagonalMean: f64 = 0;
let factor: f64 = 0;
let loss: f64 = 0;
let margin: f64 = 0;

@inline function align(bytes: i64): i64 {
  return (bytes + 15) & ~15;
}

/** Bytes of everything but the matrix, for `side` of it. */
function besides(pictures: i64, f: i64, c: i64, side: i64): i64 {
  return align(f << 2) + align(pictures << 2) + 2 * align(c << 3) + 2 * align(f << 3) + align((BLOCK * f) << 3) + 4 * align(side << 3)
    + 2 * LAMBDAS * align(side << 3) + align((LAMBDAS + 3 * FACTORS) << 3);
}
function fits(room: i64, pictures: i64, f: i64, c: i64, side: i64): bool {
  return side <= MOST_SIDE && besides(pictures, f, c, side) + ((side * side) << 3) <= room;
}

/** How many of n pictures can be taken, in so much room; 0: none. */
export function ridgePictures(room: u32, pictures: i32, f: i32, c: i32): i32 {
  const most = min(pictures, MOST_PICTURES);
  if (f <= most && fits(room, most, f, c, f)) return most;
  let side = min(most, min(f - 1, MOST_SIDE));
  while (side > 0 && !fits(room, side, f, c, side)) side--;
  return side < 2 || side < c ? 0 : side;
}

/**
 * Begins with as many pictures as `ridgePictures` says. Offsets into the arena of the room, the head's weight [c,f], bias [c] and the weight's
 * gradient; rows before `first` are left as they are.
 */
export function ridgeBegin(room: u32, pictures: i32, f: i32, c: i32, w: u32, b: u32, g: u32, first: i32, roomBytes: u32): void {
  n = pictures;
  features = f;
  classes = c;
  firstRow = first;
  isDual = n < f || !fits(roomBytes, n, f, c, f);
  m = isDual ? n : f;
  weight = base + w;
  bias = base + b;
  gradient = base + g;
  let top = base + room;
  rowAt = top;
  top += <usize>align(<i64>f << 2);
  labels = top;
  top += <usize>align(<i64>n << 2);
  counts = top;
  top += <usize>align(<i64>c << 3);
  predicted = top;
  top += <usize>align(<i64>c << 3);
  mean = top;
  top += <usize>align(<i64>f << 3);
  centred = top;
  top += <usize>align(<i64>f << 3);
  block = top;
  top += <usize>align((<i64>BLOCK * f) << 3);
  const line = <usize>align(<i64>m << 3);
  diagonal = top;
  beside = top + line;
  u = top + 2 * line;
  z = top + 3 * line;
  factors = top + 4 * line;
  top += (4 + 2 * LAMBDAS) * line;
  sums = top;
  top += <usize>align((LAMBDAS + 3 * FACTORS) << 3);
  matrix = top;
  memory.fill(counts, 0, <usize>c << 3);
  memory.fill(mean, 0, <usize>f << 3);
  memory.fill(matrix, 0, (<usize>m * <usize>m) << 3);
  memory.fill(sums, 0, (LAMBDAS + 3 * FACTORS) << 3);
  leftOut = right = 0;
  chosen = USUAL_LAMBDA;
  factor = loss = margin = 0;
  step = Step.Mean;
  at = -1;
}

/** Where the wanted row, f32, goes; an offset. */
export function ridgeRow(): u32 {
  return <u32>(rowAt - base);
}

export function ridgeFound(i: Found): f64 {
  if (i == Found.Relative) return lambdaOf(chosen) / diagonalMean;
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
  while (at < n && !isLeftOut(at)) at++;
  return at < n ? at : -1;
}

/** Whether picture i is among those that are left out one by one. */
function isLeftOut(i: i32): bool {
  if (step == Step.Margin) return true;
  if (!canLeaveOut) return false;
  const most = min(n, MOST_LEFT_OUT);
  if ((<i64>(i + 1) * most) / n == (<i64>i * most) / n) return false;
  return load<f64>(counts + (<usize>load<i32>(labels + (<usize>i << 2)) << 3)) >= ENOUGH;
}

function take(i: i32, label: i32): void {
  if (step == Step.Mean) return takeMean(i, label);
  centre();
  if (step == Step.Gram) {
    if (isDual) takePairs(i);
    else takeSquares(i);
  } else if (step == Step.Targets) {
    const to = gradient + ((<usize>label * <usize>features) << 2);
    for (let k: usize = 0; k < <usize>features; k++) store<f32>(to + (k << 2), <f32>(<f64>load<f32>(to + (k << 2)) + load<f64>(centred + (k << 3))));
  } else if (step == Step.Weights) addToWeights(i);
  else {
    project(centred, z);
    judge(i, z);
  }
}

function takeMean(i: i32, label: i32): void {
  store<i32>(labels + (<usize>i << 2), label);
  const count = counts + (<usize>label << 3);
  store<f64>(count, load<f64>(count) + 1);
  let sum: f64 = 0;
  for (let k: usize = 0; k < <usize>features; k++) {
    const x = <f64>load<f32>(rowAt + (k << 2));
    sum += x;
    store<f64>(mean + (k << 3), load<f64>(mean + (k << 3)) + x);
  }
  if (!isFinite<f64>(sum)) step = Step.Done;
}

function centre(): void {
  for (let k: usize = 0; k < <usize>features; k++) store<f64>(centred + (k << 3), <f64>load<f32>(rowAt + (k << 2)) - load<f64>(mean + (k << 3)));
}

/** [n,n]: products of row i with the block's rows. */
function takePairs(i: i32): void {
  const width = <usize>features << 3;
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
  const width = <usize>features << 3;
  const slot = i % BLOCK;
  memory.copy(block + <usize>slot * width, centred, width);
  if (slot + 1 < BLOCK && i + 1 < n) return;
  for (let a = 0; a < features; a++) {
    const o = <usize>a << 3;
    for (let s = 0; s <= slot; s++) {
      const row = block + <usize>s * width + o;
      addScaled(features - a, load<f64>(row), row, matrix + <usize>a * width + o);
    }
  }
}

/** z = Qᵀ x: rows of Q, each times its x. */
function project(x: usize, to: usize): void {
  memory.fill(to, 0, <usize>m << 3);
  for (let k = 0; k < m; k++) addScaled(m, load<f64>(x + (<usize>k << 3)), matrix + ((<usize>k * <usize>m) << 3), to);
}

@inline function lambdaOf(l: i32): f64 {
  let lambda = LEAST_LAMBDA * diagonalMean;
  for (let i = 0; i < l; i++) lambda *= LAMBDA_STEP;
  return lambda;
}
@inline function factorOf(f: i32): f64 {
  let s = LEAST_FACTOR;
  for (let i = 0; i < f; i++) s *= FACTOR_STEP;
  return s;
}
@inline function lineOf(l: i32, which: i32): usize {
  return factors + <usize>(2 * l + which) * <usize>align(<i64>m << 3);
}
@inline function share(c: i32): f64 {
  return load<f64>(counts + (<usize>c << 3)) / <f64>n;
}
/** What the targets of class c are projected to, f32[m]. */
@inline function targets(c: i32): usize {
  return gradient + ((<usize>c * <usize>features) << 2);
}
/** Σ x[i]·y[i], y f32. */
function dotF32(x: usize, y: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < <usize>m; i++) sum += load<f64>(x + (i << 3)) * <f64>load<f32>(y + (i << 2));
  return sum;
}

/** The end of a step; false where there is nothing to learn from. */
function finish(): bool {
  if (step == Step.Mean) {
    for (let k: usize = 0; k < <usize>features; k++) store<f64>(mean + (k << 3), load<f64>(mean + (k << 3)) / <f64>n);
    blockStart = 0;
    let seen = 0;
    let large = 0;
    for (let c = 0; c < classes; c++) {
      seen += i32(load<f64>(counts + (<usize>c << 3)) > 0);
      large += i32(load<f64>(counts + (<usize>c << 3)) >= ENOUGH);
    }
    if (seen < 2) return false;
    canLeaveOut = 2 * large >= seen;
    step = Step.Gram;
  } else if (step == Step.Gram) {
    if (!decompose()) return false;
    step = Step.Targets;
  } else if (step == Step.Targets) {
    makeTargets();
    step = Step.Choose;
    if (isDual) judgeAll();
  } else if (step == Step.Choose) {
    if (leftOut == 0) step = Step.Margin;
    else {
      for (let l = 0; l < LAMBDAS; l++) if (load<f64>(sums + (<usize>l << 3)) < load<f64>(sums + (<usize>chosen << 3))) chosen = l;
      step = Step.Calibrate;
    }
    leftOutInAll = leftOut;
    leftOut = 0;
    if (isDual) judgeAll();
  } else if (step == Step.Calibrate || step == Step.Margin) {
    if (step == Step.Calibrate) calibrate();
    else {
      factor = margin > 0 ? (MARGIN * <f64>n) / margin : 1;
      leftOut = 0;
    }
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
  diagonalMean = trace / <f64>n;
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
      memory.fill(z, 0, <usize>m << 3);
      for (let i = 0; i < n; i++) {
        const own = load<i32>(labels + (<usize>i << 2)) == c ? 1 : 0;
        addScaled(m, <f64>own - share(c), matrix + ((<usize>i * <usize>m) << 3), z);
      }
    } else {
      for (let k: usize = 0; k < <usize>features; k++) store<f64>(u + (k << 3), <f64>load<f32>(targets(c) + (k << 2)));
      project(u, z);
    }
    for (let k: usize = 0; k < <usize>m; k++) store<f32>(targets(c) + (k << 2), <f32>load<f64>(z + (k << 3)));
  }
}

function judgeAll(): void {
  for (let i = 0; i < n; i++) if (isLeftOut(i)) judge(i, matrix + ((<usize>i * <usize>m) << 3));
}

/** Picture i, whose row or features are projected to `from`: what the others say of it. */
function judge(i: i32, from: usize): void {
  const label = load<i32>(labels + (<usize>i << 2));
  leftOut++;
  if (step == Step.Choose) {
    for (let l = 0; l < LAMBDAS; l++) {
      predict(l, label, from);
      let sum = load<f64>(sums + (<usize>l << 3));
      for (let c = 0; c < classes; c++) {
        const error = load<f64>(predicted + (<usize>c << 3)) - (c == label ? 1 : 0);
        sum += error * error;
      }
      store<f64>(sums + (<usize>l << 3), sum);
    }
    return;
  }
  if (step == Step.Margin) {
    fit(chosen, label, from);
    let sum: f64 = 0;
    for (let c = 0; c < classes; c++) sum += load<f64>(predicted + (<usize>c << 3));
    margin += load<f64>(predicted + (<usize>label << 3)) - sum / <f64>classes;
    return;
  }
  predict(chosen, label, from);
  let best = 0;
  for (let c = 1; c < classes; c++) if (load<f64>(predicted + (<usize>c << 3)) > load<f64>(predicted + (<usize>best << 3))) best = c;
  if (best == label) right++;
  addLosses(label, 0);
  fit(chosen, label, from);
  addLosses(label, 2);
}

/** Adds the cross-entropy of the predictions under every factor: to list 0 with one picture more that is of any class, to list 1 as it is; or to list 2. */
function addLosses(label: i32, list: i32): void {
  let all: f64 = 0;
  let top = load<f64>(predicted);
  for (let c = 0; c < classes; c++) {
    all += load<f64>(predicted + (<usize>c << 3)) / <f64>classes;
    top = max(top, load<f64>(predicted + (<usize>c << 3)));
  }
  for (let f = 0; f < FACTORS; f++) {
    const s = factorOf(f);
    let sum: f64 = 0;
    for (let c = 0; c < classes; c++) sum += exp64(s * (load<f64>(predicted + (<usize>c << 3)) - top));
    const scale = log64(sum) + s * top;
    const own = scale - s * load<f64>(predicted + (<usize>label << 3));
    if (list == 2) addTo(losses(2) + (<usize>f << 3), own);
    else {
      // So that a finite factor is best even where all are right.
      addTo(losses(0) + (<usize>f << 3), own + (scale - s * all - own) / <f64>(leftOutInAll + 1));
      addTo(losses(1) + (<usize>f << 3), own);
    }
  }
}

@inline function losses(list: i32): usize {
  return sums + (<usize>(LAMBDAS + list * FACTORS) << 3);
}
@inline function addTo(p: usize, x: f64): void {
  store<f64>(p, load<f64>(p) + x);
}

/** Every class's prediction of a picture, made of all. */
function fit(l: i32, label: i32, from: usize): void {
  solve(m, lineOf(l, 0), lineOf(l, 1), from, u);
  for (let c = 0; c < classes; c++) {
    const part = dotF32(u, targets(c));
    store<f64>(predicted + (<usize>c << 3), isDual ? (c == label ? 1 : 0) - lambdaOf(l) * part : share(c) + part);
  }
}

/** The same of the picture that is left out: further from the truth by what the picture adds to its own fit. */
function predict(l: i32, label: i32, from: usize): void {
  fit(l, label, from);
  const own = dot(m, from, u);
  const left = max(isDual ? lambdaOf(l) * own - 1 / <f64>n : 1 - 1 / <f64>n - own, 1e-9);
  for (let c = 0; c < classes; c++) {
    const y: f64 = c == label ? 1 : 0;
    const at = predicted + (<usize>c << 3);
    store<f64>(at, y - (y - load<f64>(at)) / left);
  }
}

/**
 * The factor. The least cross-entropy of pictures left out: the best of the list, moved to the summit of the parabola through it and its
 * neighbours. Then the smaller one with which the cross-entropy of the pictures themselves is no less than that.
 */
function calibrate(): void {
  const list = losses(0);
  let best = 0;
  for (let f = 1; f < FACTORS; f++) if (load<f64>(list + (<usize>f << 3)) < load<f64>(list + (<usize>best << 3))) best = f;
  factor = factorOf(best);
  loss = load<f64>(losses(1) + (<usize>best << 3));
  if (best > 0 && best < FACTORS - 1) {
    const least = load<f64>(list + (<usize>best << 3));
    const before = load<f64>(list + (<usize>(best - 1) << 3)) - least;
    const after = load<f64>(list + (<usize>(best + 1) << 3)) - least;
    // A step of the list is ×√2; √2^t for |t| ≤ ½ to four digits.
    const t = before + after > 0 ? (0.5 * (before - after)) / (before + after) : 0;
    factor *= 1 + t * (0.34657359 + t * 0.06005663);
  }
  const own = losses(2);
  for (let f = 0; f <= best; f++) {
    const here = load<f64>(own + (<usize>f << 3));
    if (here > loss) continue;
    if (f == 0) factor = LEAST_FACTOR;
    else {
      const before = load<f64>(own + (<usize>(f - 1) << 3));
      factor = min(factor, factorOf(f - 1) * (1 + ((FACTOR_STEP - 1) * (before - loss)) / (before - here)));
    }
    return;
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
    if (isDual) memory.fill(row, 0, <usize>features << 2);
    else for (let k = 0; k < m; k++) store<f32>(row + (<usize>k << 2), <f32>dot(m, matrix + ((<usize>k * <usize>m) << 3), u));
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
    memory.fill(centred, 0, <usize>features << 3);
    for (let c = 0; c < firstRow; c++) {
      const row = weight + ((<usize>c * <usize>features) << 2);
      level += (atMean(c) + <f64>load<f32>(bias + (<usize>c << 2))) / <f64>firstRow;
      for (let k: usize = 0; k < <usize>features; k++)
        store<f64>(centred + (k << 3), load<f64>(centred + (k << 3)) + <f64>load<f32>(row + (k << 2)) / <f64>firstRow);
    }
    let older: f64 = 0;
    for (let c = 0; c < firstRow; c++) older += sqrt<f64>(squareAbout(c, centred)) / <f64>firstRow;
    // Older rows that are all alike, as one alone is, have no size.
    if (older > 0) factor = (older * <f64>written) / size;
  }
  const usual = written == 0 ? 0 : shares / <f64>written;
  for (let c = firstRow; c < classes; c++) {
    const row = weight + ((<usize>c * <usize>features) << 2);
    const isSeen = share(c) > 0;
    for (let k: usize = 0; k < <usize>features; k++) store<f32>(row + (k << 2), isSeen ? <f32>(factor * <f64>load<f32>(row + (k << 2))) : 0);
    store<f32>(bias + (<usize>c << 2), isSeen ? <f32>(level + factor * (share(c) - usual) - atMean(c)) : 0);
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
