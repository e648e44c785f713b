// Beside kills: terminals that are lost, and two runs that want one folder. Under Node, whose runs hear signals.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const REFUSED = /^s2a: .*: another run is going on in this folder/m;

/**
 * `count` SIGHUPs at random moments of runs that resume each time: each must save what it has, and every run end in the adapter `wanted`.
 * `run` is that of kill.mjs, `whole` what a run took that was left alone.
 */
export async function hangUp({ folder, command, run, random, whole, digestOf, wanted, count, fail }) {
  let [done, saved, right] = [0, 0, 0];
  for (let attempt = 0; done < count; attempt++) {
    const out = join(folder, `hangup-${attempt}`);
    mkdirSync(out);
    for (;;) {
      const last = done >= count;
      const ended = await run(command(out), last ? {} : { signal: 'SIGHUP', after: Math.floor(random() * whole.ms * 1.1) });
      // Node lets go of its signals before it has quite ended: one that comes then ends a run that has written and said everything.
      const isOver = ended.signal === 'SIGHUP' && ended.printed.includes('next: s2a predict');
      if (ended.code === 0 || isOver) {
        if (digestOf(out) !== wanted) fail(`hang-up, folder ${attempt}: the adapter differs`, ended.said);
        else right++;
        break;
      }
      done++;
      const isSaved = ended.said.includes('the run is saved in');
      const hasCheckpoint = existsSync(join(out, 'run')) && readdirSync(join(out, 'run')).some((name) => name.endsWith('.s2ac'));
      if (ended.code !== 130 || (isSaved && !hasCheckpoint)) {
        fail(`hang-up, folder ${attempt}: exit code ${ended.code}, ${hasCheckpoint ? 'a' : 'no'} checkpoint`, ended.said);
        break;
      }
      if (isSaved) saved++;
    }
    rmSync(out, { recursive: true, force: true });
  }
  console.log(`${done} hang-ups, ${saved} of them while learning; ${right} runs that went on to the same end`);
  return right;
}

/** `count` pairs of runs on one folder: of each exactly one is refused, before it has looked at a picture, and the other one goes on. */
export async function pairUp({ folder, command, random, count, fail }) {
  let [right, slowest] = [0, 0];
  for (let pair = 0; pair < count; pair++) {
    const out = join(folder, `pair-${pair}`);
    mkdirSync(out);
    const [file, ...words] = command(out);
    const args = [...words.filter((word) => word !== '--resume'), '--epochs', '5000'];
    const start = () => startOne(file, args);
    const first = start();
    // Half of them at the same moment.
    if (pair % 2) await new Promise((resolve) => setTimeout(resolve, random() * 300));
    const both = [first, start()];
    const loser = await Promise.race(both.map(({ ended }) => ended));
    const winner = both.find((one) => one !== loser.one);
    const isRefused = loser.code === 2 && REFUSED.test(loser.said) && !loser.said.includes('pictures:');
    if (!isRefused) fail(`pair ${pair}: the first to end was not refused, exit code ${loser.code}`, loser.said);
    if (winner === undefined) throw new Error('both runs are the one that ended');
    winner.stop();
    const { code, said } = await winner.ended;
    if (REFUSED.test(said) || code !== 130) fail(`pair ${pair}: the other one, exit code ${code}`, said);
    else if (isRefused) right++;
    slowest = Math.max(slowest, loser.ms);
    rmSync(out, { recursive: true, force: true });
  }
  console.log(`${count} pairs on one folder: ${right} times exactly one was refused, within ${slowest} ms of its process's start`);
  return right;
}

function startOne(file, args) {
  const began = Date.now();
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const one = { said: '', isAsked: false, isTold: false };
  const ask = () => {
    if (!one.isAsked || one.isTold || !one.said.includes('pictures:')) return;
    one.isTold = true;
    child.kill('SIGTERM');
  };
  child.stderr.setEncoding('utf8').on('data', (text) => {
    one.said += text;
    ask();
  });
  // Once it learns: before, a signal may find no one who hears it.
  one.stop = () => {
    one.isAsked = true;
    ask();
  };
  one.ended = new Promise((resolve) => child.on('close', (code) => resolve({ one, code, said: one.said, ms: Date.now() - began })));
  return one;
}
