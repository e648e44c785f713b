/** What a request is refused with: a status, a sentence, and where trying again may do, after how many seconds. */
export class HttpError extends Error {
  readonly status: number;
  readonly retryAfter: number | undefined;
  constructor(status: number, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
