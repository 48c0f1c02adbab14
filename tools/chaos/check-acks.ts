// Compares what was acknowledged with what the journal has: everything once, with the same numbers, and nothing twice.

import type { Ack, AckKind } from './ack-log.ts';
import { grabKey, type JournalFacts, type KeyFact, requestKey } from './journal-facts.ts';

/** Problems that are kept; all are counted. */
const MOST_PROBLEMS = 100;

export interface CheckResult {
  problems: string[];
  problemCount: number;
  /** Different things that were acknowledged, by kind: one that was acknowledged again counts once. */
  acknowledged: Record<AckKind, number>;
  /** Of these, how many were acknowledged more than once. */
  repeated: number;
  /** Things in the journal that nobody was told of: the server was killed between the disk and the answer. */
  unacknowledged: { wins: number; grabs: number; keys: number; drops: number; sends: number; refunds: number };
}

/** Compares. `acks` may have the same thing more than once. */
export function checkAcks(acks: Iterable<Ack>, facts: JournalFacts): CheckResult {
  const check = new AckCheck(facts);
  check.findDoubles();
  for (const ack of acks) check.take(ack);
  return check.result();
}

class AckCheck {
  readonly #facts: JournalFacts;
  readonly #problems: string[] = [];
  #problemCount = 0;
  /** What was acknowledged, by kind; of each thing how often. */
  readonly #seen: Record<AckKind, Map<string, number>>;

  constructor(facts: JournalFacts) {
    this.#facts = facts;
    const none = () => new Map<string, number>();
    this.#seen = {
      win: none(),
      grab: none(),
      sent: none(),
      told: none(),
      topup: none(),
      withdraw: none(),
      refused: none(),
      drop: none(),
      send: none(),
      refund: none(),
      'drop-refund': none(),
      balance: none(),
    };
  }

  /** What may be in the journal once is not there twice, whoever was told of it. */
  findDoubles(): void {
    const { wins, grabs, packets, keys, drops, sends, faults } = this.#facts;
    for (const fault of faults) this.#report(fault);
    const find = <Key>(lists: Map<Key, unknown[]>, describe: (key: Key) => string) => {
      for (const [key, list] of lists) {
        if (list.length > 1) this.#report(`${describe(key)} is in the journal ${list.length} times`);
      }
    };
    find(wins, (packetId) => `the win of packet ${packetId}`);
    find(grabs, (key) => `the grab of packet/user ${key}`);
    find(packets, (packetId) => `packet ${packetId}`);
    find(keys, (key) => `the request of user/key ${key}`);
    find(drops, (dropId) => `drop ${dropId}`);
    find(sends, (sendId) => `send ${sendId}`);
    for (const [packetId, [{ refunds }]] of packets) {
      if (refunds.length > 1)
        this.#report(`the refund of packet ${packetId} is in the journal ${refunds.length} times`);
    }
    for (const [dropId, [{ refunds }]] of drops) {
      if (refunds.length > 1) this.#report(`the refund of drop ${dropId} is in the journal ${refunds.length} times`);
    }
  }

  take(ack: Ack): void {
    const seen = this.#seen[ack.kind];
    const name = nameOf(ack);
    seen.set(name, (seen.get(name) ?? 0) + 1);
    const wrong = this.#judge(ack);
    if (wrong !== undefined) this.#report(`${describe(ack)} was acknowledged: ${wrong}`);
  }

  result(): CheckResult {
    const { wins, grabs, packets, keys, drops, sends } = this.#facts;
    const seen = this.#seen;
    const kinds = Object.keys(seen) as AckKind[];
    const refunded = [...packets].filter(([, [{ refunds }]]) => refunds.length > 0);
    let repeated = 0;
    for (const kind of kinds) for (const times of seen[kind].values()) if (times > 1) repeated++;
    return {
      problems: this.#problems,
      problemCount: this.#problemCount,
      acknowledged: Object.fromEntries(kinds.map((kind) => [kind, seen[kind].size])) as Record<AckKind, number>,
      repeated,
      unacknowledged: {
        wins: countUntold(wins.keys(), seen.win),
        grabs: countUntold(grabs.keys(), seen.grab),
        keys: countUntold(keys.keys(), seen.sent, seen.topup, seen.withdraw),
        drops: countUntold(drops.keys(), seen.drop),
        sends: countUntold(sends.keys(), seen.send),
        refunds: countUntold(
          refunded.map(([packetId]) => packetId),
          seen.refund,
        ),
      },
    };
  }

  /** What is wrong with an acknowledgement, or undefined. */
  #judge(ack: Ack): string | undefined {
    const facts = this.#facts;
    switch (ack.kind) {
      case 'win':
        return compare(facts.wins.get(ack.packetId)?.[0], { userId: ack.userId, cents: ack.cents });
      case 'grab':
        return compareCents(facts.grabs.get(grabKey(ack.packetId, ack.userId))?.[0], ack.cents);
      case 'sent':
        return (
          this.#judgeKey(ack, { kind: 'sent', cents: ack.cents, packetId: ack.packetId }) ??
          compare(facts.packets.get(ack.packetId)?.[0], {
            sender: ack.userId,
            cents: ack.cents,
            shares: ack.shares,
          })
        );
      case 'told':
        return compare(facts.packets.get(ack.packetId)?.[0], { cents: ack.cents, shares: ack.shares });
      case 'topup':
      case 'withdraw':
        return this.#judgeKey(ack, { kind: ack.kind, cents: ack.cents, packetId: 0 });
      case 'refused':
        return facts.keys.has(requestKey(ack.userId, ack.key)) ? 'it is in the journal' : undefined;
      case 'drop':
        return compare(facts.drops.get(ack.dropId)?.[0], { count: ack.count, cents: ack.cents });
      case 'send':
        return compare(facts.sends.get(ack.sendId)?.[0], { count: ack.count, shares: ack.shares });
      case 'refund':
        return compareCents(facts.packets.get(ack.packetId)?.[0].refunds[0], ack.cents);
      case 'drop-refund':
        return compareCents(facts.drops.get(ack.dropId)?.[0].refunds[0], ack.cents);
      case 'balance':
        return compareCents(facts.balances.get(ack.userId) ?? 0, ack.cents);
    }
  }

  #judgeKey({ userId, key }: { userId: number; key: string }, wanted: KeyFact): string | undefined {
    return compare(this.#facts.keys.get(requestKey(userId, key))?.[0], wanted);
  }

  #report(text: string): void {
    this.#problemCount++;
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(text);
  }
}

/** How many of these have no acknowledgement. */
function countUntold(names: Iterable<number | string>, ...told: Map<string, number>[]): number {
  let untold = 0;
  for (const name of names) if (!told.some((seen) => seen.has(String(name)))) untold++;
  return untold;
}

/** What an acknowledgement is about: the same for the same thing. */
function nameOf(ack: Ack): string {
  switch (ack.kind) {
    case 'win':
    case 'refund':
      return String(ack.packetId);
    case 'grab':
    case 'told':
      return grabKey(ack.packetId, ack.userId);
    case 'sent':
    case 'topup':
    case 'withdraw':
    case 'refused':
      return requestKey(ack.userId, ack.key);
    case 'drop':
    case 'drop-refund':
      return String(ack.dropId);
    case 'send':
      return String(ack.sendId);
    case 'balance':
      return String(ack.userId);
  }
}

function describe({ kind, ...fields }: Ack): string {
  const values = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
  return `${kind} (${values.join(', ')})`;
}

const MISSING = 'it is not in the journal';

function compareCents(found: number | undefined, cents: number): string | undefined {
  if (found === undefined) return MISSING;
  return found === cents ? undefined : `the journal has ${found} cents`;
}

function compare<Found extends object>(found: Found | undefined, wanted: Partial<Found>): string | undefined {
  if (found === undefined) return MISSING;
  for (const name of Object.keys(wanted) as (keyof Found)[]) {
    if (found[name] !== wanted[name]) return `the journal has ${String(name)} ${found[name]}`;
  }
  return undefined;
}
