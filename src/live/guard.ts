/** Who may ask: a token for more than this machine alone, and no web page of another place in the name of someone's browser. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { InputError } from '../base/error.ts';
import { fileExists, makeFolder, writeAtomic } from '../base/files.ts';
import { readLimitedText } from '../base/reading.ts';
import { HttpError } from './httperror.ts';

/** Shorter tokens can be tried out. */
const LEAST_CHARACTERS = 16;

/** Whether an address, or the name in a request's Host, is this machine's own and nobody else's; IPv6 stands in brackets there. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);

/** The token in a file, which is made with a new one where it is not there. InputError for one that is too short, or holds what a header cannot. */
export function openToken(path: string): { token: string; isNew: boolean } {
  if (fileExists(path)) {
    const token = readLimitedText(path, 1 << 12, 'a token').trim();
    if (token.length < LEAST_CHARACTERS || !/^[\x21-\x7e]+$/.test(token))
      throw new InputError(
        {
          where: path,
          what: 'is no token',
          got: `${token.length} characters`,
          expected: `${LEAST_CHARACTERS} or more printable ones, without spaces`,
        },
        'S2A_OPTION',
      );
    return { token, isNew: false };
  }
  const token = randomBytes(24).toString('base64url');
  makeFolder(dirname(path));
  // Its owner's alone from its first moment on.
  writeAtomic(path, (write) => write(new TextEncoder().encode(`${token}\n`)), 0o600);
  return { token, isNew: true };
}

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();

/** Refuses (HttpError) who may not ask. */
export function createGuard(token: string | undefined): (request: IncomingMessage) => void {
  const wanted = token === undefined ? undefined : sha256(token);
  return ({ headers }) => {
    const { host = '', origin } = headers;
    // A page elsewhere may send requests through its reader's browser, which says where the page is from.
    if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host)
      throw new HttpError(403, `a page of ${origin} may not ask here`);
    if (wanted === undefined) {
      // Without a token only names of this machine count: another one that leads here is someone's trick (DNS rebinding).
      if (!isLoopback(host.replace(/:\d+$/, '')))
        throw new HttpError(403, `${host || 'no name'} is not a name of this machine; --token serves others`);
      return;
    }
    const given = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    // Digests of the same length are compared in the same time, whatever was given.
    if (!timingSafeEqual(sha256(given ?? ''), wanted))
      throw new HttpError(401, given === undefined ? 'a token is needed: Authorization: Bearer …' : 'the token is wrong', {
        'www-authenticate': 'Bearer',
      });
  };
}
