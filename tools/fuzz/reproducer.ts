// A failing input as a small file that can be played again, and how it is made small.

import { readFileSync, writeFileSync } from 'node:fs';
import { ENDINGS, type Ending, type Script } from './draw-script.ts';
import type { HttpScript } from './http-fuzz.ts';

/** What is played: connections, or HTTP requests, or both, one after the other. */
export interface Reproducer {
  seed: number;
  /** What was wrong, in a sentence. */
  wrong: string;
  connections: Script[];
  requests: HttpScript[];
}

/** Tries to make it smaller at the most so many times, and for so long in milliseconds: each is a connection. */
const MOST_TRIES = 200;
const MOST_SHRINK_MS = 60_000;

export function writeReproducer(path: string, { seed, wrong, connections, requests }: Reproducer): void {
  const json = {
    seed,
    wrong,
    connections: connections.map((script) => ({
      ...script,
      inputs: script.inputs.map((input) => input.toString('hex')),
    })),
    requests: requests.map((request) => ({ ...request, bytes: request.bytes.toString('latin1') })),
  };
  writeFileSync(path, `${JSON.stringify(json, null, 1)}\n`);
}

/** @throws {Error} if it is no such file */
export function readReproducer(path: string): Reproducer {
  const { seed, wrong, connections, requests } = JSON.parse(readFileSync(path, 'utf8'));
  if (!Array.isArray(connections) || !Array.isArray(requests)) throw new Error(`${path} is no reproducer`);
  return {
    seed,
    wrong,
    connections: connections.map(readScript),
    requests: requests.map((request) => ({ ...request, bytes: Buffer.from(request.bytes, 'latin1') })),
  };
}

function readScript(json: {
  index: number;
  inputs: string[];
  cuts: number[];
  isSlow: boolean;
  ending: Ending;
}): Script {
  if (!ENDINGS.includes(json.ending)) throw new Error(`there is no ending ${json.ending}`);
  return { ...json, inputs: json.inputs.map((input) => Buffer.from(input, 'hex')) };
}

/** Leaves out inputs and cuts as long as it still fails. @param fails plays a script; whether something is wrong */
export async function shrinkScript(script: Script, fails: (script: Script) => Promise<boolean>): Promise<Script> {
  let best = script;
  let tries = 0;
  const untilMs = performance.now() + MOST_SHRINK_MS;
  const attempt = async (change: Partial<Script>): Promise<boolean> => {
    if (tries++ >= MOST_TRIES || performance.now() > untilMs) return false;
    const smaller = { ...best, ...change };
    if (!(await fails(smaller))) return false;
    best = smaller;
    return true;
  };
  await attempt({ cuts: [], isSlow: false });
  for (let size = Math.ceil(best.inputs.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.inputs.length; ) {
      const inputs = best.inputs.toSpliced(from, size);
      if (inputs.length === 0 || !(await attempt({ inputs }))) from += size;
    }
  }
  return best;
}
