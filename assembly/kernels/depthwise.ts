export function depthwise(p: usize): void {}
export function depthwiseBackwardX(p: usize): void {}
export function depthwiseBackwardW(p: usize): void {}
