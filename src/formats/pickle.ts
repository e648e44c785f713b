/** Weights as PyTorch pickles: refused, with the line that makes a safetensors file of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { guarded } from '../base/files.ts';

/** What trainers leave beside the weights. */
const OTHERS = /^(training_args|optimizer|scheduler|scaler|rng_state.*)\./;
/** Names that may stand in a shell's line as they are. */
const PLAIN = /^\w[\w.-]*$/;

/** Throws where the folder holds pickled weights; returns where it holds none. */
export function refusePickles(folder: string): void {
  const names = guarded(folder, 'cannot be read', () => readdirSync(folder))
    .filter((name) => /\.(bin|pth|pt)$/.test(name) && PLAIN.test(name) && !OTHERS.test(name))
    .sort();
  const shards = names.filter((name) => /^pytorch_model.*\.bin$/.test(name));
  const files = shards.length > 0 ? shards : names.slice(0, 1);
  if (files.length === 0) return;
  throw new InputError({
    where: join(folder, files[0]!),
    what: 'is a pickle, which could run any program and is not read',
    expected: 'model.safetensors',
    hint: `convert it in that folder with: ${conversion(files)}`,
  });
}

/** One line of Python; weights saved under a key of their own (as trainers do: model, state_dict) are found there. */
function conversion(files: readonly string[]): string {
  const which = files.length === 1 ? `['${files[0]}']` : "sorted(glob.glob('pytorch_model*.bin'))";
  return `python -c "import glob, torch; from safetensors.torch import save_file; \
d = {k: v for f in ${which} for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}; \
d = d.get('model', d.get('state_dict', d)); \
save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, 'model.safetensors', {'format': 'pt'})"`;
}
