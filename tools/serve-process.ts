// `hongbao serve` in a process of its own, on free ports, for benches and chaos: finds the ports in its log, and never outlives us.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('./cli.ts', import.meta.url));

/** How long a start, recovery included, and a stop may take, in milliseconds. */
const START_MS = 60_000;
const STOP_MS = 60_000;

/** Lines of the log that an error shows. */
const SHOWN_LINES = 10;

export class ServeProcess {
  /** Where clients connect, and where the control API is; 0 and '' until it serves. */
  port = 0;
  controlUrl = '';
  readonly #child: ChildProcess;
  readonly #serving: Promise<'serving'>;
  readonly #ended: Promise<'ended'>;
  /** The last lines of its log. */
  readonly #lines: string[] = [];

  /** Starts the process. @param options beside the ports @param onLine told each line of its log */
  constructor(options: readonly string[], onLine: (line: string) => void = () => {}) {
    const own = ['--port=0', '--control-port=0', '--log-pretty=false'];
    this.#child = spawn(process.execPath, [CLI, 'serve', ...own, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#ended = once(this.#child, 'close').then(() => {
      process.removeListener('exit', kill);
      return 'ended' as const;
    });
    this.#serving = new Promise((resolve) => {
      createInterface({ input: this.#child.stderr! }).on('line', (line) => {
        onLine(line);
        this.#lines.push(line);
        if (this.#lines.length > SHOWN_LINES) this.#lines.shift();
        if (this.port > 0 || !line.includes('"controlPort"')) return;
        const { port, controlPort } = JSON.parse(line);
        this.port = port;
        this.controlUrl = `http://127.0.0.1:${controlPort}`;
        resolve('serving');
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with its last words when it has ended, in whatever way. */
  get ended(): Promise<string> {
    return this.#ended.then(() => this.#failure(`the server ended with ${this.#how}`).message);
  }

  /** Resolves once it serves. @throws {Error} with its last words, if it does not; it is gone then */
  async awaitServing(): Promise<void> {
    const outcome = await Promise.race([this.#serving, this.#ended, timeOut(START_MS)]);
    if (outcome === 'serving') return;
    const what = outcome === 'ended' ? 'it ended' : `it does not serve after ${START_MS / 1000} s`;
    this.#child.kill('SIGKILL');
    await this.#ended;
    throw this.#failure(`the server did not start: ${what}`);
  }

  /** Kills it at this instant. @throws {Error} if it had ended by itself before */
  async kill(): Promise<void> {
    const isRunning = this.#child.exitCode === null && this.#child.signalCode === null;
    this.#child.kill('SIGKILL');
    await this.#ended;
    if (isRunning && this.#child.signalCode === 'SIGKILL') return;
    throw this.#failure(`the server ended by itself with ${this.#how}`);
  }

  /** Stops it in good order. @throws {Error} if it does not end so */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const outcome = await Promise.race([this.#ended, timeOut(STOP_MS)]);
    if (this.#child.exitCode === 0) return;
    const how = outcome === undefined ? `not within ${STOP_MS / 1000} s` : `with ${this.#how}`;
    this.#child.kill('SIGKILL');
    await this.#ended;
    throw this.#failure(`the server was to stop, and ended ${how}`);
  }

  get #how(): number | NodeJS.Signals | null {
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  #failure(what: string): Error {
    return new Error(`${what}\n${this.#lines.join('\n')}`);
  }
}

function timeOut(ms: number): Promise<undefined> {
  return sleep(ms, undefined, { ref: false });
}
