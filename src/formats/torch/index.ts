/**
 * Files of torch.save (.pth, .pt, .bin) as weights. Such a file is seen as the safetensors file that
 * `safetensors.torch.save_file(weights, path, {'format': 'pt'})` would make of it: the same header, and every tensor read by ranges where it
 * lies. So all that reads safetensors reads these, and an adapter knows both by one digest.
 *
 *     since PyTorch 1.6    a zip archive, nothing compressed: name/data.pkl, name/byteorder, name/data/0, name/data/1, …
 *     before               pickles one behind the other (magic number, version, machine, checkpoint, keys), then each storage with its length
 */
import { InputError } from '../../base/error.ts';
import { type ByteSource, openFile } from '../../base/files.ts';
import { refusePretender } from '../../base/placeholder.ts';
import { dtypeBytes, elements } from '../../base/tensor.ts';
import { layTensors } from '../safetensors.ts';
import { type Layout, readArchive, readPickles } from './archive.ts';
import { linesFor, TRUST } from './lines.ts';
import { bytesOf, type Weight, weightsOf } from './statedict.ts';

/** Weights may share numbers (tied ones do); what names the same ones over and over is no checkpoint. */
const MOST_SHARED = 4;

const isZip = (start: Uint8Array): boolean => String.fromCharCode(...start.subarray(0, 4)) === 'PK\x03\x04';
const isPickle = (start: Uint8Array): boolean => start[0] === 0x80 && start[1]! <= 5;

/** Opens a file of torch.save's as the safetensors file that it would be; `source`, its bytes, is closed with it. Throws InputError for whatever is no state dict. */
export function openTorch(path: string, source: ByteSource = openFile(path)): ByteSource {
  try {
    const start = new Uint8Array(Math.min(512, source.size));
    source.readAt(0, start);
    if (!isZip(start) && !isPickle(start)) throw otherFile(path, start, source.size);
    const { root, placeOf } = isZip(start) ? readArchive(path, source) : readPickles(path, source);
    const weights = weightsOf(path, root);
    const bytes = weights.reduce((sum, weight) => sum + bytesOf(weight), 0);
    if (!(bytes <= MOST_SHARED * source.size))
      throw new InputError({ where: path, what: 'its tensors are more than it holds', got: `${bytes} bytes of ${source.size}` });
    return asSafetensors(path, source, weights, placeOf);
  } catch (error) {
    source.close();
    throw error;
  }
}

function otherFile(path: string, start: Uint8Array, size: number): InputError {
  refusePretender(path, start, size, true);
  const isTar = String.fromCharCode(...start.subarray(257, 262)) === 'ustar';
  return new InputError({
    where: path,
    what: isTar ? 'is a tar archive, as PyTorch wrote before 2017' : 'is no file of torch.save',
    ...(isTar ? { hint: `write it anew with: ${linesFor(path).state} ${TRUST}` } : { expected: 'a state dict that torch.save wrote' }),
  });
}

/** A stretch of the file that is seen. */
interface Part {
  /** Its first byte there. */
  at: number;
  bytes: number;
  /** Fills `target` from byte `from` of this part on. */
  read: (from: number, target: Uint8Array) => void;
}

function asSafetensors(path: string, source: ByteSource, weights: readonly Weight[], placeOf: Layout['placeOf']): ByteSource {
  const { head, order } = layTensors(path, weights, { format: 'pt' });
  const parts: Part[] = [{ at: 0, bytes: head.length, read: (from, target) => target.set(head.subarray(from, from + target.length)) }];
  let size = head.length;
  for (const i of order) {
    const weight = weights[i]!;
    const bytes = bytesOf(weight);
    if (bytes > 0) parts.push({ at: size, bytes, read: readerOf(source, weight, placeOf(weight.storage)) });
    size += bytes;
  }
  return {
    size,
    readAt(offset, target) {
      for (let done = 0; done < target.length; ) {
        const at = offset + done;
        const part = parts[partAt(parts, at)]!;
        const count = Math.min(target.length - done, part.at + part.bytes - at);
        if (count <= 0) throw new InputError({ where: path, what: 'ends early', got: `${size} bytes`, expected: offset + target.length });
        part.read(at - part.at, target.subarray(done, done + count));
        done += count;
      }
    },
    close: source.close,
  };
}

/** The last part that begins at or before a byte. */
function partAt(parts: readonly Part[], at: number): number {
  let [low, high] = [0, parts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (parts[middle]!.at <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

function readerOf(source: ByteSource, { dtype, from, order }: Weight, storage: number): Part['read'] {
  const width = dtypeBytes(dtype);
  const first = storage + from * width;
  if (order === undefined) return (at, target) => source.readAt(first + at, target);
  const bytes = elements(order.shape) * width;
  return (at, target) => {
    const places = placesOf(order);
    const [stored, row] = [new Uint8Array(bytes), new Uint8Array(bytes)];
    for (let done = 0; done < target.length; ) {
      const start = (at + done) % bytes;
      source.readAt(first + at + done - start, stored);
      for (const [i, place] of places.entries()) for (let b = 0; b < width; b++) row[i * width + b] = stored[place * width + b]!;
      const piece = row.subarray(start, start + target.length - done);
      target.set(piece, done);
      done += piece.length;
    }
  };
}

/** For each number of a row, in the order of its axes, where it is stored. */
function placesOf({ shape, strides }: NonNullable<Weight['order']>): Uint32Array {
  let places = Uint32Array.of(0);
  for (const [axis, length] of shape.entries()) {
    const next = new Uint32Array(places.length * length);
    for (const [i, place] of places.entries()) for (let j = 0; j < length; j++) next[i * length + j] = place + j * strides[axis]!;
    places = next;
  }
  return places;
}
