/**
 * What the fleet's server app (targets/flower) and a node say to each other, beside the numbers: docs/fleet.md has it in full. Every key is known here, and one
 * that is not is refused: a setting that a node does not know of would be one that it does not follow.
 */
import { InputError, type S2aError, shown } from '../base/error.ts';
import { visible } from '../base/visible.ts';
import { type AdapterInfo, readInfo } from '../formats/adapterfile.ts';
import type { RateWish } from '../passes/rates.ts';
import { SETTINGS } from '../training/settings.ts';
import { FLWR } from './link.ts';
import type { Value, Values } from './records.ts';

/** Version of what is said. */
export const FORMAT = 1;

/** What every message says. */
export interface Asked {
  /** The fleet's name. */
  fleet: string;
  /** 0 before the first. */
  round: number;
  rounds: number;
  /** What the global adapter is; undefined while nodes are asked what they have. */
  info: AdapterInfo | undefined;
  /** Names and shapes of the tensors in the one array that they come in, as JSON; undefined: they come by name, or there are none. */
  layout: string | undefined;
}

/** How a round is learnt. */
export interface Asks {
  phase: 'start' | 'sums' | 'train';
  seed: number;
  sums: 'gram' | 'diagonal';
  epochs: number;
  /** undefined: the product's own. */
  rate: RateWish | undefined;
  /** undefined: the node's own. */
  batchSize: number | undefined;
  local: 'method' | 'probe';
  classes: 'own' | 'all';
  optimizer: 'fresh' | 'kept';
  prox: number;
  clip: number;
  noise: number;
}

/** What is asked is understood and not done here: the server is told, and the node stays for what it can do. */
export class NotDone extends InputError {}

/** Whether a refusal says nothing against the next round: a setting that is not done here, numbers that grew too large, a disk that has no room just now. */
export const isOfTheRound = (refusal: S2aError): boolean =>
  refusal instanceof NotDone || ['S2A_NOT_FINITE', 'S2A_DISK'].includes(refusal.code);

/** Reads one key after the other, and refuses what is left over. */
export class Keys {
  private readonly where: string;
  private readonly left: Map<string, Value>;

  constructor(where: string, values: Values) {
    this.where = where;
    this.left = new Map(values);
  }

  private take(key: string): Value {
    const value = this.left.get(key);
    this.left.delete(key);
    if (value === undefined) throw new InputError({ where: this.where, what: `does not say ${key}` });
    return value;
  }

  private wrong(key: string, value: Value, expected: string): never {
    throw new InputError({ where: `${this.where}: ${key}`, what: 'wrong value', got: shown(String(value)), expected });
  }

  has(key: string): boolean {
    return this.left.has(key);
  }

  whole(key: string, least: number, most = 0x7fffffff): number {
    const value = this.take(key);
    const isFine = typeof value === 'bigint' && value >= BigInt(least) && value <= BigInt(most);
    return isFine ? Number(value) : this.wrong(key, value, `a whole number from ${least} to ${most}`);
  }

  real(key: string): number {
    const value = this.take(key);
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : this.wrong(key, value, 'a number of at least 0');
  }

  text(key: string): string {
    const value = this.take(key);
    return typeof value === 'string' ? value : this.wrong(key, value, 'a text');
  }

  /** As --lr takes it; undefined where the text is empty. */
  rate(key: string): RateWish | undefined {
    const text = this.text(key);
    return text === '' ? undefined : SETTINGS.rate.read(text, `${this.where}: ${key}`);
  }

  oneOf<const T extends string>(key: string, words: readonly T[]): T {
    const value = this.take(key);
    return words.find((word) => word === value) ?? this.wrong(key, value, words.join(', '));
  }

  end(): void {
    const [key] = this.left.keys();
    if (key !== undefined)
      throw new NotDone({
        where: this.where,
        what: 'says what this node does not know of',
        got: shown(key),
        hint: 'is s2a here as new as the server app?',
      });
  }
}

const minor = (version: string): string => version.split('.').slice(0, 2).join('.');

/** Longest reason of the server's that is told, in characters. */
const MOST_WHY = 500;

/** Reads what every message says. NotDone where it is that an earlier answer was refused: that is told, and asks for nothing. */
export function readAsked(keys: Keys, where: string): Asked {
  if (keys.has('flwr')) {
    const version = keys.text('flwr');
    if (minor(version) !== minor(FLWR))
      throw new InputError({
        where,
        what: 'the server is of another version',
        got: shown(`flwr ${version}`),
        expected: `flwr ${minor(FLWR)}.x`,
      });
  }
  const format = keys.whole('format', 0);
  if (format !== FORMAT) throw new InputError({ where, what: 'the server app is of another format', got: format, expected: FORMAT });
  if (keys.has('refused'))
    throw new NotDone({ where, what: `does not use what this board answered: ${visible(keys.text('refused')).slice(0, MOST_WHY)}` });
  const [fleet, round, rounds] = [keys.text('fleet'), keys.whole('round', 0), keys.whole('rounds', 0)];
  const info = keys.text('info');
  const layout = keys.has('layout') ? keys.text('layout') : '';
  return {
    fleet,
    round,
    rounds,
    info: info === '' ? undefined : readInfo(`${where}: info`, info),
    layout: layout === '' ? undefined : layout,
  };
}

/** Reads how a round is learnt. Keys that a phase has no use for may be left out. */
export function readAsks(keys: Keys): Asks {
  const phase = keys.oneOf('phase', ['start', 'sums', 'train']);
  const or = <T>(key: string, read: () => T, otherwise: T): T => (phase === 'train' || keys.has(key) ? read() : otherwise);
  return {
    phase,
    seed: keys.whole('seed', 0),
    sums: phase === 'sums' || keys.has('sums') ? keys.oneOf('sums', ['gram', 'diagonal']) : 'gram',
    epochs: or('epochs', () => keys.whole('epochs', 1, 1000), 1),
    rate: or('rate', () => keys.rate('rate'), undefined),
    batchSize: or('batch-size', () => keys.whole('batch-size', 0, 65536) || undefined, undefined),
    local: or('local', () => keys.oneOf('local', ['method', 'probe']), 'method'),
    classes: or('classes', () => keys.oneOf('classes', ['own', 'all']), 'all'),
    optimizer: or('optimizer', () => keys.oneOf('optimizer', ['fresh', 'kept']), 'fresh'),
    prox: or('prox', () => keys.real('prox'), 0),
    clip: or('clip', () => keys.real('clip'), 0),
    noise: or('noise', () => keys.real('noise'), 0),
  };
}
