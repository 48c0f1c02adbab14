// The load that a tool here puts on a server of its own, and who takes its samples.

import { randomBytes } from 'node:crypto';
import { type LoadOptions, PACE_MS, type UserRange } from '../clients/load/load-options.ts';
import { LoadSampler } from '../clients/load/load-sampler.ts';
import type { Sample } from '../lib/monitor/sample.ts';

/** How long the last answers may take, in seconds. */
const DRAIN_SECONDS = 30;

/** An open loop from one thread, whose users grab what they are told of. @param qps shakes a second of all of them */
export function openLoop(port: number, users: UserRange, qps: number, durationSeconds: number): LoadOptions {
  return {
    targets: [{ host: '127.0.0.1', port }],
    users,
    population: users,
    qps,
    closed: false,
    pipeline: 1,
    durationSeconds,
    paceMs: PACE_MS,
    threads: 1,
    grab: true,
    drainSeconds: DRAIN_SECONDS,
  };
}

/** Makes samples of a load; its options must say that it is sampled. @param source what they are called by */
export function openSampler(source: string, readQps: () => number, onSample: (sample: Sample) => void): LoadSampler {
  return new LoadSampler({
    origin: { source, run: randomBytes(6).toString('hex'), role: 'client' },
    readQps,
    onSample,
  });
}
