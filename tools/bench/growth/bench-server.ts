// The server that is measured: `hongbao serve` in a process of its own, on free ports, over a fresh data directory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerStatus } from '../../../lib/server-status.ts';
import { callControl } from '../../control-client.ts';
import { readCpuUs, readResidentBytes, readThreads, type TaskStat } from '../../proc-stat.ts';
import { ServeProcess } from '../../serve-process.ts';

/** Between two looks whether a send has created its packets: each look costs the server some time. */
const CREATED_MS = 200;

/** What a server has spent up to one moment, and answered up to another close by. */
export interface Sample {
  cpuUs: number;
  threads: TaskStat[];
  spentAtMs: number;
  status: ServerStatus;
  answeredAtMs: number;
}

export class BenchServer {
  readonly #process: ServeProcess;
  readonly #data = mkdtempSync(join(tmpdir(), 'hongbao-growth-'));
  readonly #removeData = () => rmSync(this.#data, { recursive: true, force: true });

  private constructor(options: readonly string[]) {
    this.#process = new ServeProcess([`--data=${this.#data}`, ...options]);
    process.once('exit', this.#removeData);
  }

  /** Starts a server with more options than its ports and its data. @throws {Error} if it does not serve */
  static async start(options: readonly string[] = []): Promise<BenchServer> {
    const server = new BenchServer(options);
    try {
      await server.#process.awaitServing();
      return server;
    } catch (error) {
      server.#forget();
      throw error;
    }
  }

  /** Where clients connect, and where the control API is. */
  get port(): number {
    return this.#process.port;
  }

  get controlUrl(): string {
    return this.#process.controlUrl;
  }

  get pid(): number {
    return this.#process.pid;
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
    try {
      await this.#process.stop();
    } finally {
      this.#forget();
    }
  }

  #sampleSpent(): Pick<Sample, 'cpuUs' | 'threads' | 'spentAtMs'> {
    return { cpuUs: readCpuUs(this.pid), threads: readThreads(this.pid), spentAtMs: performance.now() };
  }

  /** The server counts as soon as it is asked; its answer may come much later. */
  async #sampleAnswered(): Promise<Pick<Sample, 'status' | 'answeredAtMs'>> {
    const answeredAtMs = performance.now();
    return { answeredAtMs, status: await this.readStatus() };
  }

  #forget(): void {
    this.#removeData();
    process.removeListener('exit', this.#removeData);
  }
}
