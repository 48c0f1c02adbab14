// The server under test: `hongbao serve` in a process of its own, on free ports, over one data directory.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RoundPlan } from './chaos-plan.ts';

const CLI = fileURLToPath(new URL('../cli.ts', import.meta.url));

/** How long a start may take, recovery included, and a stop. */
const START_MS = 60_000;
const STOP_MS = 60_000;

/** Lines of the log that an error shows. */
const SHOWN_LINES = 10;

/** How a process ended. */
interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class ServerChild {
  /** Where clients connect, and where the control API is; 0 and '' until it serves. */
  port = 0;
  controlUrl = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  readonly #lines: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Ended);
  }

  /** Starts a server and resolves once it serves. @throws {Error} with its last words, if it does not */
  static async start(data: string, plan: RoundPlan, log: Writable): Promise<ServerChild> {
    const server = ServerChild.#spawn(data, plan);
    const serving = server.#awaitServing(log);
    const gone = server.#ended.then(() => 'gone' as const);
    const outcome = await Promise.race([serving, gone, timeOut(START_MS)]);
    if (outcome === 'serving') return server;
    if (outcome !== 'gone') await server.kill();
    const what = outcome === 'gone' ? 'it ended' : `it does not serve after ${START_MS} ms`;
    throw new Error(`the server did not start: ${what}\n${server.#lines.slice(-SHOWN_LINES).join('\n')}`);
  }

  /** Starts a server and kills it so soon that it may not serve yet. Returns whether it did. */
  static async killWhileStarting(data: string, plan: RoundPlan, afterMs: number, log: Writable): Promise<boolean> {
    const server = ServerChild.#spawn(data, plan);
    void server.#awaitServing(log);
    await sleep(afterMs);
    const hasServed = server.port > 0;
    await server.kill();
    return hasServed;
  }

  static #spawn(data: string, plan: RoundPlan): ServerChild {
    const { acceptors, workers, sets, segmentBytes, keepSegments } = plan;
    const options = {
      port: 0,
      'control-port': 0,
      data,
      acceptors,
      workers,
      sets,
      'segment-bytes': segmentBytes,
      'keep-segments': keepSegments,
      'report-seconds': 0,
      'log-pretty': false,
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const child = spawn(process.execPath, [CLI, 'serve', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('close', () => process.removeListener('exit', end));
    return new ServerChild(child);
  }

  /** Kills it at this instant. @throws {Error} if it had ended by itself before */
  async kill(): Promise<void> {
    const isRunning = this.#child.exitCode === null && this.#child.signalCode === null;
    this.#child.kill('SIGKILL');
    const { code, signal } = await this.#ended;
    if (isRunning && signal === 'SIGKILL') return;
    throw new Error(`the server ended by itself with ${code ?? signal}\n${this.#lines.slice(-SHOWN_LINES).join('\n')}`);
  }

  /** Stops it in good order. @throws {Error} if it does not end so */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const outcome = await Promise.race([this.#ended, timeOut(STOP_MS)]);
    if (outcome === undefined) this.#child.kill('SIGKILL');
    else if (outcome.code === 0) return;
    const how = outcome === undefined ? `not within ${STOP_MS} ms` : `with ${outcome.code ?? outcome.signal}`;
    throw new Error(`the server was to stop, and ended ${how}\n${this.#lines.slice(-SHOWN_LINES).join('\n')}`);
  }

  /** Copies its log, and finds the ports in it. */
  async #awaitServing(log: Writable): Promise<'serving'> {
    const lines = createInterface({ input: this.#child.stderr! });
    return new Promise((resolve) => {
      lines.on('line', (line) => {
        log.write(`${line}\n`);
        this.#lines.push(line);
        if (this.port > 0 || !line.includes('"controlPort"')) return;
        const { port, controlPort } = JSON.parse(line);
        this.port = port;
        this.controlUrl = `http://127.0.0.1:${controlPort}`;
        resolve('serving');
      });
    });
  }
}

function timeOut(ms: number): Promise<undefined> {
  return sleep(ms, undefined, { ref: false });
}
