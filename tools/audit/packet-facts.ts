// What is known of one packet that is over, and whether its split is the one that its seed stands for.

import { hash } from 'node:crypto';
import { formatCents, formatTable } from '../../lib/monitor/text-table.ts';
import { deriveSplit, judgeTerms, type SplitTerms } from './split-check.ts';

export interface Grab {
  userId: number;
  amountCents: number;
  /** The place of the share in the split, from 0. */
  share: number;
}

export interface PacketFacts extends SplitTerms {
  id: number;
  /** 32 bytes in hex. */
  seed: string;
  /** What went out before anybody grabbed; the journal does not have it. */
  commitment?: string;
  grabs: readonly Grab[];
}

/** One packet of a drop, won by a shake. */
export interface WinFacts extends SplitTerms {
  id: number;
  drop: number;
  number: number;
  seed: string;
  /** Whether the drop is closed: only then the seed is shown. */
  closed: boolean;
  userId: number;
  amountCents: number;
}

/** What was found of a packet: lines to print, and what differs from the split, one line each. */
export interface Verdict {
  lines: string[];
  problems: string[];
}

/** Checks a sent packet. */
export function verifyPacket(facts: PacketFacts): Verdict {
  const seed = Buffer.from(facts.seed, 'hex');
  const commitment = hash('sha256', seed, 'hex');
  const lines = [
    `packet ${formatId(facts.id)}: ${formatTerms(facts, 'shares')}`,
    `seed        ${facts.seed}`,
    `commitment  ${facts.commitment ?? commitment}`,
  ];
  const wrong = judgeTerms(facts);
  if (wrong !== undefined) return { lines, problems: [`it cannot be split: ${wrong}`] };
  const split = deriveSplit(facts, seed);
  const problems = judgeGrabs(split, facts.grabs);
  if (facts.commitment !== undefined && facts.commitment !== commitment) {
    problems.unshift(`SHA-256 of the seed is ${commitment}, which is not the commitment`);
  }
  return { lines: [...lines, '', ...formatShares(split, facts.grabs)], problems };
}

/** Checks a packet that was won by a shake. */
export function verifyWin(facts: WinFacts): Verdict {
  const { drop, number, userId, amountCents } = facts;
  const lines = [
    `packet ${formatId(facts.id)}: number ${number} of drop ${drop}, ${formatTerms(facts, 'packets')}`,
    facts.closed ? `seed  ${facts.seed}` : 'seed  secret until the drop is closed',
    `won by user ${userId}: ${formatCents(amountCents)} yuan`,
  ];
  const wrong = judgeTerms(facts);
  if (wrong !== undefined) return { lines, problems: [`drop ${drop} cannot be split: ${wrong}`] };
  if (number >= facts.shares) return { lines, problems: [`drop ${drop} has no packet number ${number}`] };
  const due = deriveSplit(facts, Buffer.from(facts.seed, 'hex'))[number];
  if (due === amountCents) return { lines, problems: [] };
  return { lines, problems: [`user ${userId} won ${amountCents} cents, the split says ${due}`] };
}

function judgeGrabs(split: Int32Array, grabs: readonly Grab[]): string[] {
  const problems: string[] = [];
  const shares = new Set<number>();
  const users = new Set<number>();
  for (const { userId, amountCents, share } of grabs) {
    if (!(share in split)) problems.push(`user ${userId} grabbed share ${share}, which there is not`);
    else if (shares.has(share)) problems.push(`share ${share} is grabbed a second time, by user ${userId}`);
    else if (users.has(userId)) problems.push(`user ${userId} grabbed a second share, ${share}`);
    else if (split[share] !== amountCents) {
      problems.push(`share ${share} gave user ${userId} ${amountCents} cents, the split says ${split[share]}`);
    }
    shares.add(share);
    users.add(userId);
  }
  return problems;
}

function formatShares(split: Int32Array, grabs: readonly Grab[]): string[] {
  const users = new Map(grabs.map(({ share, userId }) => [share, userId]));
  const rows = Array.from(split, (cents, share) => [
    String(share),
    formatCents(cents),
    users.has(share) ? String(users.get(share)) : 'nobody',
  ]);
  return formatTable([['share', 'yuan', 'user'], ...rows]);
}

function formatTerms({ mode, totalCents, shares, minCents, maxCents }: SplitTerms, what: string): string {
  const bounds = `${formatCents(minCents)} to ${formatCents(maxCents)}`;
  return `${mode}, ${formatCents(totalCents)} yuan in ${shares} ${what} of ${bounds}`;
}

function formatId(id: number): string {
  return `${id} (0x${id.toString(16).padStart(8, '0')})`;
}
