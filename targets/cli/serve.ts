/** `s2a serve`: answers over HTTP, and goes on learning. */
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { HOST, PORT } from '../../src/live/defaults.ts';
import { serve as serveUntil } from '../../src/live/serve.ts';
import type { WatchOptions } from '../../src/live/watch.ts';
import { type Flags, parse, read, whole } from './options.ts';
import type { Output } from './output.ts';
import { untilStopped } from './signals.ts';
import { eventLine, lookMs, WATCH_FLAGS, watchOptions } from './watch.ts';

/** What it takes with and without a watch; `look`: how often an adapter or another program's watch is looked at. */
const SERVE_FLAGS: Flags = {
  ...{ host: 'text', port: 'text', token: 'text', pictures: 'text', watch: 'text', unknown: 'text', look: 'text', json: 'flag' },
  ...{ budget: 'text', 'process-budget': 'text', threads: 'text', weights: 'text', stored: 'text' },
};

export async function serve(args: string[], out: Output): Promise<void> {
  const p = parse(args, { ...WATCH_FLAGS, ...SERVE_FLAGS }, { least: 1, most: 2, usage: 's2a serve <model folder> [adapter]' });
  const [model, adapter] = p.positionals as [string, string?];
  const data = p.text('watch');
  if (data === undefined)
    for (const flag of Object.keys(WATCH_FLAGS))
      if (!Object.hasOwn(SERVE_FLAGS, flag) && p.text(flag) !== undefined)
        throw new InputError({ where: `--${flag}`, what: 'is of a watch', expected: '--watch FOLDER beside it' });
  if (data !== undefined && adapter !== undefined && p.text('from') !== undefined)
    throw new InputError({
      where: '--from',
      what: 'is a second adapter to begin with',
      got: `${adapter} and ${p.text('from')}`,
      expected: 'one of them',
    });
  const isJson = p.flag('json');
  const watch =
    data === undefined
      ? undefined
      : {
          ...watchOptions(adapter === undefined ? p : { ...p, text: (name) => (name === 'from' ? adapter : p.text(name)) }, model, data),
          onEvent: (event: Parameters<typeof eventLine>[0]) => (isJson ? out.json(event) : out.line(eventLine(event))),
        };
  await untilStopped((signal) =>
    serveUntil(
      {
        model,
        adapter: data === undefined ? adapter : undefined,
        host: p.text('host') ?? HOST,
        port: whole(p, 'port', 0, 65535) ?? PORT,
        watch,
        everyMs: lookMs(p),
        warn: (sentence) => out.warn(sentence),
        onListening({ url, port, token, isNewToken }) {
          if (isJson) out.json({ event: 'listening', url, port });
          else
            out.line(visible(`listening on ${url}${token === undefined ? '' : isNewToken ? `#token=${token}` : ' (a token is needed)'}`));
        },
        ...defined({
          token: p.text('token'),
          pictures: p.text('pictures'),
          budget: read(p, 'budget'),
          processBudget: read(p, 'processBudget'),
          threads: read(p, 'threads'),
          stored: data === undefined ? read(p, 'stored') : undefined,
          unknown: read(p, 'unknown'),
          weights: data === undefined ? read(p, 'weights') : isStreamed(watch!) ? 'stream' : undefined,
        }),
      },
      signal,
    ),
  );
}

/** Whether frozen weights pass through memory while it learns: they do so for answers too. */
const isStreamed = ({ job: { weights, resident } }: WatchOptions): boolean =>
  weights?.endsWith('stream') === true || resident !== undefined;
