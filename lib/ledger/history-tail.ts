// The records behind the snapshot, in memory: what history.ts adds to the answers of the snapshot.
//
// One array of words with one entry a record, linked backwards: to the user's one before, and to the packet's one before.
// | word  | name               | meaning                                          |
// |-------|--------------------|--------------------------------------------------|
// | 0     | type               | RecordType                                       |
// | 1     | payload words      | how many                                         |
// | 2..3  | sequence u64       |                                                  |
// | 4..5  | time u64           | Unix milliseconds of its batch                   |
// | 6     | previous of user   | where that user's entry before begins, or -1     |
// | 7     | previous of packet | where that packet's entry before begins, or -1   |
// | 8 ... | payload            |                                                  |

import type { DatabaseSync } from 'node:sqlite';
import { readU64, writeU64 } from './journal-words.ts';
import { PresentState } from './present-state.ts';
import { RecordType } from './record-layout.ts';
import type { RecordSink } from './record-sink.ts';

const TYPE = 0;
const PAYLOAD_WORDS = 1;
const SEQUENCE = 2;
const TIME = 4;
const PREVIOUS_OF_USER = 6;
const PREVIOUS_OF_PACKET = 7;
const PAYLOAD = 8;

const NONE = -1;

const FIRST_WORDS = 64 * 1024;

/** A record as the history works with it: its payload begins at word 0. */
export interface HistoryRecord {
  type: number;
  sequence: number;
  timeMs: number;
  words: Int32Array;
}

export class HistoryTail implements RecordSink {
  /** The present, up to the last record taken. */
  readonly state: PresentState;
  #words = new Int32Array(FIRST_WORDS);
  #end = 0;
  /** The newest entry of each user. */
  readonly #ofUser = new Map<number, number>();
  /** The newest entry of each packet, by the sequence of its PACKET_OPEN. */
  readonly #ofPacket = new Map<number, number>();
  /** The newest PACKET_OPEN or WIN of each packet id. */
  readonly #named = new Map<number, number>();

  /** @param database the snapshot that the records follow */
  constructor(database: DatabaseSync) {
    this.state = new PresentState(database);
  }

  /** Takes the next record. @throws {LedgerError} damaged, version; the tail is then to be thrown away */
  onRecord(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number, timeMs: number): void {
    const { state } = this;
    state.take(type, sequence, words, at, payloadWords);
    const entry = this.#end;
    this.#end += PAYLOAD + payloadWords;
    if (this.#end > this.#words.length) this.#grow();
    const log = this.#words;
    log[entry + TYPE] = type;
    log[entry + PAYLOAD_WORDS] = payloadWords;
    writeU64(log, entry + SEQUENCE, sequence);
    writeU64(log, entry + TIME, timeMs);
    for (let i = 0; i < payloadWords; i++) log[entry + PAYLOAD + i] = words[at + i];
    log[entry + PREVIOUS_OF_USER] = link(this.#ofUser, state.user, entry);
    log[entry + PREVIOUS_OF_PACKET] = link(this.#ofPacket, state.opened, entry);
    if (type === RecordType.PACKET_OPEN || type === RecordType.WIN) this.#named.set(state.packetId!, entry);
  }

  /** A user's records, newest first. */
  *recordsOfUser(userId: number): Generator<HistoryRecord> {
    yield* this.#follow(this.#ofUser.get(userId), PREVIOUS_OF_USER);
  }

  /** The records of the packet whose PACKET_OPEN has this sequence, newest first. */
  *recordsOfPacket(opened: number): Generator<HistoryRecord> {
    yield* this.#follow(this.#ofPacket.get(opened), PREVIOUS_OF_PACKET);
  }

  /** The newest PACKET_OPEN or WIN of a packet id. */
  findNamed(packetId: number): HistoryRecord | undefined {
    const entry = this.#named.get(packetId);
    return entry === undefined ? undefined : this.#read(entry);
  }

  *#follow(newest: number | undefined, previous: number): Generator<HistoryRecord> {
    for (let entry = newest ?? NONE; entry !== NONE; entry = this.#words[entry + previous]) yield this.#read(entry);
  }

  #read(entry: number): HistoryRecord {
    const words = this.#words;
    const payload = entry + PAYLOAD;
    return {
      type: words[entry + TYPE],
      sequence: readU64(words, entry + SEQUENCE),
      timeMs: readU64(words, entry + TIME),
      words: words.slice(payload, payload + words[entry + PAYLOAD_WORDS]),
    };
  }

  #grow(): void {
    const words = new Int32Array(Math.max(2 * this.#words.length, this.#end));
    words.set(this.#words);
    this.#words = words;
  }
}

/** Makes an entry the newest of its kind; returns the one before. */
function link(newest: Map<number, number>, key: number | null, entry: number): number {
  if (key === null) return NONE;
  const before = newest.get(key) ?? NONE;
  newest.set(key, entry);
  return before;
}
