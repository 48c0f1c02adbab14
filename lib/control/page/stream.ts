// The stream of /live: opens it, opens it again when it is cut, and says which of the two it is.
//
// It is read with fetch: an EventSource could not show the control token.

import type { LiveHello, LiveSecond, LiveState } from '../../monitor/live.ts';
import { type SseEvent, SseParser } from './sse-parser.ts';
import { askForToken, tokenHeaders } from './token.ts';

/** Seconds that are asked for at the start: as many as the page keeps. */
const PATH = '/live?seconds=900';

const AGAIN_AFTER_MS = 2000;

/** The server tells its state once a second: after so long without it the connection is dead, whatever the browser says. */
const SILENCE_MS = 7000;

const UNAUTHORIZED = 401;

export type LinkState = 'connecting' | 'live' | 'cut';

export interface StreamEvents {
  hello(hello: LiveHello): void;
  seconds(seconds: LiveSecond[]): void;
  state(state: LiveState): void;
  link(link: LinkState): void;
}

/** Follows the stream for as long as the page is open. */
export async function followStream(events: StreamEvents): Promise<never> {
  events.link('connecting');
  for (;;) {
    const status = await readOnce(events);
    if (status === UNAUTHORIZED) {
      events.link('connecting');
      await askForToken();
    } else {
      events.link('cut');
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }
}

/** Reads the stream until it is cut, or refused. Returns the status of the answer, 0 without one. */
async function readOnce(events: StreamEvents): Promise<number> {
  const connection = new AbortController();
  let silence = setTimeout(() => connection.abort(), SILENCE_MS);
  let status = 0;
  try {
    const response = await fetch(PATH, { headers: tokenHeaders(), signal: connection.signal, cache: 'no-store' });
    status = response.status;
    if (!response.ok || response.body === null) return status;
    const source = response.body.getReader();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await source.read();
      if (done) return status;
      clearTimeout(silence);
      silence = setTimeout(() => connection.abort(), SILENCE_MS);
      for (const event of parser.push(value)) tell(events, event);
    }
  } catch {
    return status;
  } finally {
    clearTimeout(silence);
    connection.abort();
  }
}

/** Hands on an event, unless its name is not known. @throws {SyntaxError} when it is not JSON */
function tell(events: StreamEvents, { name, data }: SseEvent): void {
  if (name === 'hello') {
    const hello = JSON.parse(data) as LiveHello;
    events.link('live');
    events.hello(hello);
  } else if (name === 'seconds') {
    events.seconds(JSON.parse(data) as LiveSecond[]);
  } else if (name === 'state') {
    events.state(JSON.parse(data) as LiveState);
  }
}
