/**
 * Pictures that come one behind the other in a stream without end: JPEGs as a camera or ffmpeg writes them (MJPEG), whatever stands between two of them, or
 * raw frames, all of one size. What is held is one frame and one piece of the stream.
 */

/** A frame's bytes, or why there are none. */
export type Frame = { bytes: Uint8Array } | { fault: string };

/** Takes a stream piece by piece and gives its frames. */
export interface FrameSplitter {
  /** The stream's next piece; every frame is taken out before. */
  push(piece: Uint8Array): void;
  /** The next frame that is whole; undefined: more has to come. */
  next(): Frame | undefined;
  /** What is left when the stream has ended. */
  end(): Frame | undefined;
}

const [SOI, EOI] = [0xd8, 0xd9];
/** Markers without a length: 00 is data, FF fills, 01 and D0 to D7 stand alone. */
const isBare = (marker: number): boolean => marker <= 1 || marker === 0xff || (marker >= 0xd0 && marker <= 0xd7);

/** Bytes that come at the end and go at the beginning; as large as the most that it ever held. */
class Held {
  bytes = new Uint8Array(1 << 16);
  used = 0;
  push(piece: Uint8Array): void {
    if (this.used + piece.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.used + piece.length));
      larger.set(this.bytes.subarray(0, this.used));
      this.bytes = larger;
    }
    this.bytes.set(piece, this.used);
    this.used += piece.length;
  }
  drop(count: number): void {
    this.bytes.copyWithin(0, count, this.used);
    this.used -= count;
  }
  take(count: number): Uint8Array {
    const taken = this.bytes.slice(0, count);
    this.drop(count);
    return taken;
  }
  /** Where the next byte of this value is, or where the bytes end. */
  find(value: number, from: number): number {
    const at = this.bytes.subarray(0, this.used).indexOf(value, from);
    return at < 0 ? this.used : at;
  }
}

/**
 * JPEGs by their markers: a thumbnail inside a segment is passed over with it, what stands between two pictures (a multipart boundary) is dropped, and a picture
 * that another begins in ends there, for the decoder to say what it lacks. One of more than `limit` bytes is a fault, and the stream goes on behind it.
 */
export function jpegFrames(limit: number): FrameSplitter {
  const held = new Held();
  let isInside = false;
  /** Up to where the picture has been looked through. */
  let at = 0;

  const seek = (): boolean => {
    for (let from = held.find(0xff, 0); ; from = held.find(0xff, from + 1)) {
      if (held.used - from < 3) {
        held.drop(from);
        return false;
      }
      if (held.bytes[from + 1] !== SOI || held.bytes[from + 2] !== 0xff) continue;
      held.drop(from);
      [isInside, at] = [true, 2];
      return true;
    }
  };
  const ended = (end: number): Frame => {
    isInside = false;
    return { bytes: held.take(end) };
  };
  return {
    push: (piece) => held.push(piece),
    next() {
      if (!isInside && !seek()) return undefined;
      for (;;) {
        at = at < held.used ? held.find(0xff, at) : at;
        if (at > limit || held.used - at < 4) break;
        const marker = held.bytes[at + 1]!;
        if (marker === EOI) return ended(at + 2);
        if (marker === SOI) return ended(at);
        // A fill byte may be the first of a marker.
        if (isBare(marker)) at += marker === 0xff ? 1 : 2;
        else at += 2 + ((held.bytes[at + 2]! << 8) | held.bytes[at + 3]!);
      }
      // The last marker may be the last of the stream.
      if (at <= limit && held.used - at >= 2 && held.bytes[at] === 0xff && held.bytes[at + 1] === EOI) return ended(at + 2);
      if (Math.max(at, held.used) <= limit) return undefined;
      isInside = false;
      held.drop(Math.min(held.used, 2));
      return { fault: `larger than ${limit} bytes` };
    },
    end() {
      if (!isInside) return undefined;
      return ended(held.used);
    },
  };
}

/** Frames of `size` bytes each, one directly behind the other. */
export function rawFrames(size: number): FrameSplitter {
  const held = new Held();
  return {
    push: (piece) => held.push(piece),
    next: () => (held.used < size ? undefined : { bytes: held.take(size) }),
    end: () => (held.used === 0 ? undefined : { fault: `${held.used} bytes at the end, not the ${size} of a frame` }),
  };
}

/** Every frame of a stream, one at a time: the next piece is asked for when all frames of the last are done. */
export async function* framesOf(stream: AsyncIterable<Uint8Array>, splitter: FrameSplitter): AsyncGenerator<Frame> {
  for await (const piece of stream) {
    splitter.push(piece);
    for (let frame = splitter.next(); frame; frame = splitter.next()) yield frame;
  }
  const last = splitter.end();
  if (last) yield last;
}
