// Runs a wallet of somebody else's in a thread of its own: whatever it does there, no thread of the server waits for it.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { LedgerError } from './ledger-error.ts';
import type { Reservation, Wallet } from './wallet.ts';
import type { WalletAnswer, WalletCall, WalletThreadData } from './wallet-thread.ts';

/** How long the module may take to load, in milliseconds. */
const LOAD_MS = 10_000;

/** A wallet whose module is running. Its calls reject when the module rejects them, or when its thread has ended. */
export interface WalletHost extends Wallet {
  close(): Promise<void>;
}

/** Loads a wallet module: see docs/WALLET.md. @throws {LedgerError} missing: it cannot be loaded, or is no wallet */
export async function loadWallet(path: string): Promise<WalletHost> {
  const data: WalletThreadData = { url: pathToFileURL(resolve(path)).href };
  const file = import.meta.url.endsWith('.ts') ? './wallet-thread.ts' : './wallet-thread.js';
  const thread = new Worker(new URL(file, import.meta.url), { workerData: data, execArgv: [] });
  const host = new ThreadedWallet(thread);
  try {
    await host.ready;
  } catch (error) {
    await host.close();
    throw new LedgerError('missing', `the wallet ${path} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return host;
}

class ThreadedWallet implements WalletHost {
  readonly ready: Promise<void>;
  readonly #thread: Worker;
  readonly #waiting = new Map<number, { resolve: (value: string) => void; reject: (error: Error) => void }>();
  #lastCall = 0;
  #ended: Error | undefined;

  constructor(thread: Worker) {
    this.#thread = thread;
    this.ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`it was not loaded within ${LOAD_MS} ms`)), LOAD_MS);
      thread.on('message', (answer: WalletAnswer) => {
        clearTimeout(timer);
        if (answer.call === 0) resolve();
        else this.#onAnswer(answer);
      });
      thread.on('error', (error: unknown) => {
        clearTimeout(timer);
        this.#end(error instanceof Error ? error : new Error(String(error)));
        reject(this.#ended!);
      });
      thread.on('exit', () => {
        clearTimeout(timer);
        this.#end(new Error('the thread of the wallet has ended'));
        reject(this.#ended!);
      });
    });
  }

  async reserve(reservation: Reservation): Promise<'reserved' | 'insufficient'> {
    const outcome = await this.#call('reserve', reservation);
    if (outcome === 'reserved' || outcome === 'insufficient') return outcome;
    throw new Error(`the wallet answered ${outcome} instead of 'reserved' or 'insufficient'`);
  }

  async commit(reservation: Reservation): Promise<void> {
    await this.#call('commit', reservation);
  }

  async cancel(reservation: Reservation): Promise<void> {
    await this.#call('cancel', reservation);
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  #call(method: keyof Wallet, reservation: Reservation): Promise<string> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const call: WalletCall = { call: ++this.#lastCall, method, reservation };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.call, { resolve, reject });
      this.#thread.postMessage(call);
    });
  }

  #onAnswer({ call, value, error }: WalletAnswer): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(`the wallet failed: ${error}`));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
