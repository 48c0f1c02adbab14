// The frames that a SET worker sends without being asked: notices of packets, and the word that a session was replaced.
//
// They leave at once if the reply ring has room beside the replies that are under way; otherwise they wait here, in their
// order, and nothing overtakes them.

import assert from 'node:assert/strict';
import type { PacketFacts, PacketTable } from '../packets/packet-table.ts';
import { commitTo } from '../packets/seeded-random.ts';
import { SPLIT_MODES } from '../packets/split.ts';
import { SPLIT_NAMES } from '../protocol/extended.ts';
import {
  COMMITMENT_WORDS,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_COMMITMENT,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_EXPIRES_AT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_MODE,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_SENDER,
  REPLY_USER,
  REPLY_USERS,
  ReplyKind,
} from '../protocol/slot-layout.ts';
import { FULL } from '../ring/producer.ts';
import type { Outbox } from './outbox.ts';
import type { UserTable } from './user-table.ts';

assert.deepEqual(SPLIT_MODES, SPLIT_NAMES, 'a split has one number in the table and on the wire');

type UnaskedKind = typeof ReplyKind.NOTICE | typeof ReplyKind.REPLACED;

const NO_NOTE = new Int32Array(0);

/** A frame for the session on one connection. */
interface Unasked {
  kind: UnaskedKind;
  row: number;
  acceptor: number;
  connection: number;
  generation: number;
  /** NOTICE. */
  packetId: number;
}

/** Owned by one worker. */
export class UnaskedFrames {
  readonly #users: UserTable;
  readonly #packets: PacketTable;
  readonly #outbox: Outbox;
  /** Frames that found no room in their reply ring; the first #sent of them have left meanwhile. */
  #waiting: Unasked[] = [];
  #sent = 0;

  constructor(users: UserTable, packets: PacketTable, outbox: Outbox) {
    this.#users = users;
    this.#packets = packets;
    this.#outbox = outbox;
  }

  /** Frames that wait for room in a reply ring. */
  get waitingCount(): number {
    return this.#waiting.length - this.#sent;
  }

  /** Sends a frame to the session that a user has now, or keeps it until there is room. @param packetId for NOTICE */
  tell(row: number, kind: UnaskedKind, packetId: number): void {
    const { acceptors, connections, generations } = this.#users;
    const frame = {
      kind,
      row,
      acceptor: acceptors[row],
      connection: connections[row],
      generation: generations[row],
      packetId,
    };
    if (this.waitingCount > 0 || !this.#send(frame)) this.#waiting.push(frame);
  }

  /** Sends what found no room before, in its order, as far as there is room now. */
  sendWaiting(): void {
    while (this.waitingCount > 0 && this.#send(this.#waiting[this.#sent])) this.#sent++;
    if (2 * this.#sent < this.#waiting.length || this.#sent === 0) return;
    this.#waiting = this.#waiting.slice(this.#sent);
    this.#sent = 0;
  }

  /** Sends a frame, or lets it go if there is nobody to be told any more; false if there is no room now. */
  #send(frame: Unasked): boolean {
    const { kind, row, acceptor, connection, generation, packetId } = frame;
    const isNotice = kind === ReplyKind.NOTICE;
    // Whoever logged in since has been told of the packet then.
    if (isNotice && !this.#users.isSessionOf(row, acceptor, connection, generation)) return true;
    const facts = isNotice ? this.#packets.facts(packetId) : undefined;
    if (isNotice && facts === undefined) return true;
    const note = facts?.note ?? NO_NOTE;
    const place = this.#outbox.claimUnasked(acceptor, note.length);
    if (place === FULL) return false;
    const { words } = this.#outbox;
    words[place + REPLY_KIND] = kind;
    words[place + REPLY_CONNECTION] = connection;
    words[place + REPLY_GENERATION] = generation;
    words[place + REPLY_USER] = this.#users.userIds[row];
    words[place + REPLY_BODY] = note.length;
    if (facts !== undefined) {
      writeNoticeWords(words, place, packetId, facts);
      if (this.#users.rich[row] === 1) writeCommitmentWords(words, place, facts);
    }
    this.#outbox.addBody(acceptor, note);
    return true;
  }
}

/** Writes what every NOTICE says of a packet into a reply's slot. */
export function writeNoticeWords(words: Int32Array, place: number, packetId: number, facts: PacketFacts): void {
  words[place + REPLY_PACKET] = packetId;
  words[place + REPLY_AMOUNT] = facts.totalCents;
  words[place + REPLY_RESULT] = facts.noteBytes;
  words[place + REPLY_COUNT] = facts.shares;
  for (let i = 0; i < 3; i++) words[place + REPLY_USERS + i] = facts.firstInvited[i];
  words[place + REPLY_SENDER] = facts.senderId;
  words[place + REPLY_EXPIRES_AT] = facts.expiresAt;
  words[place + REPLY_MODE] = facts.mode;
}

/** Writes what only the NOTICE of an extended session says. */
export function writeCommitmentWords(words: Int32Array, place: number, facts: PacketFacts): void {
  const commitment = commitTo(facts.seed);
  for (let i = 0; i < COMMITMENT_WORDS; i++) words[place + REPLY_COMMITMENT + i] = commitment.readInt32BE(4 * i);
}
