// Follows GET /live of a server or monitor: connects, hands on what comes, and connects again when it is cut.

import { setTimeout as sleep } from 'node:timers/promises';
import { SseParser } from '../../lib/control/page/sse-parser.ts';
import type { LiveHello, LiveSecond, LiveState } from '../../lib/monitor/live.ts';
import { bearer, type ControlBase } from '../control-client.ts';
import { UsageError } from '../usage-error.ts';

/** How long it waits before it connects again, in milliseconds. */
const PAUSE_MS = 1000;

/** A stream in which nothing comes for so long is cut, in milliseconds: there is something every second. */
const SILENT_MS = 10_000;

export type LiveEvent =
  | { kind: 'hello'; hello: LiveHello }
  | { kind: 'seconds'; seconds: LiveSecond[] }
  | { kind: 'state'; state: LiveState }
  /** The stream is cut, and from now on it tries to connect again; told once, until the next hello. */
  | { kind: 'cut'; reason: string };

export interface Follower {
  /** How many of the last seconds are wanted; asked each time before it connects. */
  secondsWanted(): number;
  take(event: LiveEvent): void;
}

/**
 * Follows until the signal says to stop. What the follower throws ends it.
 * @param control where the control API is
 * @throws {UsageError} when it cannot be reached at the start
 */
export async function followLive(control: ControlBase, follower: Follower, signal: AbortSignal): Promise<void> {
  let hasBegun = false;
  let isCut = false;
  const take = (event: LiveEvent) => {
    hasBegun = true;
    if (event.kind === 'hello') isCut = false;
    follower.take(event);
  };
  while (!signal.aborted) {
    const reason = await readOnce(control, follower.secondsWanted(), take, signal);
    if (signal.aborted) return;
    if (!hasBegun) throw new UsageError(`cannot watch ${control.url}: ${reason}`);
    if (!isCut) follower.take({ kind: 'cut', reason });
    isCut = true;
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}

/** Reads one stream to its end, which is told as a sentence. */
async function readOnce(
  { url, token }: ControlBase,
  seconds: number,
  take: (event: LiveEvent) => void,
  signal: AbortSignal,
): Promise<string> {
  const connection = new AbortController();
  const silence = setTimeout(() => connection.abort(), SILENT_MS);
  const either = AbortSignal.any([signal, connection.signal]);
  const parser = new SseParser();
  // What reading throws is a cut; what the follower throws is not, so it is told apart.
  const read = async <T>(next: () => T | Promise<T>): Promise<T | Error> => {
    try {
      return await next();
    } catch (error) {
      return error as Error;
    }
  };
  try {
    const response = await read(() =>
      fetch(new URL(`/live?seconds=${seconds}`, url), {
        signal: either,
        headers: { accept: 'text/event-stream', ...bearer(token) },
      }),
    );
    if (response instanceof Error) return describe(response, connection.signal);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (!response.ok || !isStream || response.body === null) return await readRefusal(response);
    const reader = response.body.getReader();
    for (;;) {
      const chunk = await read(() => reader.read());
      if (chunk instanceof Error) return describe(chunk, connection.signal);
      if (chunk.done) return 'the stream has ended';
      silence.refresh();
      const events = await read(() => parser.push(chunk.value));
      if (events instanceof Error) return describe(events, connection.signal);
      for (const { name, data } of events) {
        const event = await read(() => toLive(name, data));
        if (event instanceof Error) return describe(event, connection.signal);
        if (event !== undefined) take(event);
      }
    }
  } finally {
    clearTimeout(silence);
    connection.abort();
  }
}

/** The event, or undefined if its name is not known: a later version may have more. @throws {Error} when it is not JSON */
function toLive(name: string, data: string): LiveEvent | undefined {
  if (name === 'hello') return { kind: name, hello: JSON.parse(data) as LiveHello };
  if (name === 'seconds') return { kind: name, seconds: JSON.parse(data) as LiveSecond[] };
  if (name === 'state') return { kind: name, state: JSON.parse(data) as LiveState };
  return undefined;
}

async function readRefusal(response: Response): Promise<string> {
  const answer = (await response.json().catch(() => ({}))) as { message?: unknown } | null;
  if (!response.ok && typeof answer?.message === 'string') return answer.message;
  return response.ok ? 'what answers there has no live view' : `it answers ${response.status}`;
}

function describe(error: Error, silent: AbortSignal): string {
  if (silent.aborted) return `nothing came for ${SILENT_MS / 1000} s`;
  const cause = error.cause instanceof Error ? error.cause : error;
  return cause.message === '' ? String((cause as { code?: string }).code) : cause.message;
}
