// The processes that a run has started: starts them with as little memory as may be, notices when one dies, and ends all.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** V8's helper threads: one for each process is enough where hundreds of threads share the cores. Saves about 5 MB. */
const NODE_ARGUMENTS = ['--v8-pool-size=1'];

/**
 * Beside the compile cache: one thread for file work, which is hardly ever asked for, and one arena for malloc, which saves
 * about 5 MB over one for each thread.
 */
const ENVIRONMENT = { UV_THREADPOOL_SIZE: '1', MALLOC_ARENA_MAX: '1' };

/** Characters of a child's last words that an error shows. */
const SHOWN_CHARACTERS = 500;

/** A child process that speaks messages. */
export class Child<Down extends object, Up extends { kind: string }> {
  readonly name: string;
  readonly ended: Promise<unknown>;
  readonly #process: ChildProcess;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = child;
    this.ended = new Promise((resolve) => child.once('close', resolve));
  }

  get pid(): number {
    return this.#process.pid!;
  }

  send(message: Down): void {
    // A child that is gone cannot be told; that it is gone ends the run by itself.
    this.#process.send(message, () => {});
  }

  onMessage(listener: (message: Up) => void): void {
    this.#process.on('message', (message) => listener(message as Up));
  }

  /** Resolves to the next message of a kind. */
  next<Kind extends Up['kind']>(kind: Kind): Promise<Extract<Up, { kind: Kind }>> {
    return new Promise((resolve) => {
      this.onMessage((message) => {
        if (message.kind === kind) resolve(message as Extract<Up, { kind: Kind }>);
      });
    });
  }
}

/** All children of a run. */
export class Family {
  readonly #cacheDirectory: string;
  readonly #running = new Set<ChildProcess>();
  readonly #mayEnd = new Set<string>();
  readonly #failed: Promise<never>;
  #reject: (error: Error) => void = () => {};
  readonly #onExit = () => this.#killAll();

  /**
   * @param cacheDirectory where Node keeps what it has compiled. A process that finds its modules there does not load the
   *   compiler of TypeScript: that halves what a start costs, and saves about 50 MB of a server.
   */
  constructor(cacheDirectory: string) {
    this.#cacheDirectory = cacheDirectory;
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Whoever waits is told; nobody waits all the time.
    this.#failed.catch(() => {});
    process.once('exit', this.#onExit);
  }

  /** Ends the run: whoever waits through `wait` gets this error, from now on. */
  fail(error: Error): void {
    this.#reject(error);
  }

  /** Waits for something, or until the run has failed. @throws {Error} what it has failed of */
  wait<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  /** Starts a module of this folder. @param name what an error calls it, such as 'server 3' */
  start<Down extends object, Up extends { kind: string }>(module: string, name: string): Child<Down, Up> {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const child = fork(fileURLToPath(new URL(`./${module}${extension}`, import.meta.url)), {
      execArgv: NODE_ARGUMENTS,
      env: { ...process.env, ...ENVIRONMENT, NODE_COMPILE_CACHE: this.#cacheDirectory },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#running.add(child);
    let lastWords = '';
    child.stderr!.on('data', (text) => {
      lastWords = (lastWords + text).slice(-SHOWN_CHARACTERS);
    });
    child.on('message', (message: { kind: string; message?: string }) => {
      if (message.kind === 'failed') this.fail(new Error(`${name}: ${message.message}`));
    });
    child.on('error', (error) => this.fail(new Error(`${name} cannot be started: ${error.message}`)));
    child.on('close', (code, signal) => {
      this.#running.delete(child);
      if (!this.#mayEnd.has(name)) this.fail(new Error(describeEnd(name, code, signal, lastWords)));
    });
    return new Child<Down, Up>(name, child);
  }

  /** From now on this child may end without ending the run. */
  letEnd(child: { name: string }): void {
    this.#mayEnd.add(child.name);
  }

  /** Kills whoever still runs, and waits until all are gone. */
  async end(): Promise<void> {
    const gone = [...this.#running].map((child) => once(child, 'close'));
    this.#killAll();
    await Promise.all(gone);
    process.removeListener('exit', this.#onExit);
  }

  #killAll(): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }
}

/** The death of a child in one sentence. */
export function describeEnd(
  name: string,
  code: number | null,
  signal: NodeJS.Signals | null,
  lastWords: string,
): string {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  const hint = signal === 'SIGKILL' ? '; perhaps the system had no memory left' : '';
  const words = lastWords.trim().replace(/\s*\n\s*/g, ' ');
  return `${name} ended ${how} in the middle of the run${hint}${words === '' ? '' : `: ${words}`}`;
}
