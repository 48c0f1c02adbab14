// A thread's way to the journal: builds entries in its ring to the journal thread, and sees when they are durable.
//
// The journal thread releases the slots of an entry only when its record is on the disk. So the ring's gating sequence is
// the durable sequence of this producer, and no other message is needed to follow it.

import assert from 'node:assert/strict';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import type { Producer } from '../ring/producer.ts';
import {
  countEntrySlots,
  ENTRY_FIRST_WORDS,
  ENTRY_IF_LOST,
  ENTRY_PAYLOAD,
  ENTRY_PAYLOAD_WORDS,
  ENTRY_REPLY,
  ENTRY_SLOTS,
  ENTRY_TARGET,
  ENTRY_TYPE,
  ENTRY_WAKES,
  ENTRY_WORDS,
  NO_RECORD,
  NO_TARGET,
} from './entry-layout.ts';

const TWO_TO_32 = 2 ** 32;

/** The most that one call of `setBytes` takes. */
const MOST_BYTES = 128;

/** Owned by one thread. One entry at a time: `begin`, `set...`, `endAt`. */
export class EntryWriter {
  readonly words: Int32Array;
  readonly #ring: Producer;
  readonly #doorbell: DoorbellRinger;
  /** The slots of the entry that is being built; behind them are those of a longer one before. */
  readonly #places: number[] = [];
  /** Bytes on their way to words: the same memory twice. */
  readonly #padded = new Int32Array(MOST_BYTES / 4);
  readonly #paddedBytes = new Uint8Array(this.#padded.buffer);

  constructor(ring: Producer, doorbell: DoorbellRinger) {
    this.#ring = ring;
    this.#doorbell = doorbell;
    this.words = ring.words;
  }

  /** Whether an entry with a payload of so many words can begin now. */
  // HOT
  hasRoom(payloadWords: number): boolean {
    return this.#ring.hasRoom(countEntrySlots(payloadWords));
  }

  /** Begins an entry; there is room. Every word of the payload has to be set. @param wakes ring this thread once it is durable */
  // HOT
  begin(type: number, payloadWords: number, wakes = false): void {
    const slots = countEntrySlots(payloadWords);
    assert(this.#ring.hasRoom(slots), 'the room for an entry was made sure of');
    for (let i = 0; i < slots; i++) this.#places[i] = this.#ring.claim();
    const place = this.#places[0];
    this.words[place + ENTRY_SLOTS] = slots;
    this.words[place + ENTRY_TYPE] = type;
    this.words[place + ENTRY_PAYLOAD_WORDS] = payloadWords;
    this.words[place + ENTRY_TARGET] = NO_TARGET;
    this.words[place + ENTRY_WAKES] = wakes ? 1 : 0;
  }

  /** Begins an entry that only carries a reply, behind everything that was entered before. */
  // HOT
  beginReply(): void {
    this.begin(NO_RECORD, 0);
  }

  /** Sets a word of the payload. */
  // HOT
  set(index: number, value: number): void {
    this.words[this.#placeOf(index)] = value;
  }

  /** Sets two words to a whole number from 0 to 2^53 - 1. */
  setUint64(index: number, value: number): void {
    this.set(index, value | 0);
    this.set(index + 1, Math.floor(value / TWO_TO_32));
  }

  setFloat64(index: number, value: number): void {
    const [low, high] = new Int32Array(new Float64Array([value]).buffer);
    this.set(index, low);
    this.set(index + 1, high);
  }

  /** Sets as many words as up to 128 bytes fill, the last one padded with zeros. Returns how many. */
  setBytes(index: number, bytes: Uint8Array): number {
    assert(bytes.length <= MOST_BYTES, 'the bytes fit');
    const words = Math.ceil(bytes.length / 4);
    this.#paddedBytes.set(bytes);
    this.#paddedBytes.fill(0, bytes.length, 4 * words);
    for (let i = 0; i < words; i++) this.set(index + i, this.#padded[i]);
    return words;
  }

  /** Sets a text: its length in bytes, then the bytes. Returns how many words. */
  setText(index: number, utf8: Uint8Array): number {
    this.set(index, utf8.length);
    return 1 + this.setBytes(index + 1, utf8);
  }

  /**
   * Gives the entry a reply: returns where its words begin in `words`. All 32 are the caller's to set.
   * @param target whose reply ring @param ifLost the result that the reply has if the record cannot be written
   */
  // HOT
  addReply(target: number, ifLost: number): number {
    const place = this.#places[0];
    this.words[place + ENTRY_TARGET] = target;
    this.words[place + ENTRY_IF_LOST] = ifLost;
    return place + ENTRY_REPLY;
  }

  /** Makes the entries that were built visible to the journal thread, which may be asleep. */
  // HOT
  publish(): void {
    this.#ring.publish();
  }

  /** Wakes the journal thread if it sleeps. Call it after the last `publish` of a turn. */
  // HOT
  ring(): void {
    this.#doorbell.ring();
  }

  /** Where what was entered so far ends: see isDurable. Wraps. */
  get position(): number {
    return this.#ring.claimedSequence;
  }

  /** Everything before this position is durable. */
  get durablePosition(): number {
    return this.#ring.releasedSequence;
  }

  /** Tells whether everything before a position is durable. */
  isDurable(position: number): boolean {
    return this.#ring.hasReleased(position);
  }

  #placeOf(index: number): number {
    if (index < ENTRY_FIRST_WORDS) return this.#places[0] + ENTRY_PAYLOAD + index;
    const rest = index - ENTRY_FIRST_WORDS;
    return this.#places[1 + Math.floor(rest / ENTRY_WORDS)] + (rest % ENTRY_WORDS);
  }
}
