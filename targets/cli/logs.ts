/** Logs of a run for other programs, by `--log`: a CSV table, or a folder that TensorBoard reads. A disk that is full ends a log, not the run. */
import { join } from 'node:path';
import { InputError } from '../../src/base/error.ts';
import { appendBytes, appendText, createFile, fileExists, isFolder, makeFolder, writeText } from '../../src/base/files.ts';
import { eventsHead, eventsRestart, eventsScalars } from '../../src/formats/events.ts';
import { tryFile } from '../../src/training/beforehand.ts';
import { cutLines } from './metrics.ts';

/** What is logged, each with its tag in TensorBoard. NaN and what is absent: an empty field. */
const COLUMNS = {
  loss: 'train/loss',
  rate: 'train/rate',
  norm: 'train/gradient_norm',
  trainLoss: 'epoch/train_loss',
  trainAccuracy: 'epoch/train_accuracy',
  valLoss: 'epoch/val_loss',
  valAccuracy: 'epoch/val_accuracy',
  valScore: 'epoch/val_score',
} as const;
type Column = keyof typeof COLUMNS;
const NAMES = Object.keys(COLUMNS) as Column[];

/** A line: of a step, or of the epoch that ended with it. */
export type LogLine = { step: number; epoch: number } & Partial<Record<Column, number>>;

/** A log of a run; steps only rise in it. */
export interface Log {
  /** Begins it anew. */
  begin(): void;
  /** The run stands after `step`, and goes on from there: later lines were of a run that was killed or went back. */
  cut(step: number): void;
  add(line: LogLine): void;
}

const numbersOf = (line: LogLine): [Column, number][] =>
  NAMES.flatMap((name) => (Number.isFinite(line[name]) ? [[name, line[name]!]] : []));

function csvLog(path: string): Log {
  const header = `${['step', 'epoch', ...NAMES].join(',')}\n`;
  return {
    begin: () => writeText(path, header),
    cut(step) {
      if (!fileExists(path)) writeText(path, header);
      // The header is a line whose step is no number, which nothing is beyond; a torn line has too few fields.
      else cutLines(path, (line) => Number(line.split(',')[0]) > step || line.split(',').length !== NAMES.length + 2);
    },
    add(line) {
      const numbers = new Map(numbersOf(line));
      appendText(path, `${[line.step, line.epoch, ...NAMES.map((name) => numbers.get(name) ?? '')].join(',')}\n`);
    },
  };
}

function eventLog(folder: string, now: () => number): Log {
  let path = '';
  // Each start writes a file of its own, as TensorBoard expects of a run that goes on.
  const open = (): void => {
    const name = `events.out.tfevents.${Math.floor(now())}.s2a`;
    path = join(folder, name);
    for (let more = 1; fileExists(path); more++) path = join(folder, `${name}.${more}`);
    appendBytes(path, eventsHead(now()));
  };
  return {
    begin() {
      open();
      appendBytes(path, eventsRestart(now(), 0));
    },
    cut(step) {
      if (path === '') open();
      // The first step that is dropped.
      appendBytes(path, eventsRestart(now(), step + 1));
    },
    add: (line) =>
      appendBytes(
        path,
        eventsScalars(
          now(),
          line.step,
          numbersOf(line).map(([name, value]) => [COLUMNS[name], value]),
        ),
      ),
  };
}

/** All of them as one; `warn` is told once why one ends. Throws InputError where one cannot be written at all. */
export function openLogs(places: readonly string[], warn: (sentence: string) => void, now = () => Date.now() / 1000): Log {
  let logs = places.map((place) => {
    if (place.toLowerCase().endsWith('.csv')) {
      tryFile(place, '--log');
      return csvLog(place);
    }
    if (fileExists(place) && !isFolder(place))
      throw new InputError({
        where: '--log',
        what: 'is a file and no .csv',
        got: place,
        expected: "a .csv file, or a folder for TensorBoard's events",
      });
    makeFolder(place);
    createFile(join(place, 'trial')).discard();
    return eventLog(place, now);
  });
  const each = (action: (log: Log) => void): void => {
    logs = logs.filter((log) => {
      try {
        action(log);
        return true;
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        warn(`${error.message}; the run goes on without this log`);
        return false;
      }
    });
  };
  return {
    begin: () => each((log) => log.begin()),
    cut: (step) => each((log) => log.cut(step)),
    add: (line) => each((log) => log.add(line)),
  };
}
