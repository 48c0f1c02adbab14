// Reads the records that open something back into what main had entered.

import type { DropOpening, PacketOpening, SendOpening } from '../packets/movement-log.ts';
import { SPLIT_MODES } from '../packets/split.ts';
import { readU64 } from './journal-words.ts';
import { countTextWords, findPacketKey, readBytes, readText } from './record-fields.ts';
import { DROP_OPEN, PACKET_OPEN, SEED_WORDS, SEND_OPEN } from './record-layout.ts';

/** @param at where the payload begins */
export function readDropOpening(words: Int32Array, at: number): DropOpening {
  return {
    id: words[at + DROP_OPEN.DROP],
    count: words[at + DROP_OPEN.COUNT],
    winsPerUser: words[at + DROP_OPEN.WINS_PER_USER],
    minCents: words[at + DROP_OPEN.MIN],
    maxCents: words[at + DROP_OPEN.MAX],
    firstNumber: words[at + DROP_OPEN.FIRST_NUMBER] >>> 0,
    rate: readFloat64(words, at + DROP_OPEN.RATE),
    budget: readU64(words, at + DROP_OPEN.BUDGET),
    createdMs: readU64(words, at + DROP_OPEN.CREATED_MS),
    seed: readBytes(words, at + DROP_OPEN.SEED, 4 * SEED_WORDS),
  };
}

/** @param at where the payload begins */
export function readSendOpening(words: Int32Array, at: number): SendOpening {
  return {
    id: words[at + SEND_OPEN.SEND],
    count: words[at + SEND_OPEN.COUNT],
    shares: words[at + SEND_OPEN.SHARES],
    mode: words[at + SEND_OPEN.MODE],
    users: [words[at + SEND_OPEN.FIRST_USER], words[at + SEND_OPEN.LAST_USER]],
    expiresInSeconds: words[at + SEND_OPEN.EXPIRES_IN_SECONDS],
    lowCents: words[at + SEND_OPEN.LOW_TOTAL],
    highCents: words[at + SEND_OPEN.HIGH_TOTAL],
    rate: readFloat64(words, at + SEND_OPEN.RATE),
    createdMs: readU64(words, at + SEND_OPEN.CREATED_MS),
    seed: readBytes(words, at + SEND_OPEN.SEED, 4 * SEED_WORDS),
  };
}

/** @param at where the payload begins */
export function readPacketOpening(words: Int32Array, at: number): PacketOpening {
  const keyAt = findPacketKey(words, at);
  const noteAt = keyAt + countTextWords(words, keyAt);
  return {
    id: words[at + PACKET_OPEN.PACKET],
    sendId: words[at + PACKET_OPEN.SEND],
    index: words[at + PACKET_OPEN.INDEX],
    source: words[at + PACKET_OPEN.SOURCE] as PacketOpening['source'],
    reservation: readU64(words, at + PACKET_OPEN.RESERVATION),
    key: readText(words, keyAt),
    packet: {
      senderId: words[at + PACKET_OPEN.SENDER],
      totalCents: words[at + PACKET_OPEN.TOTAL],
      shares: words[at + PACKET_OPEN.SHARES],
      mode: SPLIT_MODES[words[at + PACKET_OPEN.MODE]],
      minCents: words[at + PACKET_OPEN.MIN],
      maxCents: words[at + PACKET_OPEN.MAX],
      createdAt: words[at + PACKET_OPEN.CREATED_AT] >>> 0,
      expiresAt: words[at + PACKET_OPEN.EXPIRES_AT] >>> 0,
      seed: readBytes(words, at + PACKET_OPEN.SEED, 4 * SEED_WORDS),
      invited: Array.from(words.subarray(at + PACKET_OPEN.USERS, keyAt)),
      note: readBytes(words, noteAt + 1, words[noteAt]),
    },
  };
}

function readFloat64(words: Int32Array, at: number): number {
  return new Float64Array(words.slice(at, at + 2).buffer)[0];
}
