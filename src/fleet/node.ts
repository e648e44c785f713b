/**
 * A node of a fleet: it comes to the server, is asked, answers, and leaves when the run is over. Nothing of what the server gives once is lost by a kill (journal.ts),
 * and a server or a network that is gone is waited for.
 *
 *     connect ─► pull ─► journal ─► objects ─► confirm ─► work ─► journal ─► push ─► pull …
 */
import { InputError, Interrupted, S2aError } from '../base/error.ts';
import { mix } from '../base/hostrandom.ts';
import { whole } from '../formats/wirewriter.ts';
import * as api from './api.ts';
import { checkClock, tooLate } from './clock.ts';
import { isOfTheRound } from './contract.ts';
import type { FleetEvent } from './events.ts';
import type { Answer, Journal } from './journal.ts';
import type { NodeKey } from './key.ts';
import { Denied, type Link, Unreachable } from './link.ts';
import { announced, type Content, inMessage, type Metadata, type Reply, readContent, replyObject } from './message.ts';
import { namesIn, objectsIn, type Parsed, parseObject, treeMessage } from './objects.ts';
import { sleepFor, stopped } from './sleep.ts';

/**
 * What does the work of a message. An S2aError that it throws is a refusal, which the server is told before the node ends with it. One that waits for others
 * asks `isWanted` again and again, which takes its time, and returns undefined once that says no.
 */
export type Work = (asked: Metadata, content: Content, isWanted: () => Promise<boolean>) => Promise<Reply | undefined>;

export interface NodeOptions {
  link: Link;
  server: string;
  key: NodeKey;
  journal: Journal;
  work: Work;
  /** Most bytes that a message may have. */
  most: number;
  /** Whether it waits for another run when the first is over. */
  stays: boolean;
  signal: AbortSignal;
  tell(event: FleetEvent): void;
  /** In ms since 1970. */
  now?: () => number;
  /** Seconds until the first of more tries, and between two questions for work; for tests. */
  pace?: number;
}

/** Most seconds between two tries, and between two questions for work. */
const MOST_WAIT = 60;
const MOST_IDLE = 3;
/** Seconds without work after which it is asked whether the run goes on. */
const QUIET = 10;
/** How often an answer is sent whose objects the server does not keep. */
const MOST_SENDS = 5;

/** Runs a node to the end of its run. Throws Interrupted when it is stopped, InputError for a refusal. */
export async function runNode(options: NodeOptions): Promise<void> {
  const node = new FleetNode(options);
  try {
    await node.run();
  } finally {
    node.stop();
  }
}

class FleetNode {
  private readonly o: NodeOptions;
  /** Its number at the server; 0: not known there. */
  private id = 0n;
  private beats: ReturnType<typeof setInterval> | undefined;
  private isLost = false;
  /** A message that came while another was in work, and ended that. */
  private pulled: Uint8Array | undefined;
  /** Since when a number is asked for, in ms, where an answer may have been lost. */
  private askedSince: number | undefined;

  constructor(options: NodeOptions) {
    this.o = options;
  }

  stop(): void {
    clearInterval(this.beats);
    this.o.link.close();
  }

  async run(): Promise<void> {
    const { journal, link } = this.o;
    const [pace, now] = [this.o.pace ?? 1, this.o.now ?? Date.now];
    let [idle, quietSince] = [0, now()];
    for (;;) {
      if (this.id === 0n) await this.connect();
      const answer = journal.answer;
      if (answer) await this.deliver(answer);
      else if (this.pulled ?? journal.message) await this.take((this.pulled ?? journal.message)!, this.pulled === undefined);
      else {
        const pulled = await this.patiently(() => api.pull(link, this.id));
        if (pulled === undefined) continue;
        if (api.readPulled(pulled) === undefined) {
          const run = journal.place?.run ?? 0n;
          if (run !== 0n && now() - quietSince > QUIET * 1000 * pace) {
            quietSince = now();
            const goesOn = await this.patiently(() => api.isRunning(link, this.id, run));
            if (goesOn === false && (await this.leave(run))) return;
          }
          idle = Math.min(MOST_IDLE, idle + 0.5);
          await this.sleep(idle * pace);
          continue;
        }
        this.keep('message', pulled);
        await this.take(pulled, false);
      }
      [idle, quietSince] = [0, now()];
    }
  }

  /** Is known to the server from here on, under its earlier number where that still counts. */
  private async connect(): Promise<void> {
    const { link, key, journal, server, tell } = this.o;
    const place = journal.place;
    const isKnown =
      place?.server === server &&
      (await this.patiently(
        () => api.heartbeat(link, place.node).catch(noted),
        (e) => this.checkClock(e),
      ));
    if (isKnown) this.id = place.node;
    else {
      const refuse = (error: Denied): never => this.notAccepted(error);
      await this.patiently(() => api.register(link, key.publicPem), refuse);
      const id = await this.patiently(() => this.activate(), refuse);
      if (id === undefined) throw new InputError({ where: server, what: 'the server took the key and forgot it again' });
      this.id = id;
      const isSame = place?.node === id;
      // A server that lost its list knows neither the message in work nor the run.
      if (!isSame && journal.message) this.drop('it was for a node that the server has forgotten');
      journal.place = { server, node: id, run: isSame ? place.run : 0n };
    }
    tell({ event: 'joined', server, node: String(this.id), key: key.fingerprint });
    clearInterval(this.beats);
    this.beats = setInterval(() => void this.beat(), api.HEARTBEAT * 250);
    this.beats.unref();
  }

  /**
   * Asks for a number. Where the answer to that was lost the server has the node already, and says no until it has missed two signs of life: then it is asked
   * again.
   */
  private async activate(): Promise<bigint> {
    const { link, key } = this.o;
    const now = (this.o.now ?? Date.now)();
    try {
      return await api.activate(link, key.publicPem);
    } catch (error) {
      if (error instanceof Unreachable) this.askedSince ??= now;
      const isThere = error instanceof Denied && error.code === api.Code.NotActivated;
      if (isThere && this.askedSince !== undefined && now - this.askedSince < 2500 * api.HEARTBEAT)
        throw new Unreachable('it has the node already, whose answer was lost, and lets it in anew after some minutes');
      throw error;
    }
  }

  /** A sign of life beside the work. What goes wrong is seen by the next call of the loop, but for a server that has forgotten the node. */
  private async beat(): Promise<void> {
    try {
      if (this.id !== 0n && !(await api.heartbeat(this.o.link, this.id))) this.id = 0n;
    } catch {
      // The loop's own calls tell of it.
    }
  }

  private checkClock(error: Denied): void {
    checkClock(this.o.server, (this.o.now ?? Date.now)(), error);
  }

  private notAccepted(error: Denied): never {
    this.checkClock(error);
    throw new InputError({
      where: this.o.server,
      what: `the server does not accept this node's key: ${error.message}`,
      got: this.o.key.fingerprint,
      hint: 'the keeper of the fleet registers the .pub file beside --key; one that was killed a moment ago is let in again after some minutes',
    });
  }

  /** Takes a message to its answer. */
  private async take(content: Uint8Array, resumed: boolean): Promise<void> {
    const { journal, tell, link, work, most } = this.o;
    this.pulled = undefined;
    const pulled = api.readPulled(content)!;
    const { asked } = pulled;
    const about = { type: asked.type, round: Number(asked.group) || 0, run: String(asked.run) };
    if (asked.to !== this.id) return void this.drop('it was for a node that the server has forgotten');
    if (this.isPast(asked.created + asked.ttl)) return void this.dropLate(asked.created + asked.ttl);
    const place = journal.place!;
    if (place.run !== asked.run) this.keep('place', { ...place, run: asked.run });
    tell({ event: 'asked', ...about, resumed });
    const began = { ms: Date.now() };
    const objects = await this.fetch(pulled);
    if (objects === undefined) return;
    let refusal: S2aError | undefined;
    let reply: Reply;
    try {
      const content = readContent(this.o.server, objects.get(pulled.tree.id)!, (id) => inMessage(objects, id), { bytes: most });
      const found = await work(asked, content, () => this.isWanted(asked));
      if (found === undefined) return;
      reply = found;
    } catch (error) {
      if (!(error instanceof S2aError) || error instanceof Interrupted) throw error;
      refusal = error;
      reply = { error: error.message };
    }
    const seconds = (Date.now() - began.ms) / 1000;
    const now = (this.o.now ?? Date.now)() / 1000;
    const object = replyObject(asked, reply, now);
    const reason = 'error' in reply ? reply.error : '';
    const answer: Answer = {
      run: asked.run,
      said: whole(announced(asked, object.id, object, reason, now)),
      tree: whole(treeMessage(object)),
      objects: new Map([...objectsIn(object)].map(([id, one]) => [id, one.content])),
      seconds,
      deadline: asked.created + asked.ttl,
    };
    this.keep('answer', answer);
    const isTaken = await this.deliver(answer, true);
    if (isTaken) tell({ event: 'answered', ...about, seconds, up: link.up, down: link.down, ...(reason === '' ? {} : { error: reason }) });
    if (refusal && !isOfTheRound(refusal)) throw refusal;
  }

  /** Writes to the journal. On a full disk the node goes on without, and says so: the work itself tells whether it can be done. */
  private keep<K extends 'message' | 'objects' | 'answer' | 'place'>(what: K, value: NonNullable<Journal[K]>): void {
    try {
      this.o.journal[what] = value;
    } catch (error) {
      if (!(error instanceof S2aError) || error.code !== 'S2A_DISK') throw error;
      this.o.tell({ event: 'warning', text: `${error.message}; until there is room, a node that is killed loses what it has in work` });
    }
  }

  /** Waits a while; then whether the message in work is still worth an answer. One that is not is in the journal no more. */
  private async isWanted({ created, ttl, run }: Metadata): Promise<boolean> {
    const { link, pace = 1 } = this.o;
    await this.sleep(MOST_IDLE * pace);
    if (this.isPast(created + ttl)) return this.dropLate(created + ttl);
    const pulled = await this.patiently(() => api.pull(link, this.id));
    if (pulled === undefined) return false;
    if (api.readPulled(pulled) !== undefined) {
      this.keep('message', pulled);
      this.pulled = pulled;
      this.o.tell({ event: 'late', why: 'the server has gone on to its next question' });
      return false;
    }
    const goesOn = await this.patiently(() => api.isRunning(link, this.id, run));
    if (goesOn === false) this.drop('the run is over');
    return goesOn === true;
  }

  private isPast(deadline: number): boolean {
    return (this.o.now ?? Date.now)() / 1000 > deadline;
  }

  private drop(why: string): false {
    this.o.journal.finish();
    this.o.tell({ event: 'late', why });
    return false;
  }

  private dropLate(deadline: number): false {
    return this.drop(tooLate(deadline, (this.o.now ?? Date.now)()));
  }

  /** All objects of a message, checked: those that the node has kept are not asked for again. Undefined where the message is worth nothing any more. */
  private async fetch({ asked, tree }: api.Pulled): Promise<Map<string, Parsed> | undefined> {
    const { journal, link, server, most } = this.o;
    const kept = journal.objects;
    const found = new Map<string, Uint8Array>();
    const parsed = new Map<string, Parsed>();
    let [isNew, bytes] = [false, 0];
    for (const name of namesIn(tree)) {
      let content = kept.get(name);
      while (content === undefined) {
        const got = await this.patiently(() => api.pullObject(link, this.id, asked.run, name));
        if (got === undefined) return undefined;
        const isLate = this.isPast(asked.created + asked.ttl);
        if (isLate) this.dropLate(asked.created + asked.ttl);
        else if (got === 'gone') this.drop('the server has forgotten what it asked');
        if (isLate || got === 'gone') return undefined;
        if (got === 'wait') await this.sleep(0.5);
        else [content, isNew] = [got, true];
      }
      bytes += content.length;
      if (bytes > most)
        throw new InputError({
          where: server,
          what: 'sends more than any adapter of this network takes',
          expected: `at most ${most} bytes`,
        });
      found.set(name, content);
      parsed.set(name, parseObject(server, name, content));
    }
    // Arrays of the last adapter come again with the next message.
    if (isNew) this.keep('objects', found);
    await this.patiently(() => api.confirm(link, this.id, asked.run, tree.id));
    return parsed;
  }

  /** Sends an answer until it is taken, or nobody waits for it: then false. */
  private async deliver(answer: Answer, isFirst = false): Promise<boolean> {
    const { link, journal, server } = this.o;
    const { run, seconds, objects } = answer;
    const raw = (content: Uint8Array) => ({ bytes: content.length, pieces: [content] });
    // One that an earlier process may have sent already is taken though nothing is wanted of it.
    let isTaken = !isFirst;
    for (let tries = 0; tries < MOST_SENDS; tries++) {
      if (this.isPast(answer.deadline)) break;
      const told = await this.patiently(() => api.push(link, this.id, { said: raw(answer.said), tree: raw(answer.tree), seconds }));
      if (told === undefined) return false;
      isTaken ||= told.wanted.length > 0;
      let isKept = true;
      for (const name of told.wanted) {
        const content = objects.get(name);
        if (content === undefined) throw new InputError({ where: server, what: 'asks for an object that is not of the answer', got: name });
        const kept = await this.patiently(() => api.pushObject(link, this.id, { run, session: told.session, name, content }));
        if (kept === undefined) return false;
        isKept &&= kept;
      }
      if (!isTaken) break;
      if (!isKept) {
        await this.sleep(this.o.pace ?? 1);
        continue;
      }
      journal.finish();
      return true;
    }
    if (this.isPast(answer.deadline)) this.dropLate(answer.deadline);
    else this.drop('the server no longer waits for the answer');
    return false;
  }

  /** Leaves a run that is over; false where the node waits for another. */
  private async leave(run: bigint): Promise<boolean> {
    const { journal, link, server, tell, stays } = this.o;
    journal.finish();
    if (stays) {
      this.keep('place', { server, node: this.id, run: 0n });
      return false;
    }
    clearInterval(this.beats);
    await this.patiently(async () => {
      await api.deactivate(link, this.id).catch(noted);
      await api.unregister(link, this.id);
    });
    journal.place = undefined;
    tell({ event: 'left', run: String(run), up: link.up, down: link.down });
    return true;
  }

  /**
   * Does a call, again and again while the server is not there. Undefined where the server no longer knows the node or the run: the loop begins
   * anew. `denied` sees every other no, and may refuse.
   */
  private async patiently<T>(call: () => Promise<T>, denied?: (error: Denied) => void): Promise<T | undefined> {
    const { tell, signal, key } = this.o;
    for (let tries = 0; ; tries++) {
      if (signal.aborted) throw stopped();
      try {
        const result = await call();
        if (this.isLost) tell({ event: 'back' });
        this.isLost = false;
        return result;
      } catch (error) {
        if (signal.aborted) throw stopped();
        if (error instanceof Denied) {
          denied?.(error);
          this.checkClock(error);
          if (error.code === api.Code.RunOver) this.drop('the run is over');
          else if (error.status !== 401) throw new InputError({ where: this.o.server, what: `the server refuses: ${error.message}` });
          else this.id = 0n;
          return undefined;
        }
        if (!(error instanceof Unreachable)) throw error;
        // Nodes that lost one server together do not come back together.
        const spread = 0.75 + mix(Number.parseInt(key.fingerprint.slice(0, 8), 16), tries) / 2 ** 33;
        const seconds = Math.min(MOST_WAIT, 2 ** Math.min(tries, 6)) * spread * (this.o.pace ?? 1);
        this.isLost = true;
        tell({ event: 'lost', why: error.message, seconds });
        await this.sleep(seconds);
      }
    }
  }

  private sleep(seconds: number): Promise<void> {
    return sleepFor(seconds, this.o.signal);
  }
}

/** A no that changes nothing. */
function noted(error: unknown): false {
  if (error instanceof Denied && error.status !== 401) return false;
  throw error;
}
