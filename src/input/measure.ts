/**
 * The mean and the deviation of each channel over examples, as a normalisation: in one pass, example by example in their order, by Chan's sums,
 * so that neither large means nor many examples cost digits, and every machine finds the same.
 */

export interface ChannelNumbers {
  mean: number[];
  std: number[];
  /** Channels that never change: their deviation is taken as 1. */
  constant: number[];
}

export interface ChannelSums {
  /** Adds one example, [positions, channels]. */
  add(values: ArrayLike<number>): void;
  result(): ChannelNumbers;
}

export function channelSums(channels: number): ChannelSums {
  let count = 0;
  const means = new Float64Array(channels);
  const squares = new Float64Array(channels);
  return {
    add(values) {
      const n = values.length / channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = c; i < values.length; i += channels) sum += values[i]!;
        const mean = sum / n;
        let square = 0;
        for (let i = c; i < values.length; i += channels) {
          const d = values[i]! - mean;
          square += d * d;
        }
        const apart = mean - means[c]!;
        const all = count + n;
        means[c] = means[c]! + (apart * n) / all;
        squares[c] = squares[c]! + square + (apart * apart * count * n) / all;
      }
      count += n;
    },
    result() {
      // A root is rounded alike everywhere. Seven digits are what a person reads, and all that f32 keeps.
      const seven = (x: number): number => Number(x.toPrecision(7));
      const std = Array.from(squares, (s) => seven(Math.sqrt(s / count)));
      return {
        mean: Array.from(means, seven),
        std: std.map((s) => (s > 0 ? s : 1)),
        constant: std.flatMap((s, c) => (s > 0 ? [] : [c])),
      };
    },
  };
}
