// Chromium without a screen, spoken to over the pipes that it has for this: one page, its faults, what it asked the network for.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** @param {string} work folder for the browser's profile */
export async function openPage(work) {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', `--user-data-dir=${join(work, 'profile')}`];
  const browser = spawn(process.env.CHROMIUM ?? 'chromium', flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const [to, from] = /** @type {[import('node:stream').Writable, import('node:stream').Readable]} */ (
    /** @type {unknown} */ ([browser.stdio[3], browser.stdio[4]])
  );
  const waiting = new Map();
  /** Sentences of what went wrong in the page's script, or was kept from it by its policy. */
  const faults = [];
  /** Addresses that were asked for. */
  const requests = [];
  let next = 0;
  let rest = '';
  from.setEncoding('utf8').on('data', (text) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const { id, result, error, method, params } = JSON.parse(message);
      if (method === 'Runtime.exceptionThrown') faults.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
      if (method === 'Network.requestWillBeSent') requests.push(params.request.url);
      if (method === 'Log.entryAdded' && ['javascript', 'security'].includes(params.entry.source)) faults.push(params.entry.text);
      const { done, fail } = waiting.get(id) ?? {};
      if (error) fail?.(new Error(error.message));
      else done?.(result);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((done, fail) => {
      waiting.set(++next, { done, fail });
      to.write(`${JSON.stringify({ id: next, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    });
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  return { browser, faults, requests, ask: (method, params) => send(method, params, sessionId) };
}
