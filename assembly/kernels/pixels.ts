export function pixels(p: usize): void {}
