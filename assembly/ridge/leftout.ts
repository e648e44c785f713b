/** The head's regression (../ridge.ts): what it says of pictures that are left out, and from that λ and the factor on the logits. */
import { exp64, log64 } from '../engine/math';
import { dot, solve } from './tridiagonal';
import {
  classes,
  counts,
  dotF32,
  FACTORS,
  gradient,
  isDual,
  labels,
  LAMBDAS,
  lineOf,
  m,
  matrix,
  n,
  predicted,
  share,
  sums,
  targets,
  u,
} from './room';

/** Pictures left out one by one, at most, and the fewest of a class: of less than so many one is a large part. Half the classes must have so many. */
const MOST_LEFT_OUT: i32 = 1024;
const ENOUGH: f64 = 4;
/** Values of λ: √10 apart, from 1e-4 of the matrix's mean diagonal element on. The middle one where leaving out says nothing. */
const LEAST_LAMBDA: f64 = 1e-4;
const LAMBDA_STEP: f64 = 3.1622776601683795;
const USUAL_LAMBDA: i32 = 8;
/** Factors of the logits: √2 apart from 1/4 on. */
const LEAST_FACTOR: f64 = 0.25;
const FACTOR_STEP: f64 = 1.4142135623730951;
/** Where leaving out says nothing: what a picture's own logit stands above the mean of all. */
const MARGIN: f64 = 1;
/** What is asked of pictures: which λ, which factor, or, where leaving out says nothing, how far their own logits stand out. */
export const enum Asked {
  Lambda,
  Factor,
  Margin,
}

/** Whether leaving pictures out says something. */
export let canLeaveOut: bool = false;
export let leftOut: i32 = 0;
export let right: i32 = 0;
export let chosen: i32 = 0;
export let factor: f64 = 0;
export let loss: f64 = 0;
let leftOutInAll: i32 = 0;
let diagonalMean: f64 = 0;
let margin: f64 = 0;

export function forget(): void {
  leftOut = right = leftOutInAll = 0;
  chosen = USUAL_LAMBDA;
  factor = loss = margin = 0;
  memory.fill(sums, 0, (LAMBDAS + 3 * FACTORS) << 3);
}

/** Counts the classes; false where there is but one. */
export function lookAtClasses(): bool {
  let seen = 0;
  let large = 0;
  for (let c = 0; c < classes; c++) {
    seen += i32(load<f64>(counts + ((<usize>c) << 3)) > 0);
    large += i32(load<f64>(counts + ((<usize>c) << 3)) >= ENOUGH);
  }
  canLeaveOut = 2 * large >= seen;
  return seen > 1;
}

export function setDiagonal(mean: f64): void {
  diagonalMean = mean;
}
export function relativeLambda(): f64 {
  return lambdaOf(chosen) / diagonalMean;
}

/** After the λs: the one with the least squared error. False where no picture was left out. */
export function chooseLambda(): bool {
  if (leftOut == 0) return false;
  for (let l = 0; l < LAMBDAS; l++) if (load<f64>(sums + ((<usize>l) << 3)) < load<f64>(sums + ((<usize>chosen) << 3))) chosen = l;
  leftOutInAll = leftOut;
  leftOut = 0;
  return true;
}

/** Where nothing is left out: a factor by how far the own logits stand out. */
export function factorByMargin(): void {
  factor = margin > 0 ? (MARGIN * <f64>n) / margin : 1;
  leftOut = 0;
}
/** The factor to the size of an adapter's rows. */
export function setFactor(f: f64): void {
  factor = f;
}

/** Whether picture i is among those that are left out one by one. */
export function isLeftOut(i: i32, asked: Asked): bool {
  if (asked == Asked.Margin) return true;
  if (!canLeaveOut) return false;
  const most = min(n, MOST_LEFT_OUT);
  if ((<i64>(i + 1) * most) / n == (<i64>i * most) / n) return false;
  return load<f64>(counts + ((<usize>load<i32>(labels + ((<usize>i) << 2))) << 3)) >= ENOUGH;
}

@inline export function lambdaOf(l: i32): f64 {
  let lambda = LEAST_LAMBDA * diagonalMean;
  for (let i = 0; i < l; i++) lambda *= LAMBDA_STEP;
  return lambda;
}
@inline function factorOf(f: i32): f64 {
  let s = LEAST_FACTOR;
  for (let i = 0; i < f; i++) s *= FACTOR_STEP;
  return s;
}
export function judgeAll(asked: Asked): void {
  for (let i = 0; i < n; i++) if (isLeftOut(i, asked)) judge(i, asked, matrix + ((<usize>i * <usize>m) << 3));
}

/** Picture i, whose row or features are projected to `from`: what the others say of it. */
export function judge(i: i32, asked: Asked, from: usize): void {
  const label = load<i32>(labels + ((<usize>i) << 2));
  leftOut++;
  if (asked == Asked.Lambda) {
    for (let l = 0; l < LAMBDAS; l++) {
      predict(l, label, from);
      let sum = load<f64>(sums + ((<usize>l) << 3));
      for (let c = 0; c < classes; c++) {
        const error = load<f64>(predicted + ((<usize>c) << 3)) - (c == label ? 1 : 0);
        sum += error * error;
      }
      store<f64>(sums + ((<usize>l) << 3), sum);
    }
    return;
  }
  if (asked == Asked.Margin) {
    fit(chosen, label, from);
    let sum: f64 = 0;
    for (let c = 0; c < classes; c++) sum += load<f64>(predicted + ((<usize>c) << 3));
    margin += load<f64>(predicted + ((<usize>label) << 3)) - sum / <f64>classes;
    return;
  }
  predict(chosen, label, from);
  let best = 0;
  for (let c = 1; c < classes; c++) if (load<f64>(predicted + ((<usize>c) << 3)) > load<f64>(predicted + ((<usize>best) << 3))) best = c;
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
    all += load<f64>(predicted + ((<usize>c) << 3)) / <f64>classes;
    top = max(top, load<f64>(predicted + ((<usize>c) << 3)));
  }
  for (let f = 0; f < FACTORS; f++) {
    const s = factorOf(f);
    let sum: f64 = 0;
    for (let c = 0; c < classes; c++) sum += exp64(s * (load<f64>(predicted + ((<usize>c) << 3)) - top));
    const scale = log64(sum) + s * top;
    const own = scale - s * load<f64>(predicted + ((<usize>label) << 3));
    if (list == 2) addTo(losses(2) + ((<usize>f) << 3), own);
    else {
      // So that a finite factor is best even where all are right.
      addTo(losses(0) + ((<usize>f) << 3), own + (scale - s * all - own) / <f64>(leftOutInAll + 1));
      addTo(losses(1) + ((<usize>f) << 3), own);
    }
  }
}

@inline function losses(list: i32): usize {
  return sums + ((<usize>(LAMBDAS + list * FACTORS)) << 3);
}
@inline function addTo(p: usize, x: f64): void {
  store<f64>(p, load<f64>(p) + x);
}

/** Every class's prediction of a picture, made of all. */
function fit(l: i32, label: i32, from: usize): void {
  solve(m, lineOf(l, 0), lineOf(l, 1), from, u);
  for (let c = 0; c < classes; c++) {
    const part = dotF32(u, targets(c));
    store<f64>(predicted + ((<usize>c) << 3), isDual ? (c == label ? 1 : 0) - lambdaOf(l) * part : share(c) + part);
  }
}

/** The same of the picture that is left out: further from the truth by what the picture adds to its own fit. */
function predict(l: i32, label: i32, from: usize): void {
  fit(l, label, from);
  const own = dot(m, from, u);
  const left = max(isDual ? lambdaOf(l) * own - 1 / <f64>n : 1 - 1 / <f64>n - own, 1e-9);
  for (let c = 0; c < classes; c++) {
    const y: f64 = c == label ? 1 : 0;
    const at = predicted + ((<usize>c) << 3);
    store<f64>(at, y - (y - load<f64>(at)) / left);
  }
}

/**
 * The factor. The least cross-entropy of pictures left out: the best of the list, moved to the summit of the parabola through it and its
 * neighbours. Then the smaller one with which the cross-entropy of the pictures themselves is no less than that.
 */
export function calibrate(): void {
  const list = losses(0);
  let best = 0;
  for (let f = 1; f < FACTORS; f++) if (load<f64>(list + ((<usize>f) << 3)) < load<f64>(list + ((<usize>best) << 3))) best = f;
  factor = factorOf(best);
  loss = load<f64>(losses(1) + ((<usize>best) << 3));
  if (best > 0 && best < FACTORS - 1) {
    const least = load<f64>(list + ((<usize>best) << 3));
    const before = load<f64>(list + ((<usize>(best - 1)) << 3)) - least;
    const after = load<f64>(list + ((<usize>(best + 1)) << 3)) - least;
    // A step of the list is ×√2; √2^t for |t| ≤ ½ to four digits.
    const t = before + after > 0 ? (0.5 * (before - after)) / (before + after) : 0;
    factor *= 1 + t * (0.34657359 + t * 0.06005663);
  }
  const own = losses(2);
  for (let f = 0; f <= best; f++) {
    const here = load<f64>(own + ((<usize>f) << 3));
    if (here > loss) continue;
    if (f == 0) factor = LEAST_FACTOR;
    else {
      const before = load<f64>(own + ((<usize>(f - 1)) << 3));
      factor = min(factor, factorOf(f - 1) * (1 + ((FACTOR_STEP - 1) * (before - loss)) / (before - here)));
    }
    return;
  }
}
