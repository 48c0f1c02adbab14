// Reads a data directory from its first record to its last, with the audit's own reader, into tables that acknowledgements
// can be looked up in.
//
// Segments that were deleted are read from snapshot.sqlite, which has every record of theirs. Nothing of the ledger is
// used, and nothing is changed.

import { readBalanceFile } from '../audit/balance-file.ts';
import { formatFinding } from '../audit/findings.ts';
import {
  DROP_CLOSE,
  DROP_OPEN,
  GRAB,
  HOUSE,
  joinWords,
  PACKET_CLOSE,
  PACKET_OPEN,
  PACKET_OPEN_INVITED_WORD,
  RESERVE,
  SEND_OPEN,
  TOPUP,
  WIN,
  WITHDRAW,
} from '../audit/journal-format.ts';
import { findJournal } from '../audit/run-audit.ts';
import { readSegment } from '../audit/segment-parser.ts';

export interface PacketFact {
  sender: number;
  cents: number;
  shares: number;
  sendId: number;
  expiresAt: number;
  grabs: number;
  /** What went back, once for each close there is. */
  refunds: number[];
}

/** What one request key did. */
export interface KeyFact {
  kind: 'sent' | 'topup' | 'withdraw';
  cents: number;
  /** 0 for a transfer. */
  packetId: number;
}

export interface DropFact {
  count: number;
  cents: number;
  wins: number;
  refunds: number[];
}

export interface SendFact {
  count: number;
  shares: number;
  created: number;
}

/** Everything that was found of one thing is kept, so that what is there twice is seen. */
export class JournalFacts {
  records = 0;
  readonly wins = new Map<number, { userId: number; cents: number }[]>();
  /** By `grabKey`: the cents of each. */
  readonly grabs = new Map<string, number[]>();
  /** Ids of packets come again only after 2,047 others in the same slot: far more than a run sends. */
  readonly packets = new Map<number, PacketFact[]>();
  /** By `requestKey`. */
  readonly keys = new Map<string, KeyFact[]>();
  readonly drops = new Map<number, DropFact[]>();
  readonly sends = new Map<number, SendFact[]>();
  readonly balances = new Map<number, number>();
  /** Records that do not add up with those before. */
  readonly faults: string[] = [];

  /** Takes one record. @param at where its payload begins */
  take(type: number, view: DataView, at: number): void {
    const word = (index: number) => view.getUint32(at + 4 * index, true);
    const u64 = (index: number) => joinWords(word(index), word(index + 1));
    this.records++;
    switch (type) {
      case DROP_OPEN:
        append(this.drops, word(0), { count: word(1), cents: u64(8), wins: 0, refunds: [] });
        break;
      case WIN:
        this.#takeWin(word(0), word(2), word(3), word(4));
        break;
      case DROP_CLOSE:
        this.#dropOf(word(0))?.refunds.push(u64(2));
        break;
      case SEND_OPEN:
        append(this.sends, word(0), { count: word(1), shares: word(2), created: 0 });
        break;
      case PACKET_OPEN:
        this.#takePacket(word, readText(view, at, PACKET_OPEN_INVITED_WORD + 1 + word(PACKET_OPEN_INVITED_WORD)));
        break;
      case GRAB:
        this.#takeGrab(word(0), word(2), word(3));
        break;
      case PACKET_CLOSE:
        this.#takeClose(word(0), word(2));
        break;
      case TOPUP:
        this.#move(word(0), u64(2));
        this.#takeKey(word(0), readText(view, at, 4), { kind: 'topup', cents: u64(2), packetId: 0 });
        break;
      case WITHDRAW:
        this.#move(word(0), -u64(2));
        this.#takeKey(word(0), readText(view, at, 4), { kind: 'withdraw', cents: u64(2), packetId: 0 });
        break;
      case RESERVE:
        this.faults.push('there is a RESERVE, but no external wallet');
    }
  }

  /** Drops that are not closed. */
  get openDrops(): number[] {
    return [...this.drops]
      .filter(([, [drop]]) => drop.refunds.length === 0 && drop.wins < drop.count)
      .map(([id]) => id);
  }

  /** Whether money will move by itself before this time: a packet expires, a send goes on. */
  movesBefore(unixSeconds: number): boolean {
    for (const [send] of this.sends.values()) if (send.created < send.count) return true;
    for (const [{ grabs, shares, refunds, expiresAt }] of this.packets.values()) {
      if (grabs < shares && refunds.length === 0 && expiresAt < unixSeconds) return true;
    }
    return this.openDrops.length > 0;
  }

  #takeWin(dropId: number, packetId: number, userId: number, cents: number): void {
    const drop = this.#dropOf(dropId);
    if (drop !== undefined) drop.wins++;
    append(this.wins, packetId, { userId, cents });
    this.#move(userId, cents);
  }

  #takePacket(word: (index: number) => number, key: string): void {
    const [packetId, sendId, , sender, cents, shares] = [0, 1, 2, 3, 4, 5].map(word);
    append(this.packets, packetId, { sender, cents, shares, sendId, expiresAt: word(10), grabs: 0, refunds: [] });
    const send = this.sends.get(sendId)?.[0];
    if (send !== undefined) send.created++;
    if (sender === HOUSE) return;
    this.#move(sender, -cents);
    this.#takeKey(sender, key, { kind: 'sent', cents, packetId });
  }

  #takeGrab(packetId: number, userId: number, cents: number): void {
    const packet = this.#packetOf(packetId);
    if (packet !== undefined) packet.grabs++;
    append(this.grabs, grabKey(packetId, userId), cents);
    this.#move(userId, cents);
  }

  #takeClose(packetId: number, refundCents: number): void {
    const packet = this.#packetOf(packetId);
    if (packet === undefined) return;
    packet.refunds.push(refundCents);
    if (packet.sender !== HOUSE) this.#move(packet.sender, refundCents);
  }

  #takeKey(userId: number, key: string, fact: KeyFact): void {
    append(this.keys, requestKey(userId, key), fact);
  }

  #packetOf(packetId: number): PacketFact | undefined {
    const packet = this.packets.get(packetId)?.at(-1);
    if (packet === undefined) this.faults.push(`a record names packet ${packetId}, which there is not`);
    return packet;
  }

  #dropOf(dropId: number): DropFact | undefined {
    const drop = this.drops.get(dropId)?.at(-1);
    if (drop === undefined) this.faults.push(`a record names drop ${dropId}, which there is not`);
    return drop;
  }

  #move(userId: number, cents: number): void {
    this.balances.set(userId, (this.balances.get(userId) ?? 0) + cents);
  }
}

/** Where the grabs of one user of one packet are. */
export function grabKey(packetId: number, userId: number): string {
  return `${packetId}/${userId}`;
}

/** Where a request key of one user is. */
export function requestKey(userId: number, key: string): string {
  return `${userId}/${key}`;
}

/** Reads a data directory. @throws {Error} if a segment is damaged, or the records do not reach back to the first */
export function readFacts(directory: string): JournalFacts {
  const facts = new JournalFacts();
  const { segments, snapshot } = findJournal(directory);
  const firstKept = segments[0].segment > 1 ? readFirstSequence(segments[0]) : 1;
  if (firstKept > 1 && snapshot !== undefined) {
    readBalanceFile(snapshot, ({ sequence, type, payload }) => {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
      if (sequence < firstKept) facts.take(type, view, 0);
    });
  }
  if (facts.records !== firstKept - 1) {
    throw new Error(`the journal begins with record ${firstKept}, the snapshot has ${facts.records} of those before`);
  }
  for (const [i, { segment, path }] of segments.entries()) {
    const { findings } = readSegment(path, segment, i === segments.length - 1, {
      batch: () => {},
      record: (type, view, at) => facts.take(type, view, at),
    });
    if (findings.count > 0) throw new Error(formatFinding(findings.kept[0]));
  }
  return facts;
}

/** The sequence that a segment begins with. */
function readFirstSequence({ segment, path }: { segment: number; path: string }): number {
  const { start } = readSegment(path, segment, true, { batch: () => {}, record: () => {} });
  if (start === undefined) throw new Error(`segment ${segment} has no header that can be read`);
  return start.sequence;
}

function readText(view: DataView, at: number, index: number): string {
  const bytes = view.getUint32(at + 4 * index, true);
  return Buffer.from(view.buffer, view.byteOffset + at + 4 * index + 4, bytes).toString('utf8');
}

function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
