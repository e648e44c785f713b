export function sumSquares(p: usize): void {}
export function schedule(p: usize): void {}
export function adamW(p: usize): void {}
export function sgd(p: usize): void {}
