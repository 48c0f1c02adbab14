// The server that is measured: `hongbao serve` in a process of its own, on free ports, over a fresh data directory.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ServerStatus } from '../../../lib/server-status.ts';
import { callControl } from '../../control-client.ts';
import { readCpuUs, readResidentBytes, readThreads, type TaskStat } from './proc-stat.ts';

export const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));

/** How long a start and a stop may take, in milliseconds. */
const START_MS = 60_000;
const STOP_MS = 60_000;

/** Between two looks whether a send has created its packets: each look costs the server some time. */
const CREATED_MS = 200;

/** Lines of its log that an error shows. */
const SHOWN_LINES = 10;

/** What a server has spent up to one moment, and answered up to another close by. */
export interface Sample {
  cpuUs: number;
  threads: TaskStat[];
  spentAtMs: number;
  status: ServerStatus;
  answeredAtMs: number;
}

export class BenchServer {
  /** Where clients connect, and where the control API is. */
  port = 0;
  controlUrl = '';
  readonly #child: ChildProcess;
  readonly #data: string;
  readonly #ended: Promise<unknown>;
  /** The last lines of its log, for an error. */
  readonly #lines: string[] = [];

  private constructor(options: readonly string[]) {
    this.#data = mkdtempSync(join(tmpdir(), 'hongbao-growth-'));
    const own = ['--port=0', '--control-port=0', `--data=${this.#data}`, '--log-pretty=false'];
    this.#child = spawn(process.execPath, [CLI, 'serve', ...own, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#ended = once(this.#child, 'close');
    const end = () => {
      this.#child.kill('SIGKILL');
      rmSync(this.#data, { recursive: true, force: true });
    };
    process.once('exit', end);
    this.#child.once('close', () => process.removeListener('exit', end));
  }

  /** Starts a server with more options than its ports and its data. @throws {Error} if it does not serve */
  static async start(options: readonly string[] = []): Promise<BenchServer> {
    const server = new BenchServer(options);
    const outcome = await Promise.race([server.#awaitServing(), server.#ended, timeOut(START_MS)]);
    if (outcome === 'serving') return server;
    await server.#remove();
    throw new Error(`the server did not start:\n${server.#lines.join('\n')}`);
  }

  /** The process. */
  get pid(): number {
    return this.#child.pid!;
  }

  get residentBytes(): number {
    return readResidentBytes(this.pid);
  }

  async readStatus(): Promise<ServerStatus> {
    return (await callControl(this.controlUrl, 'GET', '/status')) as ServerStatus;
  }

  /** Starts a drop or a send. Returns its id. */
  async post(path: '/drops' | '/sends', body: object): Promise<number> {
    return ((await callControl(this.controlUrl, 'POST', path, body)) as { id: number }).id;
  }

  async closeDrop(id: number): Promise<void> {
    await callControl(this.controlUrl, 'POST', `/drops/${id}/close`);
  }

  /** Waits until a send has created all its packets. */
  async awaitCreated(id: number): Promise<void> {
    for (;;) {
      const { state } = (await callControl(this.controlUrl, 'GET', `/sends/${id}`)) as { state: string };
      if (state !== 'creating') return;
      await sleep(CREATED_MS);
    }
  }

  /** Opens a measured part. What telling the status costs is left out of it, here and in `sampleAtEnd`. */
  async sampleAtStart(): Promise<Sample> {
    const answered = await this.#sampleAnswered();
    return { ...answered, ...this.#sampleSpent() };
  }

  /** Closes a measured part. */
  async sampleAtEnd(): Promise<Sample> {
    const spent = this.#sampleSpent();
    return { ...spent, ...(await this.#sampleAnswered()) };
  }

  /** Stops it in good order and removes its files. @throws {Error} if it does not end so */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await Promise.race([this.#ended, timeOut(STOP_MS)]);
    const { exitCode, signalCode } = this.#child;
    await this.#remove();
    if (exitCode === 0) return;
    const how = exitCode ?? signalCode ?? `not within ${STOP_MS / 1000} s`;
    throw new Error(`the server was to stop, and ended with ${how}:\n${this.#lines.join('\n')}`);
  }

  #sampleSpent(): Pick<Sample, 'cpuUs' | 'threads' | 'spentAtMs'> {
    return { cpuUs: readCpuUs(this.pid), threads: readThreads(this.pid), spentAtMs: performance.now() };
  }

  /** The server counts as soon as it is asked; its answer may come much later. */
  async #sampleAnswered(): Promise<Pick<Sample, 'status' | 'answeredAtMs'>> {
    const answeredAtMs = performance.now();
    return { answeredAtMs, status: await this.readStatus() };
  }

  async #remove(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    rmSync(this.#data, { recursive: true });
  }

  /** The log tells the ports. */
  #awaitServing(): Promise<'serving'> {
    return new Promise((resolve) => {
      createInterface({ input: this.#child.stderr! }).on('line', (line) => {
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
}

function timeOut(ms: number): Promise<undefined> {
  return sleep(ms, undefined, { ref: false });
}
