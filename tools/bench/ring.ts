// The axis of the ring alone: messages a second from one thread to another, by messages published at once.
//
//   producer thread --ring of 16,384 slots, 8 words each--> consumer thread
//
// A run counts only if the consumer found every word of every message as it had to be.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { allocateDoorbell } from '../../lib/ring/doorbell.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../../lib/ring/wait-strategy.ts';
import type { Run } from './growth/axis.ts';
import { type AxisMaker, pick } from './growth/settings.ts';
import type { RingThreadData, RingThreadReport } from './ring-thread.ts';

const SLOTS = 16_384;
const SLOT_WORDS = 8;
const BATCHES = [1, 16, 256];

/** Messages for each second of measuring: the slowest strategy takes half a second for them. */
const MESSAGES_PER_SECOND = 5_000_000;

export const ringAxis: AxisMaker = (settings) => {
  const strategies = Object.keys(WAIT_STRATEGIES) as WaitStrategyName[];
  const messages = Math.ceil(MESSAGES_PER_SECOND * settings.seconds);
  return {
    varies: 'messages at once',
    series: strategies.map((wait) => ({ title: `ring alone, both ends wait by ${wait}`, cost: 'ns per message' })),
    points: pick(BATCHES, settings).map((batch) => ({
      label: `${batch}`,
      async open() {
        return { measures: strategies.map((wait) => () => runRing(messages, batch, wait)), async close() {} };
      },
    })),
  };
};

/** Passes messages from a thread to another. The cost is in nanoseconds of time, not of CPU. */
export async function runRing(messages: number, batch: number, wait: WaitStrategyName): Promise<Run> {
  const shared = {
    ring: allocateRing(SLOTS, SLOT_WORDS),
    workBell: allocateDoorbell(),
    roomBell: allocateDoorbell(),
    meeting: new SharedArrayBuffer(4),
    messages,
    batch,
    wait,
  };
  const [sent, taken] = await Promise.all([
    runThread({ role: 'producer', ...shared }),
    runThread({ role: 'consumer', ...shared }),
  ]);
  const faults: string[] = [];
  if (taken.wrong > 0) faults.push(`${taken.wrong} of ${messages} messages were not what was sent`);
  if (taken.sum !== sent.sum) faults.push(`the words sent add up to ${sent.sum}, those taken to ${taken.sum}`);
  return { cost: (taken.seconds * 1e9) / messages, figures: { 'messages/s': messages / taken.seconds }, faults };
}

async function runThread(data: RingThreadData): Promise<RingThreadReport> {
  const thread = new Worker(new URL('./ring-thread.ts', import.meta.url), { workerData: data, execArgv: [] });
  const [report] = (await once(thread, 'message')) as [RingThreadReport];
  return report;
}
