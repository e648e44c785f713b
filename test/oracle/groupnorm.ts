/** Group norm in f64 on maps [B,P,C]. */
type Numbers = ArrayLike<number>;

export interface Shape {
  batch: number;
  positions: number;
  c: number;
  groups: number;
}

/** Calls `work` for every group of every picture with the indices of its elements. */
function eachGroup({ batch, positions, c, groups }: Shape, work: (group: number, at: number[]) => void): void {
  const d = c / groups;
  for (let b = 0; b < batch; b++)
    for (let g = 0; g < groups; g++) {
      const at: number[] = [];
      for (let p = 0; p < positions; p++) for (let i = 0; i < d; i++) at.push((b * positions + p) * c + g * d + i);
      work(b * groups + g, at);
    }
}

/** Mean and rstd, [B,groups,2]. */
export function groupStats(shape: Shape, x: Numbers, eps: number): Float64Array {
  const stats = new Float64Array(shape.batch * shape.groups * 2);
  eachGroup(shape, (group, at) => {
    const mean = at.reduce((sum, i) => sum + x[i]!, 0) / at.length;
    const variance = at.reduce((sum, i) => sum + (x[i]! - mean) ** 2, 0) / at.length;
    stats.set([mean, 1 / Math.sqrt(variance + eps)], 2 * group);
  });
  return stats;
}

export function normalised(shape: Shape, x: Numbers, stats: Numbers): Float64Array {
  const xhat = new Float64Array(x.length);
  eachGroup(shape, (group, at) => {
    for (const i of at) xhat[i] = (x[i]! - stats[2 * group]!) * stats[2 * group + 1]!;
  });
  return xhat;
}

/** Gradients of Σ dy·(x̂·gamma + beta), the statistics being x's own. */
export function groupNormBackward(shape: Shape, xhat: Numbers, stats: Numbers, gamma: Numbers, dy: Numbers) {
  const { c } = shape;
  const [dx, dgamma, dbeta] = [new Float64Array(dy.length), new Float64Array(c), new Float64Array(c)];
  eachGroup(shape, (group, at) => {
    const g = (i: number): number => dy[i]! * gamma[i % c]!;
    const meanG = at.reduce((sum, i) => sum + g(i), 0) / at.length;
    const meanX = at.reduce((sum, i) => sum + g(i) * xhat[i]!, 0) / at.length;
    for (const i of at) {
      dx[i] = stats[2 * group + 1]! * (g(i) - meanG - xhat[i]! * meanX);
      dgamma[i % c]! += dy[i]! * xhat[i]!;
      dbeta[i % c]! += dy[i]!;
    }
  });
  return { dx, dgamma, dbeta };
}
