// The server that is killed: over one data directory, with the shape that a round asks for.

import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServeProcess } from '../serve-process.ts';
import type { RoundPlan } from './chaos-plan.ts';

/** Starts a server and resolves once it serves. @throws {Error} with its last words, if it does not */
export async function startServer(data: string, plan: RoundPlan, log: Writable): Promise<ServeProcess> {
  const server = spawnServer(data, plan, log);
  await server.awaitServing();
  return server;
}

/** Starts a server and kills it so soon that it may not serve yet. Returns whether it did. */
export async function killWhileStarting(
  data: string,
  plan: RoundPlan,
  afterMs: number,
  log: Writable,
): Promise<boolean> {
  const server = spawnServer(data, plan, log);
  await sleep(afterMs);
  const hasServed = server.port > 0;
  await server.kill();
  return hasServed;
}

function spawnServer(data: string, plan: RoundPlan, log: Writable): ServeProcess {
  const { acceptors, workers, sets, segmentBytes, keepSegments } = plan;
  const options = {
    data,
    acceptors,
    workers,
    sets,
    'segment-bytes': segmentBytes,
    'keep-segments': keepSegments,
    'report-seconds': 0,
  };
  return new ServeProcess(
    Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    (line) => log.write(`${line}\n`),
  );
}
