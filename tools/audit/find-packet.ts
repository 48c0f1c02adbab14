// Finds one packet in the journal of a data directory: the latest one that had this id.

import { UsageError } from '../usage-error.ts';
import { readBalanceFile } from './balance-file.ts';
import { formatFinding } from './findings.ts';
import {
  DROP_CLOSE,
  DROP_OPEN,
  DROP_OPEN_SEED_WORD,
  GRAB,
  PACKET_CLOSE,
  PACKET_OPEN,
  PACKET_OPEN_SEED_WORD,
  WIN,
} from './journal-format.ts';
import type { PacketFacts, WinFacts } from './packet-facts.ts';
import { checkRecord, readDropTerms, readPacketTerms } from './record-check.ts';
import { findJournal } from './run-audit.ts';
import { type BatchVisitor, readSegment } from './segment-parser.ts';
import type { SplitTerms } from './split-check.ts';

const SEED_BYTES = 32;

/** Finds a sent packet that is over. @throws {UsageError} when there is none, or it is still open */
export function findPacket(directory: string, id: number): PacketFacts {
  const search = new PacketSearch(id);
  searchJournal(directory, search);
  const { facts, closed } = search;
  if (facts === undefined) throw new UsageError(`there is no packet ${id} in the journal in ${directory}`);
  if (!closed && facts.grabs.length < facts.shares) throw new UsageError(explainOpen(id));
  return facts;
}

/** Finds a packet that was won by a shake. @throws {UsageError} when there is none */
export function findWin(directory: string, id: number): WinFacts {
  const search = new WinSearch(id);
  searchJournal(directory, search);
  const { facts } = search;
  if (facts === undefined) throw new UsageError(`nobody won packet ${id} in the journal in ${directory}`);
  return { ...facts, closed: search.closedDrops.has(facts.drop) };
}

/** Why a packet that is open cannot be checked. */
export function explainOpen(id: number): string {
  return `packet ${id} is still open: its seed is secret until it is over`;
}

function searchJournal(directory: string, search: BatchVisitor): void {
  const { segments, opening } = findJournal(directory);
  let first = 1;
  if (segments[0].segment > 1 && opening !== undefined) {
    const balances = readBalanceFile(opening, ({ type, payload }) => {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
      const words = Math.floor(payload.length / 4);
      if (checkRecord(view, type, 0, words) === undefined) search.record(type, view, 0, words);
    });
    first = balances?.nextSegment ?? 1;
  }
  for (const [i, { segment, path }] of segments.entries()) {
    if (segment < first) continue;
    const { findings } = readSegment(path, segment, i === segments.length - 1, search);
    if (findings.count > 0) {
      throw new UsageError(`the journal is damaged: ${formatFinding(findings.kept[0])}; see hongbao audit`);
    }
  }
}

class PacketSearch implements BatchVisitor {
  facts: (PacketFacts & { grabs: PacketFacts['grabs'][number][] }) | undefined;
  closed = false;
  readonly #id: number;

  constructor(id: number) {
    this.#id = id;
  }

  batch(): void {}

  record(type: number, view: DataView, at: number): void {
    if (type !== PACKET_OPEN && type !== GRAB && type !== PACKET_CLOSE) return;
    if (view.getUint32(at, true) !== this.#id) return;
    if (type === PACKET_OPEN) {
      const seed = readSeed(view, at + PACKET_OPEN_SEED_WORD * 4);
      this.facts = { id: this.#id, ...readPacketTerms(view, at), seed, grabs: [] };
      this.closed = false;
    } else if (type === PACKET_CLOSE) this.closed = true;
    else {
      const [share, userId, amountCents] = [4, 8, 12].map((offset) => view.getUint32(at + offset, true));
      this.facts?.grabs.push({ userId, amountCents, share });
    }
  }
}

class WinSearch implements BatchVisitor {
  facts: Omit<WinFacts, 'closed'> | undefined;
  readonly closedDrops = new Set<number>();
  readonly #id: number;
  readonly #drops = new Map<number, SplitTerms & { seed: string }>();

  constructor(id: number) {
    this.#id = id;
  }

  batch(): void {}

  record(type: number, view: DataView, at: number): void {
    const drop = view.getUint32(at, true);
    if (type === DROP_CLOSE) this.closedDrops.add(drop);
    else if (type === DROP_OPEN) {
      const seed = readSeed(view, at + DROP_OPEN_SEED_WORD * 4);
      this.#drops.set(drop, { ...readDropTerms(view, at), seed });
    } else if (type === WIN && view.getUint32(at + 8, true) === this.#id) {
      const terms = this.#drops.get(drop);
      const [number, , userId, amountCents] = [4, 8, 12, 16].map((offset) => view.getUint32(at + offset, true));
      if (terms !== undefined) this.facts = { id: this.#id, drop, number, userId, amountCents, ...terms };
    }
  }
}

function readSeed(view: DataView, at: number): string {
  return Buffer.from(view.buffer, view.byteOffset + at, SEED_BYTES).toString('hex');
}
