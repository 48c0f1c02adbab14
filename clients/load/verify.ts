// Compares what a load client counted with what the server counted meanwhile: any difference is an error of one of them.
//
// The server's counts are taken before and after, so this only makes sense while no other client uses the server.

import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadTotals } from './load-totals.ts';

/** What is compared, from GET /status of a server. */
export interface ServerCounts {
  shakes: number;
  won: number;
  none: number;
  overload: number;
  wonCents: number;
  notices: number;
  grabs: number;
  grabCents: number;
  /** Cents that the server's own books miss. */
  difference: number;
}

/** One line of the comparison. */
export interface Comparison {
  what: string;
  client: number;
  server: number;
  isCents: boolean;
}

/** How long the two sides may take to agree after the draining, in milliseconds. */
const SETTLE_MS = 5000;

/** Reads the counts of all servers together. @param token their control token; '' for none @throws {Error} when one cannot be read */
export async function readServerCounts(urls: readonly string[], token = ''): Promise<ServerCounts> {
  const all = await Promise.all(urls.map((url) => readOne(url, token)));
  const sum = { ...all[0] };
  for (const counts of all.slice(1)) {
    for (const name of Object.keys(sum) as (keyof ServerCounts)[]) sum[name] += counts[name];
  }
  return sum;
}

/** Reads the servers until they agree with the client, or the time for it runs out; the last comparison is returned. */
export async function compareWithServers(
  urls: readonly string[],
  before: ServerCounts,
  totals: LoadTotals,
  token = '',
): Promise<Comparison[]> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const comparisons = compareCounts(before, await readServerCounts(urls, token), totals);
    if (comparisons.every(({ client, server }) => client === server) || Date.now() > deadline) return comparisons;
    await sleep(100);
  }
}

/** The comparison, line by line. The last line holds the server's own books against 0. */
export function compareCounts(before: ServerCounts, after: ServerCounts, totals: LoadTotals): Comparison[] {
  const count = (what: string, client: number, name: keyof ServerCounts) => ({
    what,
    client,
    server: after[name] - before[name],
    isCents: false,
  });
  const cents = (what: string, client: number, name: keyof ServerCounts) => ({
    ...count(what, client, name),
    isCents: true,
  });
  return [
    count('shakes', totals.sent, 'shakes'),
    count('shakes answered', totals.answered, 'shakes'),
    count('won', totals.won, 'won'),
    count('none', totals.none, 'none'),
    count('overload', totals.overload, 'overload'),
    cents('won, yuan', totals.wonCents, 'wonCents'),
    count('notices', totals.notices, 'notices'),
    count('grabs', totals.grabsSent, 'grabs'),
    count('grabs answered', totals.grabsAnswered, 'grabs'),
    cents('grabbed, yuan', totals.grabCents, 'grabCents'),
    { what: 'missing in the books, yuan', client: 0, server: after.difference, isCents: true },
  ];
}

async function readOne(url: string, token: string): Promise<ServerCounts> {
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(new URL('/status', url), { headers });
  if (!response.ok) throw new Error(`${url}/status answered ${response.status}`);
  const status = (await response.json()) as {
    requests: { shake: number; grab: number };
    shakes: { won: number; wonCents: number; none: number; overload: number };
    grabs: { wonCents: number };
    notices: { sent: number };
    money: { difference: number };
  };
  return {
    shakes: status.requests.shake,
    won: status.shakes.won,
    none: status.shakes.none,
    overload: status.shakes.overload,
    wonCents: status.shakes.wonCents,
    notices: status.notices.sent,
    grabs: status.requests.grab,
    grabCents: status.grabs.wonCents,
    difference: status.money.difference,
  };
}
