export function pool(p: usize): void {}
export function poolBackward(p: usize): void {}
