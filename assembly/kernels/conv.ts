export function conv(p: usize): void {}
export function convBackwardX(p: usize): void {}
export function convBackwardW(p: usize): void {}
