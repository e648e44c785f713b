/** The engine as other programs give it, and names on the hub that are no folders. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';
import { engineBytes, useEngine } from '../../src/engine/wasm.ts';
import { fetchLine, isHubName, refuseHubName } from '../../src/formats/hub.ts';
import { newFolder } from '../support/folder.ts';

async function refused(run: Promise<unknown>, ...words: string[]): Promise<void> {
  const error = await run.then(
    () => undefined,
    (e: unknown) => e,
  );
  assert.instance(error, InputError);
  for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
}

const PATH = 'build/engine.wasm';
const bytes = new Uint8Array(readFileSync(PATH));

test('the engine given as bytes, by path, by address: what is given is what is used', async () => {
  // A custom section at the end tells it from the one beside the code.
  const own = Uint8Array.from([...bytes, 0, 2, 1, 0x78]);
  const path = join(newFolder(), 'own.wasm');
  writeFileSync(path, own);
  for (const source of [own, own.buffer, path, pathToFileURL(path), pathToFileURL(path).href, { 'engine.wasm': own }]) {
    await useEngine(bytes);
    assert.is(engineBytes().length, bytes.length);
    await useEngine(source);
    assert.equal(engineBytes(), own);
  }
  await useEngine(bytes);
});

test('what is no engine is refused, and changes nothing', async () => {
  await refused(useEngine(new Uint8Array(8)), 'engine.wasm', 'is no WebAssembly');
  await refused(useEngine('/no/such/engine.wasm'), 'cannot be read', '/no/such/engine.wasm');
  await refused(useEngine('http://127.0.0.1:1/engine.wasm'), 'cannot be fetched');
  await refused(useEngine({ 'engine.js': bytes } as never), 'engine.js', 'engine.mt.wasm');
  assert.equal(engineBytes(), bytes);
});

test('a name on the hub is told from a path, and the line that fetches it names the files of its library', () => {
  for (const name of ['google/vit-base-patch16-224', 'timm/resnet18.a1_in1k', 'microsoft/resnet-50']) assert.ok(isHubName(name), name);
  for (const path of ['models/vit-tiny', './google/vit', '/google/vit', 'vit', 'a/b/c', 'src/vit', '../x/y', ''])
    assert.not.ok(isHubName(path), path);
  assert.match(
    fetchLine('google/vit-base-patch16-224'),
    /models\/vit-base-patch16-224\/#1.*\{config\.json,preprocessor_config\.json,model\.safetensors\}/,
  );
  assert.match(fetchLine('timm/resnet18.a1_in1k'), /\{config\.json,model\.safetensors\}/);
  assert.throws(
    () => refuseHubName('google/vit'),
    (error: unknown) => error instanceof InputError && /curl .*google\/vit\/resolve/.test(error.message),
  );
  refuseHubName('models/vit-tiny');
});

test.run();
