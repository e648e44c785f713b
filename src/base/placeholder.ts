/** Files that bear the right name and hold something else: what a download or a clone left in place of the file itself. */
import { InputError, shown } from './error.ts';

/** How files of other kinds begin, and what to do about them. */
const KINDS: readonly { begins: RegExp | string; what: string; hint: string }[] = [
  {
    begins: /^version https:\/\/git-lfs\.github\.com/,
    what: 'is a Git LFS pointer: the file itself was not fetched',
    hint: 'run git lfs install and git lfs pull in that folder, or download the file',
  },
  {
    begins: /^\s*<(?:!doctype\s+html|html|head|\?xml)/i,
    what: 'is a web page: its link led to a page about the file, not to the file',
    hint: 'download the file itself (on a hub the link with /resolve/, not /blob/; it may want a login)',
  },
  {
    begins: 'PK\x03\x04',
    what: 'is a zip archive, such as PyTorch writes for its pickles',
    hint: 'another name does not make it another format: if torch.save wrote it, call it pytorch_model.bin',
  },
  {
    begins: '\x80\x02',
    what: 'is a pickle',
    hint: 'another name does not make it another format: if torch.save wrote it, call it pytorch_model.bin',
  },
  { begins: '\x89HDF\r\n', what: 'is an HDF5 file, as Keras writes it', hint: 'only safetensors is read' },
  { begins: /^GGUF/, what: 'is a GGUF file', hint: 'only safetensors is read' },
  { begins: '\x1f\x8b', what: 'is compressed with gzip', hint: 'unpack it first' },
];

/** Longest text that a server may have sent instead of a file. */
const MESSAGE_BYTES = 512;

/**
 * Throws where the file's first bytes (of `size` in all) say that it is something else. `binary`: text of any kind is no such file, as a
 * server's "Entry not found".
 */
export function refusePretender(path: string, start: Uint8Array, size: number, binary: boolean): void {
  if (size === 0) throw new InputError({ where: path, what: 'is empty', hint: 'was the download complete?' });
  const text = Array.from(start.subarray(0, MESSAGE_BYTES), (byte) => String.fromCharCode(byte))
    .join('')
    .replace(/^\u00ef\u00bb\u00bf/, '');
  const found = KINDS.find(({ begins }) => (typeof begins === 'string' ? text.startsWith(begins) : begins.test(text)));
  if (found) throw new InputError({ where: path, what: found.what, hint: found.hint });
  if (binary && size <= MESSAGE_BYTES && /^[\t\r\n\x20-\x7e]+$/.test(text))
    throw new InputError({
      where: path,
      what: 'is a text, not weights',
      got: JSON.stringify(shown(text.trim())),
      hint: 'download it again',
    });
}
