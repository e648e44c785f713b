/** Names from outside are text on a terminal and in a page, and many classes take little memory. */

import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSafetensors, writeSafetensors } from '../../src/formats/safetensors.ts';
import { CLI, colourPng, does, modelCopy, pictureFolder, SHORT, s2a, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const ESCAPE = '\u001b[31mred\u001b]0;pwn\u0007\u202e';
const isText = (text: string, what: string): void => {
  for (const line of text.split('\n')) assert.not.match(line, /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u, what);
};

nodeTest('classes, files and a model whose names a terminal would obey', () => {
  const data = pictureFolder();
  renameSync(join(data, 'red'), join(data, ESCAPE));
  renameSync(join(data, 'blue'), join(data, 'new\nline'));
  renameSync(join(data, 'green/0.png'), join(data, 'green/a\u001b[2Jb.png'));
  writeFileSync(join(data, 'green/c\u001b[2Jd.png'), 'x');
  writeFileSync(join(data, 'loose\u001b[2J.png'), 'x');
  const out = newFolder();
  const page = join(newFolder(), 'page.html');
  const runs = [
    does('train', VIT, data, '--out', out, ...SHORT, '--report', page),
    does('eval', VIT, out, data, '--split', 'all'),
    s2a('predict', VIT, out, join(data, 'green/a\u001b[2Jb.png'), join(data, 'green/c\u001b[2Jd.png'), '--top', '3'),
    does('eval', VIT, out, data, '--split', 'all', '--json'),
    s2a('eval', VIT, out, data, '--split', '\u001b[2J'),
    s2a('\u001b[2J'),
    s2a(
      'plan',
      modelCopy('vit-hf', (config) => Object.assign(config, { model_type: '\u001b[31mX' })),
    ),
  ];
  for (const { stdout, stderr } of runs) {
    isText(stdout, 'standard output');
    isText(stderr, 'standard error');
  }
  assert.match(runs[1]!.stdout, /^new\\nline +\d/m);
  assert.match(runs[1]!.stdout, /^\\u001b\[31mred\\u001b]0;pwn\\u0007\\u202e +\d/m);
  const { classes } = JSON.parse(runs[3]!.stdout) as { classes: { label: string }[] };
  assert.equal(
    classes.map(({ label }) => label),
    [ESCAPE, 'green', 'new\nline'],
  );
  isText(readFileSync(page, 'utf8'), 'the page');
  assert.match(readFileSync(page, 'utf8'), /\\u001b\[31mred/);
});

nodeTest('eval of 5,000 classes stays under 120 MiB resident', () => {
  const n = 5000;
  const model = modelCopy('vit-hf', (config) => {
    config.id2label = Object.fromEntries(Array.from({ length: n }, (_, i) => [i, `c${i}`]));
    config.label2id = undefined;
  });
  const file = openSafetensors(join(model, 'model.safetensors'));
  const tensors = [...file.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    file.read(t, data);
    if (!t.name.startsWith('classifier.')) return { name: t.name, dtype: t.dtype, shape: t.shape, data };
    const rows = t.shape[0]!;
    const repeated = new Uint8Array((t.bytes / rows) * n);
    for (let at = 0; at < repeated.length; at += data.length) repeated.set(data.subarray(0, repeated.length - at), at);
    return { name: t.name, dtype: t.dtype, shape: [n, ...t.shape.slice(1)], data: repeated };
  });
  file.close();
  writeSafetensors(join(model, 'model.safetensors'), tensors);
  const data = newFolder();
  writeFileSync(join(data, '.one.png'), colourPng(0, 0));
  for (let i = 0; i < n; i++) {
    mkdirSync(join(data, `c${i}`));
    linkSync(join(data, '.one.png'), join(data, `c${i}`, 'a.png'));
  }
  // The kernel's own peak of the process: maxRSS begins at that of whoever started it, the tests' own.
  const tells = `import{readFileSync,writeSync}from"node:fs";
    const peak=()=>{try{return /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status","latin1"))[1]}catch{return process.resourceUsage().maxRSS}};
    process.on("exit",()=>writeSync(2,"PEAK "+peak()+"\\n"))`;
  for (const more of [[], ['--json']]) {
    const args = ['--import', `data:text/javascript,${encodeURIComponent(tells)}`, CLI, 'eval', model, data, '--threads', '1', ...more];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 120e3 });
    assert.is(status, 0, stderr);
    const peak = Number(/PEAK (\d+)/.exec(stderr)![1]) / 1024;
    assert.ok(peak > 40 && peak < 120, `${peak} MiB`);
    // A line for each class, twenty of what was taken for what, and what stands above them.
    if (more.length === 0) assert.is(stdout.trimEnd().split('\n').length, n + 26);
    else {
      const found = JSON.parse(stdout) as { confusion: null; mistakes: number[][]; correct: number };
      assert.equal([found.confusion, found.mistakes.length + found.correct], [null, n]);
    }
  }
});

test.run();
