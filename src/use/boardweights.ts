/** The weights that a packed program reads: the model's own safetensors, or, of another kind of file, the same as safetensors beside the program. */
import { basename, join } from 'node:path';
import { writeAtomic } from '../base/files.ts';
import { dtypeBytes, elements } from '../base/tensor.ts';
import { openSafetensors, type SafetensorsFile, type Tensor, writeSafetensors } from '../formats/safetensors.ts';
import { baseDigest } from '../formats/weightsfile.ts';
import { isTorchFile } from '../formats/weightsfolder.ts';
import type { ModelFolder } from '../import/modelfolder.ts';

/** Files that the board reads. */
export interface BoardWeights {
  /** Their names, in the order in which their digest is taken. */
  files: string[];
  /** Whether they were written beside the program. */
  isHere: boolean;
  /** SHA-256 of all of them. */
  digest: string;
}

const PIECE = 1 << 20;

/** Names the files; writes them into `out` where the model's own are none that s2a.wasm reads. `digest`: by what an adapter knows its base. */
export function boardWeights(base: ModelFolder, weights: SafetensorsFile, { out, digest }: { out: string; digest: string }): BoardWeights {
  const names = weights.files.map(({ path }) => basename(path));
  if (base.onnx === undefined && !names.some(isTorchFile)) return { files: names, isHere: false, digest };
  if (base.onnx === undefined) {
    // Bytes of safetensors already, as they are seen: an adapter knows both by one digest.
    const files = names.map((_, i) => (names.length === 1 ? 'model.safetensors' : `model-${i + 1}.safetensors`));
    for (const [i, { source }] of weights.files.entries())
      writeAtomic(join(out, files[i]!), (write) => {
        for (const piece of piecesOf(source.size, (from, target) => source.readAt(from, target))) write(piece);
      });
    return { files, isHere: true, digest };
  }
  const path = join(out, 'model.safetensors');
  writeSafetensors(
    path,
    [...weights.tensors.values()].map((tensor) => ({ ...tensor, data: () => tensorPieces(weights, tensor) })),
  );
  return { files: ['model.safetensors'], isHere: true, digest: digestOf(path) };
}

function digestOf(path: string): string {
  const file = openSafetensors(path);
  try {
    return baseDigest(file);
  } finally {
    file.close();
  }
}

function* piecesOf(bytes: number, read: (from: number, target: Uint8Array) => void): Generator<Uint8Array> {
  for (let from = 0; from < bytes; from += PIECE) {
    const piece = new Uint8Array(Math.min(PIECE, bytes - from));
    read(from, piece);
    yield piece;
  }
}

const tensorPieces = (weights: SafetensorsFile, tensor: Tensor): Generator<Uint8Array> =>
  piecesOf(elements(tensor.shape) * dtypeBytes(tensor.dtype), (from, target) => weights.read(tensor, target, from));
