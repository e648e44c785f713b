/** Relative rates: outputs are measured on the first pictures, rates set from them, and told. */
import { State } from '../../assembly/abi/head';
import { Rates } from '../../assembly/abi/rates';
import { Status } from '../../assembly/abi/status';
import { Want } from '../../assembly/runner/run';
import { beginMeasuring, next } from '../../assembly/runner/runner';
import { endAtNode, endOf, EVAL, RATES, run, startOf, state } from './arena';
import { fillOrder } from './data';
import { current } from './runner';
import { flush, say, STDERR, to } from './text';

/** Has the program rates to be measured? */
function hasRates(): bool {
  return endOf(RATES) > startOf(RATES);
}

/** Before the first step; nothing where rates are absolute. */
export function measureRates(): void {
  if (!hasRates()) return;
  beginMeasuring(current);
  while (next(current) == Want.Measure) {
    fillOrder(0);
    if (!run(EVAL, true)) endAtNode(Status.OutputNotFinite, '');
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
  if (!hasRates()) return;
  if (isNew) {
    to(metrics);
    list('{"rates":{', '"', ',"', '":[~,~]');
    say('}}\n');
  }
  to(STDERR);
  list('rates:', ' ', ', ', ' @7 to @7');
  say('\n');
  flush();
}
/** Every group that learns: what comes before all, before the first and before the others; and its rates. */
function list(begin: string, first: string, other: string, form: string): void {
  say(begin);
  let isFirst = true;
  for (let group: u32 = 0; group < <u32>Rates.Groups; group++) {
    if (rateOf(group, 4) == 0) continue;
    say(isFirst ? first : other);
    isFirst = false;
    say(nameOf(group));
    say(form, rateOf(group, 0), rateOf(group, 4));
  }
}

/** What the adapter tells of them: smallest and largest peak rate of each group, to `p`. */
export function putRates(p: usize): void {
  for (let group: u32 = 0; group < <u32>Rates.Groups; group++) {
    store<f32>(p + (group << 3), rateOf(group, 0));
    store<f32>(p + (group << 3), rateOf(group, 4), 4);
  }
}
