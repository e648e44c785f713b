/** A real server on a free port: answers, labelled pictures, and every status that a bad request gets. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';
import { type Answerer, createAnswerer, NotReady } from '../../src/live/answers.ts';
import { openToken } from '../../src/live/guard.ts';
import { type Listening, listen, type ServerOptions } from '../../src/live/server.ts';
import type { WatchStatus } from '../../src/live/watch.ts';
import { trainJob } from '../../src/training/job.ts';
import { decodePicture, loadClassifier } from '../../src/use/library.ts';
import { addColours, COLOURS, colourPicture } from '../support/colours.ts';
import { newFolder, refused } from '../support/folder.ts';

const MODEL = 'test/golden/vit-hf';
const photos = newFolder();
for (const [i, name] of COLOURS.entries()) addColours(photos, name, i, 0, 12);
const ADAPTER = newFolder();
await trainJob({ model: MODEL, data: photos, out: ADAPTER, epochs: 4, batchSize: 8, holdOut: 0.5 });
const answerer = createAnswerer({ model: MODEL, decoderBytes: 16 << 20 });
await answerer.change(ADAPTER);
const RED = colourPicture(2, 500);
const TEXT = new TextEncoder().encode('hello');

async function serving<T>(options: Partial<ServerOptions>, use: (url: string, port: number) => Promise<T>): Promise<T> {
  const server: Listening = await listen({ answerer, ...options }, 0, '127.0.0.1');
  try {
    return await use(`http://127.0.0.1:${server.port}`, server.port);
  } finally {
    await server.close();
  }
}

const post = (url: string, body?: Uint8Array | string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: 'POST', headers, ...(body === undefined ? {} : { body: body as BodyInit }) });

/** The status, and words that the sentence holds. */
async function says(answer: Promise<Response>, status: number, ...words: string[]): Promise<Response> {
  const response = await answer;
  const text = await response.text();
  assert.is(response.status, status, text);
  const { error } = JSON.parse(text) as { error?: string };
  for (const word of words) assert.ok(error?.includes(word), `“${error}” lacks “${word}”`);
  return response;
}

/** Sends text as it is, and gives back all that comes until the connection ends. */
function raw(port: number, text: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}

/** An answerer that answers when it is told to. */
function slow(): { answerer: Answerer; go(): void } {
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  return { answerer: { ...answerer, answer: (asked) => gate.then(() => answerer.answer(asked)) }, go };
}

test('a picture, as a file or as pixels, gets the answer that predict gives', async () => {
  const classifier = loadClassifier(ADAPTER, { model: MODEL });
  const wanted = classifier.predictPrepared(await decodePicture(RED, classifier.preprocess));
  await serving({}, async (url) => {
    const response = await post(`${url}/predict?top=2`, RED, { 'content-type': 'image/png' });
    const said = (await response.json()) as { unknown: boolean | null; classes: { label: string; probability: number }[] };
    assert.equal(
      said.classes,
      wanted.slice(0, 2).map(({ label, probability }) => ({ label, probability })),
    );
    assert.is(said.unknown, wanted[0]!.known === undefined ? null : !wanted[0]!.known);
    assert.is(response.headers.get('cache-control'), 'no-store');
    for (const channels of [3, 4]) {
      const pixels = Uint8Array.from({ length: 20 * 16 * channels }, (_, k) => (k % channels === 0 ? 200 : 60));
      const answer = (await (await post(`${url}/predict?width=20&height=16`, pixels)).json()) as { classes: { label: string }[] };
      assert.equal([answer.classes.length, answer.classes[0]!.label], [3, classifier.predict(pixels, 20, 16)[0]!.label]);
    }
  });
});

test('what is no picture, or no request', async () => {
  await serving({}, async (url, port) => {
    await says(post(`${url}/predict`, TEXT), 415, 'a text file, not a JPEG, PNG or WebP');
    await says(post(`${url}/predict`, RED.subarray(0, 200)), 422, 'the picture cannot be used');
    await says(post(`${url}/predict`, new FormData() as never), 415, 'multipart/form-data');
    await says(post(`${url}/predict?width=20`, RED), 400, 'both width and height');
    await says(post(`${url}/predict?width=20&height=9`, RED), 400, 'bytes');
    await says(post(`${url}/predict?top=none`, RED), 400, 'top is a whole number');
    await says(post(`${url}/predict`, new Uint8Array(0)), 400, 'the body is empty');
    await says(
      post(`${url}/predict?width=20&height=16`, RED, { 'content-type': 'image/png' }),
      415,
      'send pixels as application/octet-stream',
    );
    await says(post(`${url}/predict?topp=3`, RED), 400, '/predict takes no topp; top, width, height may stand behind its ?');
    await says(post(`${url}/predict?top=3&top=2`, RED), 400, 'top is given twice');
    await says(fetch(`${url}/status?top=3`), 400, '/status takes no top; nothing may');
    const refusal = await says(fetch(`${url}/predict`), 405, '/predict takes POST');
    assert.is(refusal.headers.get('allow'), 'POST');
    await says(fetch(`${url}/predict`, { method: 'OPTIONS' }), 405, '/predict takes POST');
    assert.match(
      await raw(port, 'GET // HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'),
      /^HTTP\/1.1 400 [\s\S]*\/\/ is no address/,
    );
    await says(fetch(`${url}/etc/passwd`), 404, 'there is no /etc/passwd');
    await says(fetch(`${url}/__proto__`), 404);
    await says(post(`${url}/learn`), 404, '--watch FOLDER');
    await says(post(`${url}/pictures?label=cat`, RED), 404, '--pictures FOLDER');
    assert.match(await raw(port, 'POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n'), /^HTTP\/1.1 411 /);
    assert.match(await raw(port, 'nonsense\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.is((await fetch(`${url}/status`, { method: 'HEAD' })).status, 200);
  });
});

test('a hundred megabytes are refused unread', async () => {
  await serving({}, async (_url, port) => {
    const head = `POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${100 << 20}\r\n`;
    assert.match(await raw(port, `${head}\r\n`), /^HTTP\/1.1 413 [\s\S]*connection: close[\s\S]*the most is 32.0 MiB/i);
    const asking = await raw(port, `${head}expect: 100-continue\r\n\r\n`);
    assert.match(asking, /^HTTP\/1.1 413 /);
  });
});

test('a slow client is given up, and its room is free again', async () => {
  await serving({ limits: { bodyMs: 100, waiting: 1 } }, async (url, port) => {
    const said = await raw(port, 'POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nab');
    assert.match(said, /^HTTP\/1.1 408 [\s\S]*within 0.1 seconds/);
    assert.is((await post(`${url}/predict`, RED)).status, 200);
  });
});

test('a thousand at once: as many as there is room for are answered, the others are told when to come again', async () => {
  const { answerer: held, go } = slow();
  await serving({ answerer: held, limits: { waiting: 8 } }, async (url) => {
    const all = Array.from({ length: 1000 }, () => post(`${url}/predict`, RED));
    const refusals: Response[] = [];
    const counted = all.map(async (one) => {
      const response = await one;
      if (response.status === 503 && refusals.push(response) === 1000 - 8) go();
      return response.status;
    });
    const statuses = await Promise.all(counted);
    assert.equal([statuses.filter((s) => s === 200).length, statuses.filter((s) => s === 503).length], [8, 992]);
    assert.is(refusals[0]!.headers.get('retry-after'), '1');
    assert.match(await (await fetch(`${url}/metrics`)).text(), /s2a_requests_total\{status="503"\} 992\n/);
  });
});

test('asked to stop, it answers what it has taken, and takes no more', async () => {
  const { answerer: held, go } = slow();
  const server = await listen({ answerer: held }, 0, '127.0.0.1');
  const url = `http://127.0.0.1:${server.port}/predict`;
  const first = post(url, RED);
  await new Promise((done) => setTimeout(done, 100));
  const closed = server.close();
  const late = await post(url, RED).then(
    (response) => response.status,
    () => 'refused',
  );
  go();
  assert.equal([(await first).status, late], [200, 'refused']);
  await closed;
});

test('before anything has been learnt', async () => {
  const none = createAnswerer({ model: MODEL, decoderBytes: 16 << 20 });
  assert.instance(await none.answer({ bytes: RED }).catch((error: unknown) => error), NotReady);
  await serving({ answerer: none }, async (url) => {
    const response = await says(post(`${url}/predict`, RED), 503, 'nothing has been learnt yet');
    assert.is(response.headers.get('retry-after'), '10');
  });
});

test('a labelled picture goes into its class, once; another label moves it', async () => {
  const root = newFolder();
  await serving({ pictures: root }, async (url) => {
    const added = (await (await post(`${url}/pictures?label=cat`, RED)).json()) as { path: string };
    assert.match(added.path, /^cat\/s2a-[0-9a-f]{32}\.png$/);
    assert.equal(new Uint8Array(readFileSync(join(root, added.path))), RED);
    assert.is((await post(`${url}/pictures?label=cat`, RED)).status, 200);
    const moved = (await (await post(`${url}/pictures?label=${encodeURIComponent('Käfer 2')}`, RED)).json()) as {
      path: string;
      movedFrom: string;
    };
    assert.equal([moved.movedFrom, existsSync(join(root, moved.path)), readdirSync(join(root, 'cat'))], ['cat', true, []]);
    for (const label of ['', '..', '.git', 'a/b', 'a\\b', 'a\0b', 'x'.repeat(81), 'train', 'a\u202eb', 'lost+found'])
      await says(post(`${url}/pictures?label=${encodeURIComponent(label)}`, RED), 400);
    await says(post(`${url}/pictures?label=dog`, TEXT), 415, 'not a JPEG, PNG or WebP');
    await says(post(`${url}/pictures?label=dog`, RED.subarray(0, 200)), 422);
    assert.equal(readdirSync(root).sort(), ['Käfer 2', 'cat']);
    writeFileSync(join(root, 'labels.csv'), 'file,label\n');
    await says(post(`${url}/pictures?label=dog`, RED), 409, 'labels come from labels.csv');
    rmSync(root, { recursive: true });
    await says(post(`${url}/pictures?label=dog`, RED), 503, 'the folder of the pictures is gone');
  });
});

test('with a train folder, classes lie there', async () => {
  const root = newFolder();
  mkdirSync(join(root, 'train', 'cat'), { recursive: true });
  await serving({ pictures: root }, async (url) => {
    const { path } = (await (await post(`${url}/pictures?label=cat`, RED)).json()) as { path: string };
    assert.match(path, /^train\/cat\/s2a-/);
  });
  // However the folder is written, as a person in its parent folder would.
  await serving({ pictures: `./${relative('.', root)}/` }, async (url) => {
    const { path } = (await (await post(`${url}/pictures?label=dog`, RED)).json()) as { path: string };
    assert.match(path, /^train\/dog\/s2a-/);
  });
});

test('who has no token gets nothing but the page', async () => {
  const file = join(newFolder(), 'token');
  const { token, isNew } = openToken(file);
  assert.equal([isNew, openToken(file)], [true, { token, isNew: false }]);
  assert.is(statSync(file).mode & 0o777, 0o600);
  await serving({ token }, async (url) => {
    const header = (given: string): Record<string, string> => ({ authorization: `Bearer ${given}` });
    const response = await says(fetch(`${url}/status`), 401, 'a token is needed');
    assert.is(response.headers.get('www-authenticate'), 'Bearer');
    await says(fetch(`${url}/status`, { headers: header(`${token}x`) }), 401, 'the token is wrong');
    await says(post(`${url}/predict`, RED, header(token.slice(0, -1))), 401);
    await says(fetch(`${url}/metrics`), 401);
    assert.is((await fetch(`${url}/status`, { headers: header(token) })).status, 200);
    assert.is((await fetch(url)).status, 200);
  });
  writeFileSync(file, 'short');
  refused(() => openToken(file), 'is no token', 'got 5 characters');
});

test('pages of elsewhere and names of elsewhere may not ask in the name of a browser', async () => {
  await serving({}, async (url, port) => {
    await says(post(`${url}/predict`, RED, { origin: 'http://example.com' }), 403, 'a page of http://example.com may not ask');
    assert.is((await post(`${url}/predict`, RED, { origin: url })).status, 200);
    const said = await raw(port, 'GET /status HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n');
    assert.match(said, /^HTTP\/1.1 403 [\s\S]*example\.com is not a name of this machine/);
  });
});

test('status, metrics, and what a watch is asked', async () => {
  const status: WatchStatus = {
    ...{ adapter: 7, kept: [], fresh: 3, pictures: { learn: 9, held: 2, aside: 0 }, problem: null, last: null },
    ...{ round: { number: 8, cause: 'as asked', step: 4, steps: 10 }, rounds: { accepted: 2, refused: 1 } },
  };
  const asked: string[] = [];
  const watch = { status: () => status, ask: () => void asked.push('learn'), askBack: () => void asked.push('back') };
  await serving({ watch }, async (url) => {
    const said = (await (await fetch(`${url}/status`)).json()) as { classes: string[]; watch: WatchStatus };
    assert.equal([said.classes, said.watch], [COLOURS, status]);
    assert.equal([(await post(`${url}/learn`)).status, (await post(`${url}/rollback`)).status, asked], [202, 202, ['learn', 'back']]);
    await post(`${url}/predict`, RED);
    const response = await fetch(`${url}/metrics`);
    assert.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    for (const line of [
      's2a_answers_total 1',
      's2a_adapter 7',
      's2a_new_pictures 3',
      's2a_learning 1',
      's2a_round_step 4',
      's2a_classes 3',
    ])
      assert.ok(text.includes(`\n${line}\n`), `${line} in\n${text}`);
    // Every series is named and typed once, every line is one of the format's.
    for (const line of text.trim().split('\n'))
      assert.match(line, /^(# (HELP|TYPE) s2a_[a-z_]+ .+|s2a_[a-z0-9_]+(\{status="\d+"\})? -?\d+(\.\d+)?(e-?\d+)?)$/);
  });
});

test('the page asks nobody else, and runs nothing but its own script', async () => {
  await serving({}, async (url) => {
    const response = await fetch(url);
    const text = await response.text();
    assert.match(response.headers.get('content-security-policy')!, /^default-src 'none'; style-src 'sha256-.+connect-src 'self'/);
    assert.not.match(text, /https?:\/\//);
  });
});

test('an address that is taken, or none of this machine, is one sentence', async () => {
  await serving({}, async (_url, port) => {
    const taken = await listen({ answerer }, port, '127.0.0.1').catch((error: unknown) => error);
    assert.instance(taken, InputError);
    assert.match((taken as Error).message, /^--port: another program listens there, got 127\.0\.0\.1:\d+$/);
  });
});

test('an adapter is changed between two answers, one of other classes too; a bad one changes nothing', async () => {
  const two = newFolder();
  const more = newFolder();
  for (const [i, name] of COLOURS.slice(0, 2).entries()) addColours(more, name, i, 0, 6);
  await trainJob({ model: MODEL, data: more, out: two, epochs: 1, batchSize: 8 });
  const own = createAnswerer({ model: MODEL, decoderBytes: 16 << 20, threads: 2 });
  await own.change(ADAPTER);
  let isAlwaysReady = true;
  const looking = setInterval(() => {
    isAlwaysReady &&= own.isReady();
  });
  const answers = [
    own.answer({ bytes: RED }),
    own.change(two),
    own.answer({ bytes: RED }),
    own.change(newFolder()).catch((e: unknown) => e),
    own.answer({ bytes: RED }),
  ];
  const [first, , second, refusal, third] = (await Promise.all(answers)) as { predictions: unknown[] }[];
  assert.equal([first!.predictions.length, second!.predictions.length, third!.predictions.length], [3, 2, 2]);
  assert.instance(refusal, InputError);
  clearInterval(looking);
  assert.ok(isAlwaysReady, 'who asks while adapters change is answered afterwards');
  await own.close();
});

test.run();
