/** Our own pretrained ViT, as it ships: small, whole, with its notice, and it names drawings that it did not learn from. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, loadWeights } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { readModel } from '../../src/import/index.ts';

const FOLDER = 'models/sketch-vit';
const load = (path: string) => import(pathToFileURL(`tools/pictures/${path}`).href);
const { readClass } = await load('quickdraw.mjs');
const { PRETRAINING } = await load('sets.mjs');
const { id2label } = JSON.parse(readFileSync(join(FOLDER, 'config.json'), 'utf8'));
const labels = Object.values(id2label) as string[];

test('at most 4 MB, and says what it was made from', () => {
  const bytes = readdirSync(FOLDER).reduce((sum, file) => sum + statSync(join(FOLDER, file)).size, 0);
  assert.ok(bytes <= 4e6, `${bytes} bytes`);
  const notice = readFileSync(join(FOLDER, 'NOTICE'), 'utf8');
  for (const word of ['creativecommons.org/licenses/by/4.0', 'Google', 'Zalando', 'MIT License']) assert.match(notice, word);
});

test('knows the classes of its pretraining and clothes, and no others', () => {
  assert.is(labels.length, 305);
  assert.equal(
    PRETRAINING.filter((c: string) => !labels.includes(c)),
    [],
  );
  assert.is(labels.filter((c) => !PRETRAINING.includes(c)).length, 10);
});

test('names drawings that it did not learn from', () => {
  // Of a class's hundred drawings the first 95 were learnt and four chose the epoch; the last was never shown.
  const classes = (PRETRAINING as string[]).filter((_, i) => i % 5 === 0);
  const { program } = compile({
    model: readModel(FOLDER),
    classes: labels.length,
    microBatch: classes.length,
    head: 'file',
    purpose: 'infer',
  });
  const engine = createEngine(program, readFileSync('build/engine.wasm'));
  const file = openWeightsFile(FOLDER);
  loadWeights(engine, file);
  file.close();
  const size = 3 * 28 * 28;
  for (const [i, name] of classes.entries()) {
    const grey = readClass(name).at(-1) as Uint8Array;
    engine.bytes(Io.Pictures).set(
      Uint8Array.from({ length: size }, (_, k) => grey[Math.floor(k / 3)]!),
      i * size,
    );
  }
  engine.ints(Io.Labels).fill(0);
  engine.run('eval');
  const choices = engine.ints(Io.EvalChoices);
  const hits = classes.filter((name, i) => labels[choices[i]!] === name).length;
  // Over all drawings held back it is right 47 times in 100; by chance it would be once in 305.
  assert.ok(hits >= 18, `${hits} of ${classes.length}`);
});

test.run();
