// A fuzz run: wrong traffic on many connections at once and on the control API, honest users beside it, and then the books.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callControl } from '../control-client.ts';
import { type Flatness, type FlatRule, judgeFlat, LEAST_POINTS, type Point } from '../soak/flatness.ts';
import { CloseTally, type ServerCloses } from './close-tally.ts';
import { drawScript, type Script } from './draw-script.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { type HonestCounts, HonestUsers } from './honest-users.ts';
import { drawHttp, type HttpScript, playHttp } from './http-fuzz.ts';
import { FUZZ_FIRST_USER, FUZZ_RICH_USERS, HONEST_FIRST_USER, INPUTS_PER_HTTP } from './limits.ts';
import { type Played, playScript } from './play-script.ts';
import { type Recording, recordSessions } from './record-sessions.ts';
import { shrinkScript, writeReproducer } from './reproducer.ts';

const MB = 1024 * 1024;

/** Honest users beside the fuzzer. */
const HONEST_USERS = 6;

/** HTTP requests at once, and scripts that wait for a time limit of the server at once. */
const HTTP_LANES = 6;
const MOST_STALLED = 32;

/** How often memory and files are looked at, in milliseconds. */
const LOOK_MS = 250;

/** Wrong outcomes that are kept, and after so many the run ends. */
const MOST_WRONGS = 10;

/** How long the server may take to count the last closes, in milliseconds. */
const SETTLE_MS = 30_000;

/**
 * Resident memory over the second half of the run: two minutes of samples, and the last 256 request keys of every user, still
 * fill in a run of minutes. Open files are compared before and after.
 */
export const MEMORY_RULE: FlatRule = { perHour: 0.1, slack: 96 * MB, step: 64 * MB };

/** Files that may be open after the run beyond those before it: connections of the control API that are kept. */
const MORE_FILES = 16;

/** What each of the fuzzer's users with money has, in cents. */
const RICH_CENTS = 100_000;

export interface FuzzOptions {
  seed: number;
  /** When it ends, whichever comes first. */
  inputs: number;
  seconds: number;
  connections: number;
  /** Where reproducers go. */
  directory: string;
  /** Connections stall and wait for the time limits of the server: tens of seconds. */
  hasPatience: boolean;
  memoryRule: FlatRule;
  /** How long the server may take over one connection, in milliseconds. */
  patienceMs: number;
  onProgress: (counts: FuzzCounts) => void;
}

export interface FuzzCounts {
  inputs: number;
  bytes: number;
  connections: number;
  requests: number;
  /** By fault, what the streams were. */
  faults: Record<string, number>;
}

export interface FuzzResult {
  counts: FuzzCounts;
  honest: HonestCounts;
  closed: Partial<Record<string, number>>;
  memory: Flatness | undefined;
  filesBefore: number;
  filesAfter: number;
  /** What is wrong, as sentences, and the files that show it again. */
  wrongs: string[];
  reproducers: string[];
  seconds: number;
}

/** Fuzzes a server that nobody else uses, stops it, and audits its journal. */
export async function runFuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const run = new FuzzRun(target, options);
  return await run.run();
}

class FuzzRun {
  readonly #target: FuzzTarget;
  readonly #options: FuzzOptions;
  readonly #tally = new CloseTally();
  readonly #counts: FuzzCounts = { inputs: 0, bytes: 0, connections: 0, requests: 0, faults: {} };
  readonly #wrongs: string[] = [];
  readonly #reproducers: string[] = [];
  readonly #memory: Point[] = [];
  /** What is under way: one of these is to blame if the server ends. */
  readonly #playing = new Set<Script>();
  readonly #requesting = new Set<HttpScript>();
  #startedAt = performance.now();
  #stalled: Promise<void>[] = [];
  #stalledCount = 0;
  #nextScript = 0;
  #nextRequest = 0;
  #hasEnded = false;

  constructor(target: FuzzTarget, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<FuzzResult> {
    const { controlUrl, port } = this.#target;
    const { seed, connections } = this.#options;
    this.#target.ended.then((words) => this.#onEnded(words));
    const recording = await recordSessions(port);
    const honest = new HonestUsers(controlUrl, seed, HONEST_USERS);
    await this.#prepare();
    await this.#waitForQuiet();
    const before = await this.#readCloses();
    const filesBefore = this.#target.look().openFiles;
    await honest.start(port);
    this.#startedAt = performance.now();
    const watch = setInterval(() => this.#look(), LOOK_MS);
    const lanes = [
      ...Array.from({ length: connections }, () => this.#fuzzConnections(recording)),
      ...Array.from({ length: HTTP_LANES }, () => this.#fuzzHttp()),
    ];
    await Promise.all(lanes);
    await Promise.all(this.#stalled);
    clearInterval(watch);
    if (!this.#hasEnded)
      await honest.stop().catch((error: Error) => this.#wrongs.push(`honest users: ${error.message}`));
    this.#wrongs.push(...honest.troubles);
    for (let i = 0; i < HONEST_USERS; i++) this.#tally.add(new Set(['peer']));
    const { closed, filesAfter } = this.#hasEnded
      ? { closed: {}, filesAfter: 0 }
      : await this.#settle(before, filesBefore);
    return {
      counts: this.#counts,
      honest: honest.counts,
      closed,
      memory: this.#judgeMemory(),
      filesBefore,
      filesAfter,
      wrongs: this.#wrongs,
      reproducers: this.#reproducers,
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }

  /** Money to win, to grab and to send. */
  async #prepare(): Promise<void> {
    const { controlUrl } = this.#target;
    const post = (path: string, body: object) => callControl(controlUrl, 'POST', path, body);
    const senders = Array.from({ length: FUZZ_RICH_USERS }, (_, i) => FUZZ_FIRST_USER + i);
    await Promise.all(senders.map((userId) => post(`/users/${userId}/topup`, { cents: RICH_CENTS, key: 'start' })));
    await post('/drops', { count: 1_000_000, rate: 50, budget: 100_000_000 });
    const users = [HONEST_FIRST_USER, HONEST_FIRST_USER + HONEST_USERS - 1];
    await post('/sends', { count: 100_000, rate: 5, shares: 3, total: [30, 600], users });
  }

  get #isOver(): boolean {
    const { inputs, seconds } = this.#options;
    return (
      this.#hasEnded ||
      this.#wrongs.length >= MOST_WRONGS ||
      this.#counts.inputs >= inputs ||
      performance.now() - this.#startedAt > seconds * 1000
    );
  }

  async #fuzzConnections(recording: Recording): Promise<void> {
    while (!this.#isOver) {
      const script = drawScript(this.#options.seed, this.#nextScript++, recording);
      if (script.ending !== 'stall') {
        await this.#play(script);
        continue;
      }
      if (!this.#options.hasPatience || this.#stalledCount >= MOST_STALLED) continue;
      this.#stalledCount++;
      this.#stalled.push(
        this.#play(script).finally(() => {
          this.#stalledCount--;
        }),
      );
    }
  }

  async #play(script: Script): Promise<void> {
    this.#playing.add(script);
    const played = await playScript(this.#target.port, script, this.#options.patienceMs);
    if (this.#hasEnded) return;
    this.#playing.delete(script);
    this.#count(script, played);
    if (played.wrong === undefined) return;
    const name = `connection ${script.index}: ${played.wrong}`;
    if (this.#wrongs.push(name) > MOST_WRONGS) return;
    const small = await shrinkScript(script, async (smaller) => {
      const again = await playScript(this.#target.port, smaller, this.#options.patienceMs);
      this.#count(smaller, again);
      return again.wrong !== undefined && !this.#hasEnded;
    });
    this.#save(`connection-${script.index}`, name, [small], []);
  }

  #count({ inputs }: Script, { judgement, reasons }: Played): void {
    const counts = this.#counts;
    counts.connections++;
    counts.inputs += inputs.length;
    for (const input of inputs) counts.bytes += input.length;
    const fault = judgement.fault ?? 'none';
    counts.faults[fault] = (counts.faults[fault] ?? 0) + 1;
    this.#tally.add(reasons);
    this.#options.onProgress(counts);
  }

  async #fuzzHttp(): Promise<void> {
    while (!this.#isOver) {
      if (this.#nextRequest > this.#counts.inputs / INPUTS_PER_HTTP) {
        await sleep(5);
        continue;
      }
      const request = drawHttp(this.#options.seed, this.#nextRequest++);
      this.#requesting.add(request);
      const wrong = await playHttp(this.#target.controlUrl, request);
      if (this.#hasEnded) return;
      this.#requesting.delete(request);
      this.#counts.requests++;
      if (wrong === undefined) continue;
      const name = `request ${request.index}: ${wrong}`;
      if (this.#wrongs.push(name) <= MOST_WRONGS) this.#save(`request-${request.index}`, name, [], [request]);
    }
  }

  #save(name: string, wrong: string, connections: Script[], requests: HttpScript[]): void {
    const { directory, seed } = this.#options;
    const path = join(directory, `fuzz-${seed}-${name}.json`);
    writeReproducer(path, { seed, wrong, connections, requests });
    this.#reproducers.push(path);
  }

  /** The server ended by itself: what was under way is kept, all of it. */
  #onEnded(words: string): void {
    if (this.#isStopping) return;
    this.#hasEnded = true;
    this.#wrongs.push(words);
    this.#save('end', words, [...this.#playing], [...this.#requesting]);
  }

  #isStopping = false;

  /** Waits for the last closes, compares both ends and the books, stops the server, and audits. */
  async #settle(before: ServerCloses, filesBefore: number) {
    const wrongs = this.#wrongs;
    await this.#waitForQuiet();
    const after = await this.#readCloses();
    const filesAfter = this.#target.look().openFiles;
    wrongs.push(...this.#tally.compare(before, after));
    if (filesAfter > filesBefore + MORE_FILES)
      wrongs.push(`${filesAfter} files are open, and ${filesBefore} were before`);
    const { money } = (await callControl(this.#target.controlUrl, 'GET', '/status')) as {
      money: { difference: number };
    };
    if (money.difference !== 0) wrongs.push(`the server's books miss ${money.difference} cents`);
    this.#isStopping = true;
    await this.#target.stop().catch((error: Error) => wrongs.push(error.message));
    for (const line of this.#target.errors) wrongs.push(`the log has an error: ${line}`);
    for (const finding of await this.#target.audit()) wrongs.push(`audit: ${finding}`);
    const memory = this.#judgeMemory();
    if (memory !== undefined && !memory.isFlat) {
      wrongs.push(
        `resident memory is not flat: it rose by ${(memory.rise / MB).toFixed(1)} MB, with a step of ${(memory.largestStep / MB).toFixed(1)} MB`,
      );
    }
    const closed: Partial<Record<string, number>> = {};
    for (const [reason, count] of Object.entries(after.closed)) closed[reason] = count! - (before.closed[reason] ?? 0);
    return { closed, filesAfter };
  }

  #judgeMemory(): Flatness | undefined {
    return this.#memory.length < LEAST_POINTS ? undefined : judgeFlat(this.#memory, this.#options.memoryRule);
  }

  #look(): void {
    if (this.#hasEnded) return;
    const atSeconds = (performance.now() - this.#startedAt) / 1000;
    this.#memory.push({ atSeconds, value: this.#target.look().residentBytes });
  }

  async #waitForQuiet(): Promise<void> {
    const untilMs = performance.now() + SETTLE_MS;
    while (performance.now() < untilMs) {
      const { connections } = (await callControl(this.#target.controlUrl, 'GET', '/status')) as {
        connections: { open: number };
      };
      if (connections.open === 0) return;
      await sleep(50);
    }
    this.#wrongs.push(`after ${SETTLE_MS} ms connections are still open`);
  }

  async #readCloses(): Promise<ServerCloses> {
    const { connections } = (await callControl(this.#target.controlUrl, 'GET', '/status')) as {
      connections: ServerCloses;
    };
    return connections;
  }
}
