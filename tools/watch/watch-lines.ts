// Watching as text: a line a second on stdout, for logs, scripts and terminals that cannot do more.

import type { LiveSecond } from '../../lib/monitor/live.ts';
import { formatCount, formatMs } from '../../lib/monitor/text-table.ts';
import type { Follower, LiveEvent } from './follow-live.ts';
import { RipeSeconds } from './ripe-seconds.ts';
import { meanOf, rateOf, shakeLatency, timeOf } from './second-facts.ts';
import { cleanText } from './styled-text.ts';

/** The heading is printed again after so many lines. */
const HEADING_EVERY = 20;

/** Seconds wanted at the start: the last whole one is printed at once. At most so many are fetched after a cut. */
const SECONDS_AT_START = 2;
const MOST_SECONDS = 60;

type Read = (second: LiveSecond) => number | undefined;

/** Heading, width, what it shows, and how. */
const COLUMNS: readonly [string, number, Read, (value: number) => string][] = [
  ['time', 8, ({ second }) => second, timeOf],
  ['connections', 11, ({ server, client }) => server?.gauges.connections ?? client?.gauges.connected, formatCount],
  ['sent/s', 9, ({ client }) => rateOf(client, 'sent'), formatCount],
  ['answered/s', 10, ({ client }) => rateOf(client, 'answered'), formatCount],
  ['shakes/s', 9, ({ server }) => rateOf(server, 'requestsShake'), formatCount],
  ['won/s', 7, ({ server }) => rateOf(server, 'shakesWon'), formatCount],
  ['released/s', 10, ({ server }) => rateOf(server, 'packetsReleased'), formatCount],
  ['overload/s', 10, ({ server }) => rateOf(server, 'shakesOverload'), formatCount],
  ['grabs/s', 7, ({ server }) => rateOf(server, 'requestsGrab'), formatCount],
  ['p50 ms', 9, (second) => shakeLatency(second)?.p50Us, formatMs],
  ['p99 ms', 9, (second) => shakeLatency(second)?.p99Us, formatMs],
  ['p99.9 ms', 9, (second) => shakeLatency(second)?.p999Us, formatMs],
  ['ring ms', 8, ({ server }) => server?.gauges.ringWaitMaxUs, formatMs],
  ['level', 5, ({ server }) => server?.gauges.level, formatCount],
  ['sync ms', 8, ({ server }) => meanOf(server, 'journalSyncUs', 'journalSyncs'), formatMs],
  ['diff cents', 10, ({ server }) => server?.gauges.differenceCents, formatCount],
];

/** Where lines go: what is read and counted by programs, and what is said to people beside it. */
export interface LineOutput {
  print(line: string): void;
  say(sentence: string): void;
}

export class WatchLines implements Follower {
  readonly #output: LineOutput;
  readonly #count: number;
  readonly #end: () => void;
  readonly #now: () => number;
  readonly #seconds = new RipeSeconds();
  #heardAt: number | undefined;
  #isCut = false;
  #printed = 0;

  /** @param count lines after which it ends @param end called then @param now milliseconds of a clock that only goes forward */
  constructor(output: LineOutput, count: number, end: () => void, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#count = count;
    this.#end = end;
    this.#now = now;
  }

  secondsWanted(): number {
    if (this.#heardAt === undefined) return SECONDS_AT_START;
    const missed = Math.ceil((this.#now() - this.#heardAt) / 1000);
    return Math.min(MOST_SECONDS, SECONDS_AT_START + missed);
  }

  take(event: LiveEvent): void {
    if (event.kind === 'cut') {
      this.#isCut = true;
      this.#output.say(`cut: ${cleanText(event.reason)}; trying to connect again`);
      return;
    }
    this.#heardAt = this.#now();
    if (event.kind === 'hello') {
      if (this.#isCut) this.#output.say('connected again');
      this.#isCut = false;
    } else if (event.kind === 'seconds') {
      this.#seconds.add(event.seconds, this.#now());
      this.tick();
    }
  }

  /** Prints the seconds that are ripe. */
  tick(): void {
    for (const second of this.#seconds.take(this.#now())) {
      if (this.#printed === this.#count) return;
      if (this.#printed % HEADING_EVERY === 0) this.#output.print(formatHeading());
      this.#output.print(formatSecond(second));
      this.#printed++;
      if (this.#printed === this.#count) this.#end();
    }
  }
}

function formatHeading(): string {
  return COLUMNS.map(([name, width], i) => (i === 0 ? name.padEnd(width) : name.padStart(width))).join('  ');
}

/** One second as a line; `-` is what nobody has told. */
export function formatSecond(second: LiveSecond): string {
  return COLUMNS.map(([, width, read, format]) => {
    const value = read(second);
    return (value === undefined ? '-' : format(value)).padStart(width);
  }).join('  ');
}
