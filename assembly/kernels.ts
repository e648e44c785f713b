/** The test and benchmark build: single kernels without a program around them. */
import { cdf4, constants, erf4, exp4, sigmoid4, tanh4 } from './engine/math';

export { gemmNN, gemmNT, gemmTN } from './kernels/gemm';
export { im2colDepthwise } from './bench/im2col';
export * from './index';
export { cosPi, exp64, log64 } from './engine/math';
export { normalAt, random } from './engine/random';

/** y[n] = f(x[n]) of one vector function (0 exp, 1 cdf, 2 erf, 3 tanh, 4 sigmoid), n a multiple of 4. */
export function vector(f: i32, x: usize, y: usize, n: i32): void {
  const t = constants();
  for (let i: usize = 0; i < (<usize>n) << 2; i += 16) {
    const v = v128.load(x + i);
    if (f == 0) v128.store(y + i, exp4(v, t));
    else if (f == 1) v128.store(y + i, cdf4(v, t));
    else if (f == 2) v128.store(y + i, erf4(v, t));
    else if (f == 3) v128.store(y + i, tanh4(v, t));
    else v128.store(y + i, sigmoid4(v, t));
  }
}
