// What a server under attack must keep to: honest users served, memory bounded, every attack ended by the limit made for it.

import { formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import type { CloseReason } from '../../lib/net/close-reasons.ts';
import { type Check, exactCents, exactly } from '../verdict.ts';
import { type AttackName, countPeers } from './attacks.ts';
import type { HostileResult, PhaseResult } from './run-hostile.ts';

const MB = 2 ** 20;

/** What ends the peers of each attack. */
const ENDED_BY: Record<Exclude<AttackName, 'greedy'>, CloseReason> = {
  silent: 'login-timeout',
  slowloris: 'frame-timeout',
  gone: 'idle-timeout',
  deaf: 'slow-consumer',
  flood: 'accept-limit',
};

/** Of the peers of an attack that holds connections, how many the limit must have ended: some come late. */
const ENDED_SHARE = 0.9;

/** What the server may take for an attack: garbage collection's own swings, and this much for each peer. */
const SLACK_BYTES = 96 * MB;
const BYTES_PER_PEER = 32 * 1024;

/** Peers shake too, and win nothing: of these the server has more than honest users know of. */
const OF_PEERS_TOO = ['shakes', 'shakes answered', 'none', 'overload'];

/** @param users honest ones @param peers of each attack */
export function judgeHostile(result: HostileResult, users: number, peers: number): Check[] {
  const { totals, unanswered, comparisons, differenceCents, phases } = result;
  return [
    exactly('honest: requests not answered', 0, unanswered),
    exactly('honest: connections lost', 0, totals.lostConnections),
    exactly('honest: shakes refused', 0, totals.overload),
    ...comparisons
      .filter(({ what }) => !OF_PEERS_TOO.includes(what))
      .map(({ what, server, client }) => exactly(`both ends: ${what}`, server, client)),
    exactCents('money: difference', 0, differenceCents),
    ...phases.flatMap((phase) => judgePhase(phase, users, peers)),
  ];
}

function judgePhase({ name, closed, limitedShakes, grownBytes, openAfter }: PhaseResult, users: number, peers: number) {
  if (name === 'calm') return [];
  const most = SLACK_BYTES + peers * BYTES_PER_PEER;
  const checks: Check[] = [
    exactly(`${name}: connections left behind`, 0, openAfter - users),
    {
      what: `${name}: memory grown, MB`,
      target: `<= ${formatCount(most / MB)}`,
      reached: formatCount(grownBytes / MB),
      isPassed: grownBytes <= most,
    },
  ];
  if (name === 'greedy') checks.push(atLeast('greedy: shakes over the limit', peers, limitedShakes));
  else {
    const reason = ENDED_BY[name];
    const wanted = name === 'flood' ? 1 : Math.floor(countPeers(name, peers) * ENDED_SHARE);
    checks.push(atLeast(`${name}: ended by ${reason}`, wanted, closed[reason] ?? 0));
  }
  return checks;
}

function atLeast(what: string, target: number, reached: number): Check {
  return { what, target: `>= ${formatCount(target)}`, reached: formatCount(reached), isPassed: reached >= target };
}

/** A row for each attack: what honest users felt, and what the server spent. */
export function formatPhases(phases: readonly PhaseResult[]): string[] {
  const ms = (us: number) => (us / 1000).toFixed(1);
  return formatTable([
    ['attack', 'peers came', 'shake p50 ms', 'p99 ms', 'grab p99 ms', 'server CPU', 'resident MB'],
    ...phases.map(({ name, peersConnected, shake, grab, cpuShare, residentBytes }) => [
      name,
      formatCount(peersConnected),
      ms(shake.getValueAtPercentile(50)),
      ms(shake.getValueAtPercentile(99)),
      ms(grab.getValueAtPercentile(99)),
      `${Math.round(cpuShare * 100)}%`,
      formatCount(residentBytes / MB),
    ]),
  ]);
}
