// What the history says of packets and users, made from their records.

import { commitTo, SEED_BYTES } from '../packets/seeded-random.ts';
import { SPLIT_MODES, type SplitMode } from '../packets/split.ts';
import type { HistoryRecord } from './history-tail.ts';
import { readU64 } from './journal-words.ts';
import { countTextWords, findPacketKey, readBytes, readSender, readText } from './record-fields.ts';
import { GRAB, PACKET_CLOSE, PACKET_OPEN, RecordType, TRANSFER, WIN } from './record-layout.ts';

/** What happened to a sent packet. */
export interface PacketHistory {
  packetId: number;
  /** 0 for none. */
  sendId: number;
  /** -1 for the house. */
  senderId: number;
  totalCents: number;
  shares: number;
  mode: SplitMode;
  minCents: number;
  maxCents: number;
  /** Unix seconds. */
  createdAt: number;
  expiresAt: number;
  state: 'open' | 'empty' | 'expired';
  note: string;
  /** sha256 of the seed, in hex. */
  commitment: string;
  /** The seed of the split, in hex; shown once nothing can be grabbed any more. */
  seed?: string;
  /** In the order of the journal; `share` is the place in the split. */
  grabs: { sequence: number; timeMs: number; userId: number; share: number; amountCents: number }[];
  claimedCents: number;
  refundedCents: number;
  /** Who got the most, the earliest on a tie; known once every share is taken. */
  luckiest?: { userId: number; amountCents: number };
  /** Nobody listed means everybody. */
  invited: number[];
}

/** Who won a packet of a drop. */
export interface WinHistory {
  packetId: number;
  dropId: number;
  /** Its place in the split of the drop. */
  number: number;
  userId: number;
  amountCents: number;
  timeMs: number;
}

export interface UserRecord {
  sequence: number;
  timeMs: number;
  kind: 'win' | 'grab' | 'send' | 'refund' | 'topup' | 'withdraw';
  cents: number;
  packetId?: number;
  dropId?: number;
  key?: string;
}

export interface UserHistory {
  userId: number;
  balanceCents: number;
  /** Newest first. */
  records: UserRecord[];
}

/** A WIN as an answer. */
export function describeWin(packetId: number, { words, timeMs }: HistoryRecord): WinHistory {
  return {
    packetId,
    dropId: words[WIN.DROP] >>> 0,
    number: words[WIN.NUMBER] >>> 0,
    userId: words[WIN.USER] >>> 0,
    amountCents: words[WIN.AMOUNT] >>> 0,
    timeMs,
  };
}

/** A packet as an answer. @param open payload of its PACKET_OPEN @param records all that belong to it, in their order */
export function describePacket(packetId: number, open: Int32Array, records: HistoryRecord[]): PacketHistory {
  const grabs = records
    .filter(({ type }) => type === RecordType.GRAB)
    .map(({ sequence, timeMs, words }) => ({
      sequence,
      timeMs,
      userId: words[GRAB.USER] >>> 0,
      share: words[GRAB.SHARE] >>> 0,
      amountCents: words[GRAB.AMOUNT] >>> 0,
    }));
  const close = records.find(({ type }) => type === RecordType.PACKET_CLOSE);
  const shares = open[PACKET_OPEN.SHARES] >>> 0;
  const isEmpty = grabs.length === shares;
  const state = close !== undefined ? 'expired' : isEmpty ? 'empty' : 'open';
  const seed = readBytes(open, PACKET_OPEN.SEED, SEED_BYTES);
  const keyAt = findPacketKey(open, 0);
  const history: PacketHistory = {
    packetId,
    sendId: open[PACKET_OPEN.SEND] >>> 0,
    senderId: readSender(open, 0),
    totalCents: open[PACKET_OPEN.TOTAL] >>> 0,
    shares,
    mode: SPLIT_MODES[open[PACKET_OPEN.MODE]],
    minCents: open[PACKET_OPEN.MIN] >>> 0,
    maxCents: open[PACKET_OPEN.MAX] >>> 0,
    createdAt: open[PACKET_OPEN.CREATED_AT] >>> 0,
    expiresAt: open[PACKET_OPEN.EXPIRES_AT] >>> 0,
    state,
    note: readText(open, keyAt + countTextWords(open, keyAt)),
    commitment: commitTo(seed).toString('hex'),
    grabs,
    claimedCents: grabs.reduce((sum, { amountCents }) => sum + amountCents, 0),
    refundedCents: close === undefined ? 0 : close.words[PACKET_CLOSE.REFUND] >>> 0,
    invited: Array.from(open.subarray(PACKET_OPEN.USERS, keyAt), (userId) => userId >>> 0),
  };
  if (state !== 'open') history.seed = seed.toString('hex');
  if (isEmpty) {
    const most = Math.max(...grabs.map(({ amountCents }) => amountCents));
    const { userId, amountCents } = grabs.find((grab) => grab.amountCents === most)!;
    history.luckiest = { userId, amountCents };
  }
  return history;
}

/** A record that is in somebody's history. */
export function describeOfUser({ type, sequence, timeMs, words }: HistoryRecord): UserRecord {
  const record = { sequence, timeMs };
  switch (type) {
    case RecordType.WIN:
      return {
        ...record,
        kind: 'win',
        cents: words[WIN.AMOUNT] >>> 0,
        packetId: words[WIN.PACKET] >>> 0,
        dropId: words[WIN.DROP] >>> 0,
      };
    case RecordType.GRAB:
      return { ...record, kind: 'grab', cents: words[GRAB.AMOUNT] >>> 0, packetId: words[GRAB.PACKET] >>> 0 };
    case RecordType.PACKET_OPEN:
      return {
        ...record,
        kind: 'send',
        cents: words[PACKET_OPEN.TOTAL] >>> 0,
        packetId: words[PACKET_OPEN.PACKET] >>> 0,
        ...describeKey(words, findPacketKey(words, 0)),
      };
    case RecordType.PACKET_CLOSE:
      return {
        ...record,
        kind: 'refund',
        cents: words[PACKET_CLOSE.REFUND] >>> 0,
        packetId: words[PACKET_CLOSE.PACKET] >>> 0,
      };
    default:
      return {
        ...record,
        kind: type === RecordType.TOPUP ? 'topup' : 'withdraw',
        cents: readU64(words, TRANSFER.CENTS),
        ...describeKey(words, TRANSFER.KEY),
      };
  }
}

function describeKey(words: Int32Array, at: number): { key?: string } {
  return words[at] > 0 ? { key: readText(words, at) } : {};
}
