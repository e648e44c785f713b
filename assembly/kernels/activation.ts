export function activation(p: usize): void {}
export function activationBackward(p: usize): void {}
