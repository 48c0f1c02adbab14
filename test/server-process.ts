// Starts the command line in processes of their own, as a user would, and gives tests what they print.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { makeDataDirectory } from './data-directory.ts';

const CLI = fileURLToPath(new URL('../tools/cli.ts', import.meta.url));

/** How a command ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `hongbao ...args` to its end. */
export async function runCommand(args: readonly string[]): Promise<Ended> {
  return collect(spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Waits for the end of a process and gives what it printed. */
export async function collect(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (text) => {
    stdout += text;
  });
  child.stderr!.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** A server in a process of its own, on free ports. */
export class ServerProcess {
  port = 0;
  controlUrl = '';
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #log = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.on('data', (text) => {
      this.#log += text;
    });
    this.ended = collect(child);
  }

  /** Starts `hongbao serve` and resolves once it serves. @param env added to this process's environment */
  static async start(args: readonly string[] = [], env: Record<string, string> = {}): Promise<ServerProcess> {
    const data = args.includes('--data') ? [] : ['--data', makeDataDirectory()];
    const ports = ['--port', '0', '--control-port', '0', ...data];
    const child = spawn(process.execPath, [CLI, 'serve', ...ports, '--log-pretty', 'false', ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ServerProcess(child);
    const failed = server.ended.then((ended) => {
      throw new Error(`the server ended with ${ended.code}: ${ended.stderr}`);
    });
    await Promise.race([server.#readPorts(), failed]);
    failed.catch(() => {});
    return server;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Calls the control API. */
  async call(method: 'GET' | 'POST', path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(this.controlUrl + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  }

  /** The lines of its log so far that have this in them. */
  linesWith(text: string): string[] {
    return this.#log.split('\n').filter((line) => line.includes(text));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Stops it as Ctrl-C does. */
  stop(): Promise<Ended> {
    this.signal('SIGINT');
    return this.ended;
  }

  /** The first log line has the ports. */
  async #readPorts(): Promise<void> {
    let text = '';
    for await (const [chunk] of onData(this.#child)) {
      text += chunk;
      const line = /^\{.*"controlPort".*\}$/m.exec(text);
      if (line === null) continue;
      const { port, controlPort } = JSON.parse(line[0]);
      this.port = port;
      this.controlUrl = `http://127.0.0.1:${controlPort}`;
      return;
    }
  }
}

async function* onData(child: ChildProcess): AsyncGenerator<[string]> {
  while (child.exitCode === null) yield (await once(child.stderr!, 'data')) as [string];
}
