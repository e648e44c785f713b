/** Watching and serving from JavaScript. */
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ServeJob, serve, type WatchEvent, type WatchJob, watchFolder } from '../../src/index.ts';
import { addColours, COLOURS } from '../support/colours.ts';
import { newFolder, refusedLater } from '../support/folder.ts';

const model = 'test/golden/vit-hf';
const data = newFolder();
for (const [i, name] of COLOURS.entries()) addColours(data, name, i, 0, 4);
const job: WatchJob = { model, data, out: join(newFolder(), 'watched'), epochs: 1, batchSize: 8, threads: 1, after: 3, look: '1s' };

test('a folder is learnt from until the signal; then it is served, and a program hears where', async () => {
  const stop = new AbortController();
  const events: string[] = [];
  const onEvent = ({ event }: WatchEvent): void => {
    events.push(event);
    if (event !== 'began') stop.abort();
  };
  await watchFolder({ ...job, onEvent }, stop.signal);
  assert.is(events.length, 2);

  const again = new AbortController();
  let found: unknown;
  const onListening: ServeJob['onListening'] = ({ url }) => {
    void fetch(`${url}status`)
      .then((answer) => answer.json())
      .then((status) => {
        found = status;
        again.abort();
      });
  };
  const { model: _, ...watch } = job;
  await serve({ model, watch, port: 0, onListening }, again.signal);
  assert.ok((found as { watch: { kept: unknown[] } }).watch.kept.length <= 1);
});

test('the own address of IPv6 needs no token, with brackets and without', async () => {
  if (!Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))) return;
  for (const host of ['::1', '[::1]']) {
    const stop = new AbortController();
    const statuses: number[] = [];
    const onListening: ServeJob['onListening'] = ({ url }) => {
      assert.match(url, /^http:\/\/\[::1\]:\d+\/$/);
      void fetch(`${url}status`)
        .then(({ status }) => statuses.push(status))
        .finally(() => stop.abort());
    };
    await serve({ model, adapter: job.out, host, port: 0, onListening }, stop.signal);
    assert.equal(statuses, [200]);
  }
});

test('options are checked before anything happens, by their names', async () => {
  const { signal } = new AbortController();
  await refusedLater(watchFolder({ ...job, every: '6' }, signal), 'every: wrong value', '15m, 6h or 1d');
  await refusedLater(watchFolder({ ...job, after: 0.5 }, signal), 'after: wrong value');
  await refusedLater(watchFolder({ ...job, keeplast: 3 } as never, signal), 'keeplast: unknown option of watchFolder', 'keepLast');
  for (const host of ['0.0.0.0', '::', '[::]', '::ffff:127.0.0.1', 'localhost.example'])
    await refusedLater(serve({ model, host }, signal), 'more than this machine could ask', `got ${host.replace(/[[\]]/g, '')},`);
  await refusedLater(
    serve({ model, adapter: data, watch: { data, out: job.out } }, signal),
    'adapter: is not served beside watch',
    'from of watch',
  );
  await refusedLater(serve({ model, port: -1 }, signal), 'port: wrong value');
  await refusedLater(serve({ model, watch: { ...job, at: '3' } }, signal), 'at: wrong value');
});

test.run();
