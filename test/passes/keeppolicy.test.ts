/** Keep plans: every text that may be written, its canonical form, and every sentence for one that may not. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Keep } from '../../assembly/abi/keep.ts';
import { compile } from '../../src/compile.ts';
import { readModel } from '../../src/import/index.ts';
import { choicesOf, KEEP_CLASSES } from '../../src/ops/keepclasses.ts';
import { keepOf, keepPolicy } from '../../src/passes/keeppolicy.ts';
import { modelFolder } from '../support/golden.ts';

test('a plan has one name, whatever it was written as', () => {
  const names: Record<string, string> = {
    s2a: 's2a',
    exact: 'exact',
    's2a,gelu=4,ln=4': 's2a',
    'gelu=f32': 's2a,gelu=f32',
    'ln=f32,gelu=f32': 's2a,gelu=f32,ln=f32',
    'exact,gelu=4': 'exact,gelu=4',
    'exact,gelu=f32': 'exact',
  };
  for (const [text, name] of Object.entries(names)) {
    assert.is(keepOf(text).name, name, text);
    assert.equal(keepOf(keepOf(text).name), keepOf(text), text);
  }
  const everything = KEEP_CLASSES.map((c) => `${c}=${keepOf('exact').of[c]}`).join(',');
  assert.is(keepOf(everything).name, 'exact');
  assert.is(keepPolicy(keepOf('s2a').of).name, 's2a');
});

test('every class has an exact choice and a coded one among its legal ones', () => {
  for (const c of KEEP_CLASSES) for (const base of ['exact', 's2a']) assert.ok(choicesOf(c).includes(keepOf(base).of[c]), `${base} ${c}`);
});

test('what cannot be read is one sentence', () => {
  const sentences: Record<string, RegExp> = {
    '': /--keep: unknown operator class, got nothing, expected s2a, exact, or relu/,
    s3a: /unknown operator class, got s3a.*did you mean s2a\?/,
    'gellu=4': /unknown operator class, got gellu.*did you mean gelu\?/,
    'softmx=4': /did you mean softmax\?/,
    gelu: /gelu has no choice, expected gelu=f32 or gelu=8 or gelu=4/,
    'gelu=': /wrong choice for gelu, got nothing, expected f32 or 8 or 4/,
    'gelu=5': /wrong choice for gelu, got 5, expected f32 or 8 or 4/,
    'relu=4': /wrong choice for relu, got 4, expected f32 or 1/,
    'ln=4,ln=4': /ln is there twice/,
    'ln=4,exact': /exact must come first, and alone, got exact/,
    'exact=4': /exact must come first, and alone, got exact=4/,
    'exact,s2a': /s2a must come first/,
    'constructor=4': /unknown operator class, got constructor/,
  };
  for (const [text, sentence] of Object.entries(sentences)) assert.throws(() => keepOf(text), sentence, text);
});

test('an override reaches the operators of its class and no other', () => {
  const model = readModel(modelFolder('vit-hf'));
  const keeps = (keep: string): Record<string, number> => {
    const { graph, program } = compile({ model, classes: 3, microBatch: 1, keep });
    assert.is(program.about.keep, keepOf(keep).name);
    const kept = graph.phases.train.filter(({ op, attributes }) => attributes.keep !== undefined && !op.includes('Backward'));
    return Object.fromEntries(kept.map(({ op, attributes }) => [op, attributes.keep!]));
  };
  assert.equal(keeps('s2a'), { Activation: Keep.Code4, LayerNorm: Keep.Group4, Attention: Keep.Group8, Linear: Keep.Value });
  assert.equal(keeps('ln=f32'), { Activation: Keep.Code4, LayerNorm: Keep.Value, Attention: Keep.Group8, Linear: Keep.Value });
  assert.is(keeps('qkv=4,softmax=4').Attention, Keep.Signed4);
  assert.equal(keeps('exact,qkv=8'), { Activation: Keep.Value, LayerNorm: Keep.Value, Attention: Keep.Group8, Linear: Keep.Value });
});

test.run();
