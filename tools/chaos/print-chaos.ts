// The text of a run of chaos: the counts, then whatever is wrong, one line each.

import { formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import type { ChaosResult } from './run-chaos.ts';

/** Whether everything was as it has to be. */
export function isRight({ check, troubleCount, auditProblems }: ChaosResult): boolean {
  return check.problemCount === 0 && troubleCount === 0 && auditProblems.length === 0;
}

/** The lines of a result. */
export function formatChaos(result: ChaosResult): string[] {
  const { check, rounds, kills, killsBeforeServing, records, troubles, troubleCount, auditProblems, seconds } = result;
  const { acknowledged: told, unacknowledged: untold } = check;
  const rows: [string, number, number | undefined][] = [
    ['wins', told.win, untold.wins],
    ['grabs', told.grab, untold.grabs],
    ['requests with a key', told.sent + told.topup + told.withdraw, untold.keys],
    ['  of these sends', told.sent, undefined],
    ['  of these transfers', told.topup + told.withdraw, undefined],
    ['refunds of packets', told.refund, untold.refunds],
    ['refunds of drops', told['drop-refund'], undefined],
    ['drops', told.drop, untold.drops],
    ['sends of the house', told.send, untold.sends],
    ['notices', told.told, undefined],
    ['requests refused', told.refused, undefined],
    ['balances at the end', told.balance, undefined],
  ];
  return [
    '',
    `${rounds} rounds, ${kills} kills, ${killsBeforeServing} of them before the server served`,
    `${formatCount(records)} records, ${seconds.toFixed(1)} s`,
    '',
    ...formatTable([
      ['', 'acknowledged', 'only in the journal'],
      ...rows.map(([name, acknowledged, unacknowledged]) => [
        name,
        formatCount(acknowledged),
        unacknowledged === undefined ? '' : formatCount(unacknowledged),
      ]),
    ]),
    `${formatCount(check.repeated)} of them were acknowledged more than once, always the same`,
    '',
    ...list('not as it was acknowledged', check.problems, check.problemCount),
    ...list('wrong answers', troubles, troubleCount),
    ...list('findings of the audit', auditProblems, auditProblems.length),
    isRight(result)
      ? 'everything that was acknowledged is in the journal, once; the difference of the audit is 0'
      : 'SOMETHING IS WRONG',
  ];
}

function list(title: string, lines: readonly string[], count: number): string[] {
  if (count === 0) return [];
  const rest = count > lines.length ? [`  and ${formatCount(count - lines.length)} more`] : [];
  return [`${formatCount(count)} ${title}:`, ...lines.map((line) => `  ${line}`), ...rest, ''];
}
