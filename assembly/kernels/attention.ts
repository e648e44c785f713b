export function attention(p: usize): void {}
export function attentionBackward(p: usize): void {}
