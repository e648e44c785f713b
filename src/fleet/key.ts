/**
 * Who a node is: a key of its own on the curve P-384. The private half never leaves its file, which nobody else may read; the public half goes with
 * every call, beside the moment of the call signed with the private one.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { digest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import { fileExists, makeFolder, writeAtomic, writeText } from '../base/files.ts';
import { readLimitedText } from '../base/reading.ts';

/** A node's key. */
export interface NodeKey {
  /** The public half as PEM, as it is registered with a server. */
  publicPem: Uint8Array<ArrayBuffer>;
  /** The public half as OpenSSH writes it, the form that `flwr supernode register` takes. */
  publicLine: string;
  /** The first 16 hex digits of the public half's SHA-256: a name for logs. */
  fingerprint: string;
  /** 32 bytes that follow from the private half, for what nobody else may foretell. */
  secret: Uint8Array;
  /** Signs a text: ECDSA over its SHA-256, in base64. */
  sign(text: string): string;
}

/** Who may read a private key: its owner. */
const OWNER = 0o600;

/** Reads the key, or makes one where the file is not there: the private half at `path`, the public one at `path`.pub for who registers it. */
export function openKey(path: string): NodeKey {
  if (!fileExists(path)) makeKey(path);
  const { mode } = statSync(path);
  // Windows has no such bits.
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new InputError({
      where: path,
      what: 'the private key can be read by others',
      got: (mode & 0o777).toString(8),
      expected: OWNER.toString(8),
      hint: `chmod 600 ${path}`,
    });
  const text = readLimitedText(path, 1 << 14, 'a private key');
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // The system's own message may quote what it could not read.
    throw new InputError({ where: path, what: 'holds no private key', expected: 'PEM, as s2a fleet key writes it' });
  }
  const curve = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : key.asymmetricKeyType;
  if (curve !== 'secp384r1' && curve !== 'P-384')
    throw new InputError({ where: path, what: 'holds a key of another kind', got: curve ?? 'unknown', expected: 'P-384 (secp384r1)' });
  const half = createPublicKey(key);
  return {
    publicPem: new TextEncoder().encode(half.export({ type: 'spki', format: 'pem' }) as string),
    publicLine: opensshLine(half),
    fingerprint: digest(half.export({ type: 'spki', format: 'der' })).slice(0, 16),
    secret: createHash('sha256')
      .update('s2a noise')
      .update(key.export({ type: 'pkcs8', format: 'der' }))
      .digest(),
    sign: (said) => sign('sha256', new TextEncoder().encode(said), key).toString('base64'),
  };
}

function makeKey(path: string): void {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
  makeFolder(dirname(path));
  const pem = new TextEncoder().encode(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  writeText(`${path}.pub`, `${opensshLine(publicKey)}\n`);
  // Last: a key that is there has its other half beside it.
  writeAtomic(path, (write) => write(pem), OWNER);
}

const SSH_KIND = 'ecdsa-sha2-nistp384';
const SSH_CURVE = 'nistp384';

/** kind, curve and point, each behind its length (u32, the highest byte first), in base64: RFC 5656, section 3.1. */
function opensshLine(half: KeyObject): string {
  const { x = '', y = '' } = half.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const parts = [Buffer.from(SSH_KIND), Buffer.from(SSH_CURVE), point].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `${SSH_KIND} ${Buffer.concat(parts).toString('base64')} s2a`;
}
