/** The status of the running walk: kernels call `fail`, the walker looks after every instruction. */
export let status: i32 = 0;

export function fail(code: i32): void {
  if (status == 0) status = code;
}

export function clearStatus(): void {
  status = 0;
}
