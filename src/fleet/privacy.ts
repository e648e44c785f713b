/**
 * Differential privacy on the board: what a node changes is shortened to a largest length, and noise is added to each number before it leaves.
 *
 *     answer = global + min(1, clip / ‖update‖) · update + noise · n,   n standard normal
 *
 * The noise is a function of a counter, the message and a secret that never leaves the node: a round that is done again after a kill sends the same bytes,
 * and who knows the message alone cannot take the noise away. Normal numbers are drawn by comparisons of uniform ones alone (von Neumann 1951 for the
 * exponential and for events of probability e^-t, then rejection), so no runtime's logarithm has a part in them.
 */
import { createHash } from 'node:crypto';
import type { Tensors } from './tensors.ts';

/** 53 bits of chance as a number in [0, 1). */
type Uniform = () => number;

/** Uniform numbers from SHA-256 of the secret, a name and a counter: four of each hash. */
export function uniformOf(secret: Uint8Array, name: string): Uniform {
  let [block, at] = [Buffer.alloc(0), 0];
  let counter = 0;
  return () => {
    if (at === block.length) {
      block = createHash('sha256').update(secret).update(`${name} ${counter++}`).digest();
      at = 0;
    }
    const value = Number(block.readBigUInt64LE(at) >> 11n) / 2 ** 53;
    at += 8;
    return value;
  };
}

/** True with probability e^-t, 0 ≤ t ≤ 1: a run of events of probability t/1, t/2, t/3 … that ends after an even number of them. */
function chanceOf(t: number, uniform: Uniform): boolean {
  let k = 1;
  while (uniform() * k < t) k++;
  return k % 2 === 1;
}

/** The same for any t ≥ 0. */
function chanceOfAny(t: number, uniform: Uniform): boolean {
  for (let left = t; ; left--) {
    if (left <= 1) return chanceOf(left, uniform);
    if (!chanceOf(1, uniform)) return false;
  }
}

/** A number of density e^-x: the fraction by rejection, the whole part by how often an event of probability 1/e happens in a row. */
function exponential(uniform: Uniform): number {
  let fraction = uniform();
  while (!chanceOf(fraction, uniform)) fraction = uniform();
  let whole = 0;
  while (chanceOf(1, uniform)) whole++;
  return whole + fraction;
}

/** A standard normal number. */
export function normal(uniform: Uniform): number {
  for (;;) {
    const x = exponential(uniform);
    if (chanceOfAny(((x - 1) * (x - 1)) / 2, uniform)) return uniform() < 0.5 ? -x : x;
  }
}

/** Shortens what `learnt` differs from `before`, tensor by tensor of the same shapes, and adds noise, in place. clip 0: as long as it is; noise: the standard deviation. */
export function makePrivate(learnt: Tensors, before: Tensors, { clip, noise }: { clip: number; noise: number }, uniform: Uniform): void {
  let squares = 0;
  for (const [name, { values }] of learnt) {
    const from = before.get(name)!.values;
    for (let i = 0; i < values.length; i++) squares += (values[i]! - from[i]!) * (values[i]! - from[i]!);
  }
  const length = Math.sqrt(squares);
  const factor = clip > 0 && length > clip ? clip / length : 1;
  for (const [name, { values }] of learnt) {
    const from = before.get(name)!.values;
    for (let i = 0; i < values.length; i++)
      values[i] = from[i]! + factor * (values[i]! - from[i]!) + (noise > 0 ? noise * normal(uniform) : 0);
  }
}
