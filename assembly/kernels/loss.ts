export function crossEntropy(p: usize): void {}
