// GET /live: the stream of seconds and states that viewers hold open, as server-sent events. See lib/monitor/live.ts.
//
// While nobody looks nothing is done. A viewer that does not read is let go: it comes again by itself, and gets the past.

import type { ServerResponse } from 'node:http';
import type { LiveHello, LiveSecond, LiveState } from '../monitor/live.ts';
import type { Monitor } from '../monitor/monitor.ts';

/** Viewers at once: each costs a little every second. */
export const MOST_VIEWERS = 32;

/** Bytes that may wait for a viewer: some minutes of a slow one, and the whole past for a new one. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

const STATE_MS = 1000;

export interface LiveParts {
  monitor: Monitor;
  hello: LiveHello;
  /** What the server has to say of itself, beside the monitor. */
  readOwn: () => Promise<Partial<LiveState>>;
  onError: (error: Error) => void;
}

export class LiveStream {
  readonly #parts: LiveParts;
  readonly #viewers = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => {};

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  get isFull(): boolean {
    return this.#viewers.size >= MOST_VIEWERS;
  }

  /** Begins to tell a viewer. @param seconds of the past */
  open(response: ServerResponse, seconds: number): void {
    const { monitor, hello } = this.#parts;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    if (this.#viewers.size === 0) this.#begin();
    this.#viewers.add(response);
    response.once('close', () => this.#forget(response));
    response.write(format('hello', hello));
    response.write(format('seconds', monitor.since(Math.floor(Date.now() / 1000) - seconds)));
    void this.#readState().then((state) => state !== undefined && response.write(format('state', state)));
  }

  /** Ends every view. */
  close(): void {
    for (const viewer of this.#viewers) viewer.end();
  }

  #begin(): void {
    this.#unsubscribe = this.#parts.monitor.subscribe((seconds: LiveSecond[]) =>
      this.#tell(format('seconds', seconds)),
    );
    this.#timer = setInterval(async () => {
      const state = await this.#readState();
      if (state !== undefined) this.#tell(format('state', state));
    }, STATE_MS);
  }

  #forget(viewer: ServerResponse): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  #tell(text: string): void {
    for (const viewer of this.#viewers) {
      if (viewer.writableLength > MOST_WAITING_BYTES) viewer.destroy();
      else viewer.write(text);
    }
  }

  async #readState(): Promise<LiveState | undefined> {
    try {
      return { nowMs: Date.now(), ...this.#parts.monitor.state(), ...(await this.#parts.readOwn()) };
    } catch (error) {
      this.#parts.onError(error as Error);
      return undefined;
    }
  }
}

function format(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
