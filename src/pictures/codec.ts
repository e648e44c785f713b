/**
 * The WebAssembly codecs of @jsquash, driven through their codec files so that the pixels are read where they were decoded. The
 * packages' own `decode` copies them (4 bytes a pixel) into an ImageData: at 12 megapixels, 46 MiB more.
 * Codecs keep their memory from picture to picture. Where one's growth would take them past the limit together, the other is let
 * go first, so that a folder of mixed kinds takes no more than one of one kind.
 */
import { readFileSync } from 'node:fs';
import { collectGarbage } from '../base/processmemory.ts';
import { require } from './version.ts';

interface Instance {
  decode(bytes: Uint8Array, ...options: boolean[]): unknown;
}

/** Emscripten's module factory, as far as it is used. */
type Factory = (options: never) => Promise<unknown>;

/** Gives the globals back. */
let restore: () => void = () => {};

/** What the decoder's result is handed to, during `run`. */
let take: (rgba: Uint8Array, width: number, height: number) => void = () => {};

/**
 * A codec wraps its result in `new ImageData(new Uint8ClampedArray(view of its memory), width, height)` and frees it on
 * return. It looks these two names up once, at its first picture: for that call they are ours, and look at the view in place.
 */
const stand = {
  Uint8ClampedArray: function view(memory: Uint8Array) {
    return memory;
  },
  ImageData: function receive(rgba: Uint8Array, width: number, height: number) {
    restore();
    take(rgba, width, height);
  },
};

const PAGE = 65536;

/** Those with an instance. */
const opened = new Set<Codec>();

export class Codec {
  /** What the codec said of the picture now in work. */
  warnings: string[] = [];
  private wasm: WebAssembly.Module | undefined;
  private instance: Instance | undefined;
  private readonly factory: Factory;
  private readonly file: string;
  /** What the codec's `decode` wants behind the bytes. */
  private readonly options: boolean[];
  private memory: WebAssembly.Memory | undefined;
  /** Bytes that the codec's memory begins with. */
  private own = 0;
  /** Bytes that it may grow by. */
  private limit = 0;

  constructor(factory: unknown, file: string, options: boolean[] = []) {
    this.factory = factory as Factory;
    this.file = file;
    this.options = options;
  }

  /** Reads and compiles the package's wasm file; once, and never through the network. Pictures may then take `limit` bytes. */
  async open(limit: number): Promise<void> {
    this.limit = limit;
    this.wasm ??= new WebAssembly.Module(readFileSync(require.resolve(this.file)));
    this.instance ??= (await this.start(this.wasm)) as Instance;
    opened.add(this);
  }

  private start(wasm: WebAssembly.Module): Promise<unknown> {
    // Where there is no ImageData the package makes one, which would hold its first instance for ever.
    const { ImageData: image } = globalThis;
    globalThis.ImageData ??= stand.ImageData as never;
    try {
      return this.factory({
        noInitialRun: true,
        print: () => {},
        printErr: (line: string) => void this.warnings.push(line),
        instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
          const instance = new WebAssembly.Instance(wasm, imports);
          this.bound(Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory));
          done(instance);
          return instance.exports;
        },
      } as never);
    } finally {
      globalThis.ImageData = image;
    }
  }

  /** Lets the instance and its memory go. */
  close(): void {
    this.instance = undefined;
    this.memory = undefined;
    opened.delete(this);
  }

  /** What the memory has grown by. */
  private get grown(): number {
    return (this.memory?.buffer.byteLength ?? this.own) - this.own;
  }

  /** A file that makes the codec ask for more than was planned is a damaged one: its allocation fails. */
  private bound(memory: WebAssembly.Memory | undefined): void {
    if (!memory) throw new Error(`${this.file}: no memory`);
    this.memory = memory;
    this.own = memory.buffer.byteLength;
    const grow = memory.grow.bind(memory);
    memory.grow = (pages) => {
      const grown = this.grown + pages * PAGE;
      if (grown > this.limit) throw new RangeError('over the limit');
      const others = [...opened].filter((other) => other !== this && grown + other.grown > this.limit);
      for (const other of others) other.close();
      if (others.length > 0) {
        collectGarbage();
        // The second waits until the first has given the memory back.
        collectGarbage();
      }
      return grow(pages);
    };
  }

  /**
   * Decodes one picture and calls `use` with its RGBA, which lives only during the call. What `use` throws is thrown; where the codec fails or
   * has no picture, `fault` is what it said, if anything.
   */
  run<T>(bytes: Uint8Array, use: (rgba: Uint8Array, width: number, height: number) => T): { result: T } | { fault: string | undefined } {
    const { instance } = this;
    if (!instance) throw new Error('open comes first');
    let outcome: { result: T } | { error: unknown } | undefined;
    this.warnings = [];
    take = (rgba, width, height) => {
      // An exception must not cross the codec's frames: they would not free the picture.
      try {
        outcome = { result: use(rgba, width, height) };
      } catch (error) {
        outcome = { error };
      }
    };
    const { Uint8ClampedArray: clamped, ImageData: image } = globalThis;
    restore = () => Object.assign(globalThis, { Uint8ClampedArray: clamped, ImageData: image });
    // It is synchronous, so nobody else sees them.
    Object.assign(globalThis, stand);
    try {
      instance.decode(bytes, ...this.options);
    } catch (error) {
      // A fatal error exits the codec, which can then not be used again.
      this.close();
      return { fault: (this.warnings.at(-1) ?? (error as Error).message).trim() };
    } finally {
      restore();
      take = () => {};
    }
    if (outcome && 'error' in outcome) throw outcome.error;
    return outcome ?? { fault: undefined };
  }
}
