/** Lines of Python that make of a file what can be read. */
import { basename } from 'node:path';

/** Names that may stand in a shell's line as they are. */
const PLAIN = /^\w[\w.-]*$/;

/** What may be said about one file. */
export interface Lines {
  /** Of a whole module: its state dict. */
  module: string;
  /** Of a checkpoint with other objects in it: the weights alone. */
  state: string;
  /** Of an archive of TorchScript. */
  script: string;
  /** Of a file whose tensors PyTorch reads and this program does not: the same, written anew. */
  again: string;
  /** Of one of several networks in it. */
  one: (key: string) => string;
}

/** What has to be said where Python runs what a file says. */
export const TRUST = '(which runs what the file says: only where you trust who made it)';

export function linesFor(path: string): Lines {
  const file = PLAIN.test(basename(path)) ? basename(path) : 'FILE';
  const line = (load: string, rest: string): string => `python -c "import torch; d = ${load}; ${rest}"`;
  const loaded = (only: 'True' | 'False'): string => `torch.load('${file}', map_location='cpu', weights_only=${only})`;
  const weights = "d.get('model', d.get('state_dict', d))";
  return {
    module: line(loaded('False'), "m = d.get('model', d) if isinstance(d, dict) else d; torch.save(m.state_dict(), 'weights.pth')"),
    state: line(loaded('False'), `torch.save(${weights}, 'weights.pth')`),
    script: line(`torch.jit.load('${file}', map_location='cpu')`, "torch.save(d.state_dict(), 'weights.pth')"),
    again: line(
      loaded('True'),
      `d = ${weights}; torch.save({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, 'weights.pth')`,
    ),
    one: (key) => line(loaded('True'), `torch.save(d['${key}'], 'weights.pth')`),
  };
}
