export function layerNorm(p: usize): void {}
export function layerNormBackward(p: usize): void {}
export function layerNormBackwardW(p: usize): void {}
