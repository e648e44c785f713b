/** The test and benchmark build: single kernels without a program around them. */
export { gemmNN, gemmNT, gemmTN } from './kernels/gemm';
export * from './index';
