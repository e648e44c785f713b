/** What a request is refused with: a status, a sentence, and headers that belong to it (`allow`, `retry-after`, `www-authenticate`). */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Trying again may do after so many seconds. */
export const retryAfter = (seconds: number): { 'retry-after': string } => ({ 'retry-after': String(seconds) });
