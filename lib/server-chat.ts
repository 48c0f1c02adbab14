// Starts the thread of the chat service, and starts it again when it has ended or is stuck: the rest of the server goes on.

import { Worker } from 'node:worker_threads';
import type { ChatMessage, ChatThreadData } from './chat/chat-thread.ts';
import { MAX_RESTART_MS, RESTART_MS, START_MS, STUCK_MS } from './chat/limits.ts';
import { ServicePulse } from './ring/service-pulse.ts';
import { ServerError } from './server-error.ts';

/** How often its pulse is felt, in milliseconds. */
const PULSE_MS = 1000;

export interface ServerChatParts {
  data: ChatThreadData;
  /** As the user named it, for messages. */
  name: string;
  /** Of the file of the thread. */
  threadUrl: URL;
  onError: (error: Error) => void;
  onInfo: (sentence: string) => void;
}

/** Main thread. */
export class ServerChat {
  readonly #parts: ServerChatParts;
  readonly #pulse: ServicePulse;
  #thread: Worker | undefined;
  #isStopping = false;
  #restartMs = RESTART_MS;
  #startedAt = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #pulseTimer: NodeJS.Timeout | undefined;

  constructor(parts: ServerChatParts) {
    this.#parts = parts;
    this.#pulse = new ServicePulse(parts.data.pulse);
  }

  /** Starts it for the first time. @throws {ServerError} bad_option: it cannot be loaded */
  async start(): Promise<void> {
    const thread = this.#spawn();
    await new Promise<void>((resolve, reject) => {
      const fail = (reason: string) => {
        clearTimeout(timer);
        reject(new ServerError('bad_option', `the chat service ${this.#parts.name} cannot be used: ${reason}`));
      };
      const timer = setTimeout(() => fail(`it did not start within ${START_MS} ms`), START_MS);
      thread.once('error', (error) => fail(messageOf(error)));
      thread.once('exit', () => fail('its thread has ended'));
      thread.on('message', ({ kind }: ChatMessage) => {
        if (kind !== 'serving') return;
        clearTimeout(timer);
        resolve();
      });
    });
    this.#supervise(thread);
    this.#pulseTimer = setInterval(() => this.#feelPulse(), PULSE_MS);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restartTimer);
    clearInterval(this.#pulseTimer);
    await this.#thread?.terminate();
  }

  #spawn(): Worker {
    const thread = new Worker(this.#parts.threadUrl, {
      workerData: this.#parts.data,
      execArgv: [],
      name: 'chat-thread',
    });
    this.#thread = thread;
    this.#startedAt = performance.now();
    thread.on('message', (message: ChatMessage) => {
      if (message.kind === 'failed') {
        this.#parts.onError(new Error(`the chat service has failed at a request: ${message.message}`));
      }
    });
    return thread;
  }

  #supervise(thread: Worker): void {
    let cause = '';
    thread.on('error', (error) => {
      cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    thread.on('exit', (code) => {
      // Whatever it had is lost; the workers answer for it.
      this.#pulse.end();
      if (!this.#isStopping) this.#planRestart(cause === '' ? `it ended with ${code}` : cause);
    });
  }

  #planRestart(cause: string): void {
    if (performance.now() - this.#startedAt > 2 * MAX_RESTART_MS) this.#restartMs = RESTART_MS;
    const pauseMs = this.#restartMs;
    this.#restartMs = Math.min(MAX_RESTART_MS, 2 * pauseMs);
    this.#parts.onError(new Error(`the chat service has ended, and is started again in ${pauseMs} ms: ${cause}`));
    this.#restartTimer = setTimeout(() => {
      const thread = this.#spawn();
      this.#supervise(thread);
      thread.on('message', ({ kind }: ChatMessage) => {
        if (kind === 'serving') this.#parts.onInfo('the chat service serves again');
      });
    }, pauseMs);
  }

  /** Ends a thread whose loop does not turn, as one that never finishes with a request. */
  #feelPulse(): void {
    if (!this.#pulse.isUp || this.#pulse.silentMs < STUCK_MS) return;
    this.#parts.onError(new Error(`the chat service has not moved for ${STUCK_MS} ms: its thread is ended`));
    void this.#thread?.terminate();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
