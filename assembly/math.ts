/** Writes the math constants into the head; called once by `setup`. */
export function writeConstants(): void {}
