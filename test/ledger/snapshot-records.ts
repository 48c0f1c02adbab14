// Makes records for the tests of snapshot and history: payloads as record-layout.ts lays them out.

import {
  DROP_CLOSE,
  DROP_OPEN,
  GRAB,
  NOTICE_DROPPED,
  PACKET_CLOSE,
  PACKET_OPEN,
  RESERVE,
  RecordType,
  SEND_OPEN,
  SETTLE,
  TRANSFER,
  WIN,
} from '../../lib/ledger/record-layout.ts';

export interface TestRecord {
  type: number;
  words: Int32Array;
}

export interface TestPacket {
  packetId: number;
  total: number;
  shares: number;
  sendId?: number;
  index?: number;
  /** -1 or left out for the house. */
  senderId?: number;
  source?: 0 | 1 | 2;
  reservation?: number;
  invited?: number[];
  key?: string;
  note?: string;
}

/** The seed of every packet here. */
export const TEST_SEED = Buffer.alloc(32, 0xa5);

export function openDrop(drop: number, count: number, budget: number, firstNumber = 0): TestRecord {
  return make(RecordType.DROP_OPEN, DROP_OPEN.WORDS, (words) => {
    words[DROP_OPEN.DROP] = drop;
    words[DROP_OPEN.COUNT] = count;
    words[DROP_OPEN.FIRST_NUMBER] = firstNumber;
    putU64(words, DROP_OPEN.BUDGET, budget);
  });
}

export function win(drop: number, number: number, packetId: number, user: number, amount: number): TestRecord {
  return make(RecordType.WIN, WIN.WORDS, (words) => words.set([drop, number, packetId, user, amount]));
}

export function closeDrop(drop: number, won: number, refund: number): TestRecord {
  return make(RecordType.DROP_CLOSE, DROP_CLOSE.WORDS, (words) => {
    words.set([drop, won]);
    putU64(words, DROP_CLOSE.REFUND, refund);
  });
}

export function openSend(send: number, count: number): TestRecord {
  return make(RecordType.SEND_OPEN, SEND_OPEN.WORDS, (words) => words.set([send, count]));
}

export function openPacket(packet: TestPacket): TestRecord {
  const { sendId = 0, index = 0, senderId = -1, source = 0, reservation = 0, invited = [] } = packet;
  const texts = [...textWords(packet.key ?? ''), ...textWords(packet.note ?? '')];
  return make(RecordType.PACKET_OPEN, PACKET_OPEN.USERS + invited.length + texts.length, (words) => {
    words.set([
      packet.packetId,
      sendId,
      index,
      senderId,
      packet.total,
      packet.shares,
      0,
      1,
      20_000,
      1000,
      2000,
      source,
    ]);
    putU64(words, PACKET_OPEN.RESERVATION, reservation);
    new Uint8Array(words.buffer).set(TEST_SEED, 4 * PACKET_OPEN.SEED);
    words[PACKET_OPEN.INVITED] = invited.length;
    words.set([...invited, ...texts], PACKET_OPEN.USERS);
  });
}

export function grab(packetId: number, share: number, user: number, amount: number): TestRecord {
  return make(RecordType.GRAB, GRAB.WORDS, (words) => words.set([packetId, share, user, amount]));
}

export function closePacket(packetId: number, taken: number, refund: number): TestRecord {
  return make(RecordType.PACKET_CLOSE, PACKET_CLOSE.WORDS, (words) => words.set([packetId, taken, refund]));
}

export function topUp(user: number, cents: number, key = ''): TestRecord {
  return makeTransfer(RecordType.TOPUP, user, cents, key);
}

export function withdraw(user: number, cents: number, key = ''): TestRecord {
  return makeTransfer(RecordType.WITHDRAW, user, cents, key);
}

export function dropNotice(user: number, packetId: number): TestRecord {
  return make(RecordType.NOTICE_DROPPED, NOTICE_DROPPED.WORDS, (words) => words.set([user, packetId]));
}

export function reserve(user: number, cents: number, reservation: number): TestRecord {
  return make(RecordType.RESERVE, RESERVE.KEY + 1, (words) => {
    words.set([user, cents]);
    putU64(words, RESERVE.RESERVATION, reservation);
  });
}

export function settle(reservation: number, outcome: 1 | 2): TestRecord {
  return make(RecordType.SETTLE, SETTLE.WORDS, (words) => {
    words[SETTLE.OUTCOME] = outcome;
    putU64(words, SETTLE.RESERVATION, reservation);
  });
}

function makeTransfer(type: number, user: number, cents: number, key: string): TestRecord {
  const text = textWords(key);
  return make(type, TRANSFER.KEY + text.length, (words) => {
    words[TRANSFER.USER] = user;
    putU64(words, TRANSFER.CENTS, cents);
    words.set(text, TRANSFER.KEY);
  });
}

function make(type: number, length: number, fill: (words: Int32Array) => void): TestRecord {
  const words = new Int32Array(length);
  fill(words);
  return { type, words };
}

function putU64(words: Int32Array, at: number, value: number): void {
  words[at] = value % 2 ** 32;
  words[at + 1] = Math.floor(value / 2 ** 32);
}

function textWords(text: string): number[] {
  const bytes = Buffer.from(text);
  const padded = Buffer.alloc(4 * Math.ceil(bytes.length / 4));
  padded.set(bytes);
  return [bytes.length, ...new Int32Array(Uint8Array.from(padded).buffer)];
}
