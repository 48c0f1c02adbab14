// The packets of packet-table.stress.test.ts and sent-packets.stress.test.ts: all numbers of packet k follow from k, which is also its sender.

import type { NewPacket } from '../../lib/packets/packet-creator.ts';
import { newPacket } from './packet-model.ts';
import { seedBytes } from './seed.ts';

/** Users who grab, from 0 on. */
export const USERS = 12;

export const MOST_SHARES = 7;

export function numbersOf(k: number): NewPacket & { seed: Buffer; note: Buffer } {
  const shares = 1 + (k % MOST_SHARES);
  const seed = seedBytes(6, k);
  const invited = k % 3 === 0 ? Array.from({ length: 1 + (k % 9) }, (_, i) => (k + i) % USERS) : [];
  const note = k % 4 === 0 ? Buffer.from(`note ${k}`) : Buffer.alloc(0);
  return { ...newPacket({ shares, totalCents: 100 + (k % 901), senderId: k, invited }), note, seed };
}
