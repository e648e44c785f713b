// Which pairs of network and task, which methods, which rates; and how the command line chooses among them.
import { NETWORKS } from './models.mjs';
import { TASKS } from './tasks.mjs';

export const METHODS = ['probe', 'bias', 'bias+prompt+side', 'lora', 'full'];

/** The pairs of the page: no network and no task fewer than twice. */
export const PAIRS = {
  'mobilenetv2-imagenet': ['cifar10-20', 'cifar10-100', 'clipart', 'fashion'],
  'mobilenetv2-movenet': ['cifar10-20', 'quickdraw'],
  'mobilenetv2-movenet-13': ['quickdraw', 'digits', 'cifar10-100'],
  'mobilenetv3-centernet': ['cifar10-20', 'fashion'],
  'vit-s14': ['cifar10-20', 'clipart'],
  'sketch-vit': ['quickdraw', 'digits'],
};

/** One grid for every method on every network. */
export const GRID = [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2];
/** Where in it each kind of method begins to climb, until both neighbours of its best are worse. */
export const STARTS = { probe: 3e-3, bias: 1e-3, 'bias+prompt+side': 1e-3, lora: 1e-3, full: 1e-4 };

/** `imagenet/cifar10-.+/bias,vit/digits/full`: a network, a task, a method, each a regular expression or left out. */
export function select(only, every) {
  const all = Object.keys(NETWORKS).flatMap((network) =>
    (every ? Object.keys(TASKS) : (PAIRS[network] ?? [])).flatMap((task) => METHODS.map((method) => ({ network, task, method }))),
  );
  if (only === undefined) return all;
  const wishes = only.split(',').map((text) => text.split('/'));
  const fits = (name, wish, whole) =>
    wish === undefined ||
    wish === '' ||
    wish === name ||
    (wish === 'bps' && name === 'bias+prompt+side') ||
    pattern(wish, whole).test(name);
  const cells = all.filter((cell) =>
    wishes.some(
      ([network, task, method]) => fits(cell.network, network, false) && fits(cell.task, task, true) && fits(cell.method, method, true),
    ),
  );
  if (cells.length === 0)
    throw new Error(
      `--only ${only}: no such pair; networks ${Object.keys(NETWORKS).join(', ')}; tasks ${Object.keys(TASKS).join(', ')}; methods ${METHODS.join(', ')}`,
    );
  return cells;
}

/** Cells by pair: `[{ network, task, cells }]`. */
export function pairsOf(cells) {
  const pairs = new Map();
  for (const cell of cells) {
    const key = `${cell.network}/${cell.task}`;
    if (!pairs.has(key)) pairs.set(key, { network: cell.network, task: cell.task, cells: [] });
    pairs.get(key).cells.push(cell);
  }
  return [...pairs.values()];
}

const pattern = (text, whole) => {
  try {
    return new RegExp(whole ? `^(?:${text})$` : text);
  } catch {
    throw new Error(`--only: ${text} is no regular expression`);
  }
};

export const parseList = (text, parse) => text.split(',').filter(Boolean).map(parse);

const value = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** `default`; a number, the job's `rate`; or NAME=VALUE, any other option of the job (a rate that is relative, say). */
export function parseRate(text) {
  if (text === 'default') return { text, options: {} };
  if (text.includes('=')) return { text, options: parseSet([text]) };
  const rate = Number(text);
  if (!(rate >= 0)) throw new Error(`--rates ${text}: default, a number or NAME=VALUE`);
  return { text, options: { rate } };
}

/** Options of the job as the library knows them, NAME=VALUE. */
export const parseSet = (list) =>
  Object.fromEntries(
    list.map((text) => {
      const [, name, rest] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
      if (name === undefined) throw new Error(`--set ${text}: expected NAME=VALUE`);
      return [name, value(rest)];
    }),
  );
