/** The registry of families: what a family must have to exist, and that every name which it says it reads is read by it alone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.ts';
import { FAMILIES, namesOf, readerOf } from '../../src/import/families.ts';
import type { Library } from '../../src/import/family.ts';
import { parseModel } from '../../src/import/index.ts';
import { CLASS_NAMES } from '../../src/import/published.ts';
import { torchvisionPreprocess } from '../../src/input/torchvision.ts';
import { refused } from '../support/folder.ts';
import { builtCases } from '../support/golden.ts';

const libraries: readonly Library[] = ['transformers', 'timm', 'torchvision'];
const models = readFileSync('docs/models.md', 'utf8');
/** The cells of a family's row in docs/models.md: title, one for each library, others that are refused. */
const rowOf = (title: string): string[] | undefined =>
  models
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .find((cells) => cells[1] === title);

/** A configuration of a library's that names a network and says nothing else. */
const named = (library: Library, name: string): Record<string, unknown> =>
  library === 'transformers'
    ? { model_type: name }
    : library === 'timm'
      ? { architecture: name, pretrained_cfg: { input_size: [3, 224, 224] } }
      : { library, architecture: name };
const parse = (values: Record<string, unknown>) => parseModel({ where: 'config.json', values });

for (const { title, readers } of FAMILIES) {
  test(`${title}: golden files, a row in docs/models.md`, () => {
    const row = rowOf(title);
    assert.ok(row, `docs/models.md has no row for ${title}`);
    for (const { library, golden, names } of readers) {
      assert.ok(golden.length > 0, `${title}: ${library} has no golden case`);
      for (const name of golden) {
        assert.ok(
          builtCases.includes(name),
          `test/golden has no case ${name}: add it to tools/golden/families.py and run tools/golden/make.py ${name}`,
        );
        assert.ok(existsSync(join('test/golden', name, 'golden.safetensors')), name);
        const config = readJson(join('test/golden', name, 'config.json'));
        assert.is(parse(config).family.title, title, `${name} is read by another family`);
        assert.is(parse(config).library, library, name);
      }
      const cell = row[2 + libraries.indexOf(library)]!;
      const begins = (name: string): boolean =>
        [...cell.matchAll(/`([^`]+)`/g)].some(([, text]) => name.startsWith(text!.replace(/\*.*$/, '')));
      for (const name of names) assert.ok(begins(name), `docs/models.md: the row of ${title} says nothing of ${library}'s ${name}`);
    }
  });
}

test('every name that is offered is read, by its own family', () => {
  for (const library of libraries)
    for (const name of namesOf(library)) {
      const found = readerOf(library, name);
      assert.ok(found?.reader.names.includes(name), name);
      assert.is(parse(named(library, name)).family, found?.family, name);
    }
});

test('transformers types have a class to be saved as', () => {
  for (const type of namesOf('transformers')) assert.ok(CLASS_NAMES[type], type);
});

test('torchvision: what the configuration must say, and what is refused', () => {
  const tv = (architecture: string, more: Record<string, unknown> = {}) => parse({ ...named('torchvision', architecture), ...more });
  assert.is(tv('resnet18', { num_classes: 3 }).labels?.length, 3);
  refused(() => tv('resnet19'), "unsupported model of torchvision's, got resnet19", 'did you mean resnet1');
  refused(() => tv('vit_b_16', { arguments: { hidden_dims: 3 } }), 'config.json: arguments: key "hidden_dims" is not understood');
  refused(
    () =>
      tv('convnext_tiny', {
        arguments: {
          block_setting: [
            [8, 9, 1],
            [16, null, 1],
          ],
        },
      }),
    'key "block_setting" has a wrong value',
  );
  refused(() => tv('swin_t', { arguments: { window_size: [7, 8] } }), 'unsupported window_size, got 7 and 8');
  refused(() => tv('swin_t', { arguments: { depths: [2, 2] } }), 'depths and num_heads do not fit each other');
});

test('torchvision: pictures as its weights were published', () => {
  const spec = torchvisionPreprocess('resnet18', [224, 224]);
  assert.equal(spec.resize, { mode: 'shortest', edge: 256 });
  assert.equal([spec.crop?.height, spec.resample], [224, 'bilinear']);
  assert.equal(torchvisionPreprocess('efficientnet_b1', [240, 240]).resize, { mode: 'shortest', edge: 256 });
  // x·0.229/0.5 + (0.485 - 0.5)/0.5 of (p - 0.485)/0.229 is (p - 0.5)/0.5: what Inception-v3 makes of its pictures first, unless it was built without.
  const inception = (args: Record<string, unknown>) => parse({ ...named('torchvision', 'inception_v3'), arguments: args }).spec.half;
  assert.equal([inception({}), inception({ transform_input: true }), inception({ transform_input: false })], [true, true, false]);
  assert.equal(torchvisionPreprocess('inception_v3', [299, 299], true).mean, [0.5, 0.5, 0.5]);
  assert.equal(torchvisionPreprocess('inception_v3', [299, 299], false).mean, [0.485, 0.456, 0.406]);
  assert.equal(torchvisionPreprocess('inception_v3', [299, 299], true).resize, { mode: 'shortest', edge: 342 });
  // The cut keeps its share.
  assert.equal(torchvisionPreprocess('resnet18', [112, 112]).resize, { mode: 'shortest', edge: 128 });
});

test.run();
