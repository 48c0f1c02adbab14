// The table of sent packets in shared memory, as every thread sees it: grab a share, close a packet, read one.
//
// Creating packets and reusing their slots is the business of the thread that owns them: packet-creator.ts.

import { generationOf, slotOf } from './packet-id.ts';
import {
  BUILDING,
  CLOSED_BIT,
  CREATED_AT_WORD,
  CURSOR_MASK,
  countBlockWords,
  EXPIRES_AT_WORD,
  FIRST_WORD_WORD,
  GENERATION_SHIFT,
  HAS_ORDER_WORD,
  INVITED_WORD,
  MAX_WORD,
  MIN_WORD,
  MODE_WORD,
  NOBODY,
  NOTE_BYTES_WORD,
  PACKET_ROW_WORDS,
  SEED_WORD,
  SEED_WORDS,
  SENDER_WORD,
  SHARES_WORD,
  STATE_WORD,
  TOTAL_WORD,
} from './packet-layout.ts';
import { commitTo } from './seeded-random.ts';
import { SPLIT_MODES, type SplitMode } from './split.ts';

/** What the threads share about sent packets. Can be sent through workerData. */
export interface PacketMemory {
  rows: SharedArrayBuffer;
  /** The arena of the packets' blocks: shares, claims, invited users. */
  blocks: SharedArrayBuffer;
  /** A bit a slot: whether the state of the packet in it has changed since the creator looked. */
  changes: SharedArrayBuffer;
}

/** Allocates an empty table. @param slots at most MAX_PACKET_SLOTS @param blockWords words of the arena */
export function allocatePackets(slots: number, blockWords: number): PacketMemory {
  return {
    rows: new SharedArrayBuffer(4 * PACKET_ROW_WORDS * slots),
    blocks: new SharedArrayBuffer(4 * blockWords),
    changes: new SharedArrayBuffer(4 * Math.ceil(slots / 32)),
  };
}

/** What a grab came to. */
export const GrabOutcome = {
  WON: 0,
  REPEAT: 1,
  EMPTY: 2,
  EXPIRED: 3,
  NOT_INVITED: 4,
  NOT_FOUND: 5,
} as const;
export type GrabOutcome = (typeof GrabOutcome)[keyof typeof GrabOutcome];

/** A packet as it was at one moment. */
export interface PacketView {
  id: number;
  mode: SplitMode;
  totalCents: number;
  shares: number;
  minCents: number;
  maxCents: number;
  /** -1 for the house. */
  senderId: number;
  /** Unix seconds. */
  createdAt: number;
  expiresAt: number;
  state: 'open' | 'empty' | 'expired';
  invited: number[];
  note: string;
  /** The shares taken so far, in the order they were taken; `share` is the place in the split, from 0. */
  grabs: { userId: number; amountCents: number; share: number }[];
  claimedCents: number;
  /** What went back to the sender, once the packet has expired. */
  refundedCents: number;
  /** Who got the most, the earliest on a tie; known once every share is taken. */
  luckiest?: { userId: number; amountCents: number };
  /** sha256 of the seed, in hex. */
  commitment: string;
  /** The seed of the split, in hex; shown once nothing can be grabbed any more. */
  seed?: string;
}

/** What a notice says of a packet. */
export interface PacketFacts {
  totalCents: number;
  shares: number;
  /** -1 for the house. */
  senderId: number;
  /** Unix seconds. */
  expiresAt: number;
  /** Index into SPLIT_MODES. */
  mode: number;
  /** The first three invited users; 0 where there are fewer. */
  firstInvited: [number, number, number];
  /** 32 bytes, a copy. */
  seed: Uint8Array;
  /** Bytes of the note's UTF-8, and those bytes, padded to words; a copy. */
  noteBytes: number;
  note: Int32Array;
}

/** One thread's view of the table. */
export class PacketTable {
  readonly slots: number;
  /** Cents of the last grab that was WON or REPEAT. */
  grabbedCents = 0;
  /** Which share of the split the last grab that was WON got, from 0. */
  grabbedShare = 0;
  readonly rows: Int32Array;
  readonly blocks: Int32Array;
  readonly #changes: Int32Array;
  /** Where the claim of the last grab that was WON is to be written. */
  #claimWord = 0;

  constructor(memory: PacketMemory) {
    this.rows = new Int32Array(memory.rows);
    this.blocks = new Int32Array(memory.blocks);
    this.#changes = new Int32Array(memory.changes);
    this.slots = this.rows.length / PACKET_ROW_WORDS;
  }

  /**
   * Grabs a share for a user; the rules in their order: known, grabbed before (the same amount again), invited, not
   * expired, shares left. `grabbedCents` then holds the amount. After WON the worker writes its record and then calls
   * `leaveClaim`, before anything else. The user's own worker only: that no two grabs of one user run at once is what
   * makes the look through the claims enough.
   */
  grab(packetId: number, userId: number): GrabOutcome {
    const row = this.#findRow(packetId);
    if (row < 0) return GrabOutcome.NOT_FOUND;
    const first = this.rows[row + FIRST_WORD_WORD];
    const shares = this.rows[row + SHARES_WORD];
    const place = this.#findWord(first + shares, shares, userId);
    const invited = this.#isInvited(row, first, shares, userId);
    const grabbedBefore = place < 0 ? 0 : this.blocks[first + place];
    for (;;) {
      // This also proves, by the generation, that everything read above was this packet's.
      const state = this.#confirmState(row);
      if (state >>> GENERATION_SHIFT !== generationOf(packetId)) return GrabOutcome.NOT_FOUND;
      if (place >= 0) {
        this.grabbedCents = grabbedBefore;
        return GrabOutcome.REPEAT;
      }
      if (!invited) return GrabOutcome.NOT_INVITED;
      const cursor = state & CURSOR_MASK;
      if ((state & CLOSED_BIT) !== 0) return GrabOutcome.EXPIRED;
      if (cursor === shares) return GrabOutcome.EMPTY;
      if (Atomics.compareExchange(this.rows, row + STATE_WORD, state, state + 1) !== state) continue;
      this.#markChanged(slotOf(packetId));
      this.grabbedCents = this.blocks[first + cursor];
      this.grabbedShare = this.#shareAt(row, first, shares, cursor);
      this.#claimWord = first + shares + cursor;
      return GrabOutcome.WON;
    }
  }

  /**
   * After a grab that was WON, once its record is published: the creator may now close the packet, with a record of its
   * own that is to come behind, and reuse it once it is over.
   */
  leaveClaim(userId: number): void {
    // PUBLISH claim: our reads of the packet are done, our record is out; pairs with hasAllClaims().
    Atomics.store(this.blocks, this.#claimWord, userId);
  }

  /**
   * Closes a packet for good: from here on no share can be taken. The creator only, by its own clock.
   * Returns the cents that were not taken (0 if all were, or if the packet is closed already).
   */
  close(packetId: number): number {
    const row = this.#findRow(packetId);
    if (row < 0) return 0;
    for (;;) {
      const state = Atomics.load(this.rows, row + STATE_WORD);
      if ((state & CLOSED_BIT) !== 0) return 0;
      if (Atomics.compareExchange(this.rows, row + STATE_WORD, state, state | CLOSED_BIT) !== state) continue;
      this.#markChanged(slotOf(packetId));
      return this.#sumShares(row, state & CURSOR_MASK, this.rows[row + SHARES_WORD]);
    }
  }

  /** Tells whether a share of the packet can still be taken. Any thread. */
  isOpen(packetId: number): boolean {
    const row = this.#findRow(packetId);
    if (row < 0) return false;
    const state = Atomics.load(this.rows, row + STATE_WORD);
    const shares = this.rows[row + SHARES_WORD];
    return (state & CLOSED_BIT) === 0 && (state & CURSOR_MASK) < shares && this.#isStill(row, packetId);
  }

  /** Tells whether this user has a share of the packet. The user's own worker. */
  hasGrabbed(packetId: number, userId: number): boolean {
    const row = this.#findRow(packetId);
    if (row < 0) return false;
    const shares = this.rows[row + SHARES_WORD];
    const place = this.#findWord(this.rows[row + FIRST_WORD_WORD] + shares, shares, userId);
    return place >= 0 && this.#isStill(row, packetId);
  }

  /** Tells whether everybody who took a share has read it and left his claim. The creator. */
  hasAllClaims(packetId: number): boolean {
    const row = this.#findRow(packetId);
    if (row < 0) return true;
    const shares = this.rows[row + SHARES_WORD];
    const claims = this.rows[row + FIRST_WORD_WORD] + shares;
    const cursor = Atomics.load(this.rows, row + STATE_WORD) & CURSOR_MASK;
    for (let i = 0; i < cursor; i++) {
      if (Atomics.load(this.blocks, claims + i) === NOBODY) return false;
    }
    return true;
  }

  /** Shares taken so far, 0 for an unknown id. Any thread. */
  countGrabbed(packetId: number): number {
    const row = this.#findRow(packetId);
    if (row < 0) return 0;
    const grabbed = Atomics.load(this.rows, row + STATE_WORD) & CURSOR_MASK;
    return this.#isStill(row, packetId) ? grabbed : 0;
  }

  /**
   * Calls back for each of the first `slots` slots whose packet has been grabbed from or closed since the last time; it may
   * have been retired since, too. What changes while this runs is told now or the next time. The creator.
   */
  takeChanges(slots: number, onChange: (slot: number) => void): void {
    const changes = this.#changes;
    const words = Math.ceil(slots / 32);
    for (let word = 0; word < words; word++) {
      if (Atomics.load(changes, word) === 0) continue;
      // SUBSCRIBE changes: whoever marks from here on is told the next time; pairs with #markChanged().
      let bits = Atomics.exchange(changes, word, 0);
      for (; bits !== 0; bits &= bits - 1) onChange(32 * word + 31 - Math.clz32(bits & -bits));
    }
  }

  /** Cents of the shares taken so far, 0 for an unknown id. The creator. */
  sumGrabbed(packetId: number): number {
    const row = this.#findRow(packetId);
    return row < 0 ? 0 : this.#sumShares(row, 0, Atomics.load(this.rows, row + STATE_WORD) & CURSOR_MASK);
  }

  /** Cents of the shares not taken so far, whether they still can be or not; 0 for an unknown id. The creator. */
  sumLeft(packetId: number): number {
    const row = this.#findRow(packetId);
    if (row < 0) return 0;
    const taken = Atomics.load(this.rows, row + STATE_WORD) & CURSOR_MASK;
    return this.#sumShares(row, taken, this.rows[row + SHARES_WORD]);
  }

  /** What a notice says of a packet, or undefined if the id is unknown. Any thread. */
  facts(packetId: number): PacketFacts | undefined {
    const row = this.#findRow(packetId);
    if (row < 0) return undefined;
    const first = this.rows[row + FIRST_WORD_WORD] + 2 * this.rows[row + SHARES_WORD];
    const invited = this.rows[row + INVITED_WORD];
    const noteBytes = this.rows[row + NOTE_BYTES_WORD];
    const facts: PacketFacts = {
      totalCents: this.rows[row + TOTAL_WORD],
      shares: this.rows[row + SHARES_WORD],
      senderId: this.rows[row + SENDER_WORD],
      expiresAt: this.rows[row + EXPIRES_AT_WORD] >>> 0,
      mode: this.rows[row + MODE_WORD],
      firstInvited: [
        invited > 0 ? this.blocks[first] : 0,
        invited > 1 ? this.blocks[first + 1] : 0,
        invited > 2 ? this.blocks[first + 2] : 0,
      ],
      seed: new Uint8Array(this.rows.slice(row + SEED_WORD, row + SEED_WORD + SEED_WORDS).buffer),
      noteBytes,
      note: this.blocks.slice(first + invited, first + invited + Math.ceil(noteBytes / 4)),
    };
    return this.#isStill(row, packetId) ? facts : undefined;
  }

  /** A copy of everything about a packet, or undefined if the id is unknown. Any thread; allocates. */
  view(packetId: number): PacketView | undefined {
    const row = this.#findRow(packetId);
    if (row < 0) return undefined;
    const fields = this.rows.slice(row, row + PACKET_ROW_WORDS);
    const first = fields[FIRST_WORD_WORD];
    const shares = fields[SHARES_WORD];
    const hasOrder = fields[HAS_ORDER_WORD] === 1;
    const words = countBlockWords(shares, fields[INVITED_WORD], fields[NOTE_BYTES_WORD], hasOrder);
    const block = this.blocks.slice(first, first + words);
    if (!this.#isStill(row, packetId)) return undefined;
    return describe(packetId, fields, block);
  }

  /** The state of the packet in a slot has changed. */
  // HOT
  #markChanged(slot: number): void {
    const word = slot >>> 5;
    const bit = 1 << (slot & 31);
    // PUBLISH changes: whoever takes the bit finds the state as it is now, or newer; pairs with takeChanges().
    if ((Atomics.load(this.#changes, word) & bit) === 0) Atomics.or(this.#changes, word, bit);
  }

  /** The row of a packet, or -1 if the id is unknown, its slot has been reused, or somebody guessed it too early. */
  #findRow(packetId: number): number {
    const slot = slotOf(packetId);
    const generation = generationOf(packetId);
    if (slot >= this.slots || generation === 0) return -1;
    const row = slot * PACKET_ROW_WORDS;
    const state = Atomics.load(this.rows, row + STATE_WORD);
    // While a row is being built it has its next generation already, but the fields of the old packet or of neither.
    return state >>> GENERATION_SHIFT === generation && (state & BUILDING) !== BUILDING ? row : -1;
  }

  /** Tells whether everything read of a packet since `#findRow` gave its row was that packet's. */
  #isStill(row: number, packetId: number): boolean {
    return this.#confirmState(row) >>> GENERATION_SHIFT === generationOf(packetId);
  }

  /**
   * The state, read so that no plain load before it can happen after it: a load would not do on processors that reorder
   * loads, a read-modify-write that changes nothing does.
   */
  #confirmState(row: number): number {
    return Atomics.or(this.rows, row + STATE_WORD, 0);
  }

  #isInvited(row: number, first: number, shares: number, userId: number): boolean {
    const invited = this.rows[row + INVITED_WORD];
    return invited === 0 || this.#findWord(first + 2 * shares, invited, userId) >= 0;
  }

  /** Which share of the split lies at a place. */
  #shareAt(row: number, first: number, shares: number, place: number): number {
    if (this.rows[row + HAS_ORDER_WORD] === 0) return place;
    const { rows } = this;
    const order = first + countBlockWords(shares, rows[row + INVITED_WORD], rows[row + NOTE_BYTES_WORD], false);
    return this.blocks[order + place];
  }

  /** The index of a word among `count` words of the arena, or -1. */
  #findWord(first: number, count: number, word: number): number {
    for (let i = 0; i < count; i++) {
      if (this.blocks[first + i] === word) return i;
    }
    return -1;
  }

  #sumShares(row: number, from: number, to: number): number {
    const first = this.rows[row + FIRST_WORD_WORD];
    let cents = 0;
    for (let i = from; i < to; i++) cents += this.blocks[first + i];
    return cents;
  }
}

/** Turns a copied row and block into a view. */
function describe(id: number, fields: Int32Array, block: Int32Array): PacketView {
  const shares = fields[SHARES_WORD];
  const taken = Math.min(fields[STATE_WORD] & CURSOR_MASK, shares);
  const isClosed = (fields[STATE_WORD] & CLOSED_BIT) !== 0;
  const invited = fields[INVITED_WORD];
  const noteAt = 2 * shares + invited;
  const order = fields[HAS_ORDER_WORD] === 1 ? block.subarray(block.length - shares) : undefined;
  const grabs = Array.from({ length: taken }, (_, i) => ({
    userId: block[shares + i],
    amountCents: block[i],
    share: order === undefined ? i : order[i],
  }));
  const claimedCents = grabs.reduce((sum, grab) => sum + grab.amountCents, 0);
  const seed = new Uint8Array(fields.buffer, 4 * SEED_WORD, 4 * SEED_WORDS);
  const view: PacketView = {
    id,
    mode: SPLIT_MODES[fields[MODE_WORD]],
    totalCents: fields[TOTAL_WORD],
    shares,
    minCents: fields[MIN_WORD],
    maxCents: fields[MAX_WORD],
    senderId: fields[SENDER_WORD],
    createdAt: fields[CREATED_AT_WORD] >>> 0,
    expiresAt: fields[EXPIRES_AT_WORD] >>> 0,
    state: taken === shares ? 'empty' : isClosed ? 'expired' : 'open',
    invited: Array.from(block.subarray(2 * shares, noteAt)),
    note: Buffer.from(block.buffer, 4 * noteAt, fields[NOTE_BYTES_WORD]).toString('utf8'),
    // A claim that its worker has not written yet is left out of the list; its cents count.
    grabs: grabs.filter((grab) => grab.userId !== NOBODY),
    claimedCents,
    refundedCents: isClosed ? fields[TOTAL_WORD] - claimedCents : 0,
    commitment: commitTo(seed).toString('hex'),
  };
  if (view.state !== 'open') view.seed = Buffer.from(seed).toString('hex');
  if (view.grabs.length === shares) view.luckiest = findLuckiest(grabs);
  return view;
}

/** The highest share, the earliest on a tie. */
function findLuckiest(grabs: PacketView['grabs']): { userId: number; amountCents: number } {
  const { userId, amountCents } = grabs.reduce((best, grab) => (grab.amountCents > best.amountCents ? grab : best));
  return { userId, amountCents };
}
