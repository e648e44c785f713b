/** Relative rates: outputs are measured on the first pictures, rates set from them, and told. */
import { Head, State } from '../../assembly/abi/head';
import { Section } from '../../assembly/abi/program';
import { Rates } from '../../assembly/abi/rates';
import { Want } from '../../assembly/runner/run';
import { beginMeasuring, next } from '../../assembly/runner/runner';
import { EVAL, isEmpty, RATES, run, state } from './arena';
import { fillOrder } from './data';
import { arena, lineAt, lineBytes } from './program';
import { begin, ENGINE, finish } from './refuse';
import { current } from './runner';
import { flush, json, line, real, STDERR, text, to } from './text';

/** Before the first step; nothing where rates are absolute. */
export function measureRates(): void {
  if (isEmpty(RATES)) return;
  beginMeasuring(current);
  while (next(current) == Want.Measure) {
    fillOrder(0);
    if (!run(EVAL, true)) {
      const name = lineBytes(Section.Symbols, load<u32>(arena + Head.FailedNode));
      begin(lineAt, name, 'what the network puts out on the first pictures is not finite (NaN or infinite)');
      finish('are these the weights that belong to the configuration?', ENGINE);
    }
  }
  run(RATES);
  next(current);
}

/** A group's smallest (at 0) or largest (at 4) peak rate. */
function rateOf(group: u32, at: u32): f32 {
  const s = state();
  return load<f32>(s + (group << 3) + at, State.Rates) * load<f32>(s, State.BaseRate);
}

/** As RATE_GROUPS of src/passes/rates.ts. */
function nameOf(group: u32): string {
  if (group == 0) return 'bias';
  if (group == 1) return 'prompt';
  if (group == 2) return 'side';
  if (group == 3) return 'lora';
  return group == 4 ? 'full' : 'head';
}

/** What was measured: on the terminal and, of a run that begins, as the first line of its metrics. */
export function tellRates(metrics: u32, isNew: bool): void {
  if (isEmpty(RATES)) return;
  if (isNew) {
    to(metrics);
    text('{"rates":{');
    for (let group: u32 = 0, shown = false; group < <u32>Rates.Groups; group++) {
      if (rateOf(group, 4) == 0) continue;
      text(shown ? ',"' : '"');
      shown = true;
      text(nameOf(group));
      text('":[');
      json(rateOf(group, 0));
      text(',');
      json(rateOf(group, 4));
      text(']');
    }
    text('}}\n');
  }
  to(STDERR);
  text('rates:');
  for (let group: u32 = 0, shown = false; group < <u32>Rates.Groups; group++) {
    if (rateOf(group, 4) == 0) continue;
    text(shown ? ', ' : ' ');
    shown = true;
    text(nameOf(group));
    text(' ');
    real(rateOf(group, 0), 7);
    text(' to ');
    real(rateOf(group, 4), 7);
  }
  line();
  flush();
}

/** What the adapter tells of them: smallest and largest peak rate of each group, to `p`. */
export function putRates(p: usize): void {
  for (let group: u32 = 0; group < <u32>Rates.Groups; group++) {
    store<f32>(p + (group << 3), rateOf(group, 0));
    store<f32>(p + (group << 3), rateOf(group, 4), 4);
  }
}
