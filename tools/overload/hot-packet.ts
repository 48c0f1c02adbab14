// The hot packet: everybody who is connected grabs one packet at once. Exactly its shares are won, and everybody is answered.

import { setTimeout as sleep } from 'node:timers/promises';
import { LoadSteering } from '../../clients/load/load-steering.ts';
import { runLoad } from '../../clients/load/run-load.ts';
import { callControl } from '../control-client.ts';
import { openLoop } from '../open-loop.ts';
import { type Check, exactly } from '../verdict.ts';

/** How long the grabbing may take, in seconds. */
const SECONDS = 5;

/** Of a share, on average. */
const CENTS = 100;

/**
 * @param users connected, who all grab @param shares of the packet
 * @throws {Error} when the connections cannot be made
 */
export async function runHotPacket(
  server: { port: number; controlUrl: string },
  users: number,
  shares: number,
): Promise<Check[]> {
  // Nobody grabs before all.
  const options = { ...openLoop(server.port, [0, users - 1], 0, SECONDS), grab: false };
  const steering = new LoadSteering(options);
  let sending: Promise<void> | undefined;
  const { totals, grabLatency } = await runLoad(
    options,
    (phase) => {
      if (phase !== 'shaking' || sending !== undefined) return;
      sending = sendOne(server.controlUrl, users, shares).then((packetId) => steering.grabAll(packetId));
      // Told below, once the load has ended.
      sending.catch(() => {});
    },
    undefined,
    steering,
  );
  await sending;
  return [
    exactly('hot packet: users answered', users, totals.grabsAnswered),
    exactly('hot packet: winners', shares, totals.grabsWon),
    exactly('hot packet: cents', shares * CENTS, totals.grabCents),
    {
      what: 'hot packet: 99% answered within, ms',
      target: '5,000.000',
      reached: (grabLatency.getValueAtPercentile(99) / 1000).toFixed(3),
      isPassed: grabLatency.getValueAtPercentile(99) <= 5_000_000,
    },
  ];
}

/** Sends one packet to everybody; resolves to its id once it can be grabbed. */
async function sendOne(url: string, users: number, shares: number): Promise<number> {
  const body = { count: 1, rate: 1000, shares, total: shares * CENTS, users: [0, users - 1], recipients: users };
  const { id } = (await callControl(url, 'POST', '/sends', body)) as { id: number };
  for (;;) {
    const { packets } = (await callControl(url, 'GET', `/sends/${id}/packets`)) as { packets: number[] };
    if (packets.length > 0) return packets[0];
    await sleep(50);
  }
}
