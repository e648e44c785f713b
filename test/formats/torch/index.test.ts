/** Files that torch.save wrote (tools/golden/torchfiles.py), held against what safetensors' own writer made of the same tensors. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openTorch } from '../../../src/formats/torch/index.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { fuzzTorch } from '../../support/torchfuzz.ts';
import { archive, p, zip } from '../../support/torchwrite.ts';

const GOLDEN = 'test/golden/torch';
const folder = newFolder();

/** A file as it is seen, whole. */
function seen(path: string): Buffer {
  const source = openTorch(path);
  const bytes = Buffer.alloc(source.size);
  source.readAt(0, bytes);
  source.close();
  return bytes;
}

const SAME: Readonly<Record<string, string>> = {
  'sample.pth': 'sample.safetensors',
  'sample-old.pth': 'sample.safetensors',
  'checkpoint.pth': 'net.safetensors',
  'checkpoint-old.pth': 'net.safetensors',
};

for (const [name, safe] of Object.entries(SAME))
  test(`${name} is seen as the file that safetensors writes of it`, () => {
    assert.ok(seen(join(GOLDEN, name)).equals(readFileSync(join(GOLDEN, safe))));
  });

test('any range of it is the same', () => {
  const whole = readFileSync(join(GOLDEN, 'sample.safetensors'));
  for (const name of ['sample.pth', 'sample-old.pth']) {
    const source = openTorch(join(GOLDEN, name));
    for (let from = 0; from < whole.length; from += 37)
      for (const count of [1, 5, 64, 301]) {
        const piece = new Uint8Array(Math.min(count, whole.length - from));
        source.readAt(from, piece);
        assert.ok(whole.subarray(from, from + piece.length).equals(piece), `${name}, ${count} from ${from}`);
      }
    refused(() => source.readAt(whole.length - 3, new Uint8Array(4)), name, 'ends early');
    source.close();
  }
});

test('what is no state dict is refused by its name, with the line that makes one of it', () => {
  const cases: Readonly<Record<string, string[]>> = {
    'two.pth': ['holds several networks', 'model, model_ema', "d['model']"],
    'args.pth': ['argparse.Namespace', 'weights_only=False', 'only where you trust'],
    'module.pth': ['is a whole pickled module', 'torch.nn.modules.container.Sequential', 'm.state_dict()', 'module.pth'],
    'script.pt': ['is an archive of TorchScript', "torch.jit.load('script.pt'"],
    'turned.pth': ['tensor weight', 'does not lie in one piece', '[1, 4] of [4, 3]', '.contiguous()'],
    'list.pth': ['holds no dictionary of tensors'],
    'protocol4.pth': ['is a pickle of another protocol, got 4'],
  };
  for (const [name, words] of Object.entries(cases)) refused(() => openTorch(join(GOLDEN, name)), name, ...words);
});

test('a name that a shell could take for more is in no line', () => {
  const path = join(folder, "a'; rm -rf ~; '.pth");
  writeFileSync(path, readFileSync(join(GOLDEN, 'two.pth')));
  assert.ok(refused(() => openTorch(path), "torch.load('FILE'").includes("d['model']"));
});

test('what is no file of torch.save is said to be what it is', () => {
  const of = (content: string | Uint8Array): string => {
    const path = join(folder, 'some.pth');
    writeFileSync(path, content);
    return path;
  };
  refused(() => openTorch(of('')), 'is empty');
  refused(() => openTorch(of('<!DOCTYPE html><html>')), 'is a web page');
  refused(() => openTorch(of('version https://git-lfs.github.com/spec/v1\n')), 'Git LFS pointer');
  refused(() => openTorch(of(`${'\0'.repeat(257)}ustar${'\0'.repeat(300)}`)), 'is a tar archive');
  refused(() => openTorch(of(new Uint8Array(600))), 'is no file of torch.save');
});

test('tensors that name the same numbers over and over are no checkpoint', () => {
  const path = join(folder, 'shared.pth');
  const storage = p.storage('FloatStorage', '0', 1000);
  const pairs = Array.from({ length: 40 }, (_, i): [Uint8Array, Uint8Array] => [p.text(`t${i}`), p.tensor(storage, [1000], [1])]);
  writeFileSync(path, zip(archive(p.whole(p.ordered(...pairs)), { 0: new Uint8Array(4000) })));
  refused(() => openTorch(path), 'its tensors are more than it holds');
  writeFileSync(path, zip(archive(p.whole(p.ordered(...pairs.slice(0, 4))), { 0: new Uint8Array(4000) })));
  openTorch(path).close();
});

test('files with bytes changed, cut off and put in are refused or read, never more', () => {
  const { readers, failures } = fuzzTorch({ count: 1500, seed: 3, onInput: () => undefined });
  assert.equal(failures, []);
  const { refused: no, passed } = readers['torch.save files']!;
  assert.ok(no > 500 && passed > 20, `${no} refused, ${passed} read`);
});

test.run();
