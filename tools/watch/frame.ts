// The picture that `hongbao watch` shows on a terminal, as lines: made of the state and the size alone, so that it can be tried.
//
// Sections stand below each other. Where there is little room, what is farther down is cut; where there is more, it goes to
// some drops and sends, blank lines between the sections, a line for each source, more charts, and all drops and sends.

import type { LatencySummary } from '../../lib/monitor/latency-log.ts';
import type { LiveCampaign, LiveSource } from '../../lib/monitor/live.ts';
import { formatCents, formatCount, formatMs } from '../../lib/monitor/text-table.ts';
import { formatBar, formatPercent } from '../progress-line.ts';
import { formatChart, MORE_CHARTS, REQUEST_CHARTS } from './charts.ts';
import { meanOf, rateOf, requestsRead, timeOf } from './second-facts.ts';
import { type Line, renderLine, type Span, widthOf } from './styled-text.ts';
import type { WatchState } from './watch-state.ts';

/** Kinds of request in the order of their rows. A login is timed too, but there are none of them most of the time. */
const KINDS = ['shake', 'grab'] as const;

/** Drops and sends that are shown before anything else gets more room. */
const CAMPAIGNS_FIRST = 4;

/** Columns from which on bars are longer. */
const WIDE_COLUMNS = 120;

/** The frame: at most so many lines of at most so many columns. @param isColored with codes for colours in the lines */
export function buildFrame(state: WatchState, columns: number, rows: number, isColored: boolean): string[] {
  return layOut(state, columns, rows)
    .slice(0, rows)
    .map((line) => renderLine(line, columns, isColored));
}

function layOut(state: WatchState, columns: number, rows: number): Line[] {
  const campaigns = formatCampaigns(state, columns);
  const sources = state.live?.sources ?? [];
  const heading: Line[] = [formatTitle(state, columns)];
  if (state.cut !== undefined) heading.push([red(`cut: ${state.cut}; trying to connect again`)]);
  const charts: Line[] = [
    [bold('requests a second, and over the last minute')],
    ...REQUEST_CHARTS.map((chart) => formatChart(chart, state, columns)),
  ];
  const fixed = [formatRates(state), formatLatency(state), formatInside(state), formatMoney(state)];
  const refused = formatRefused(state);

  let room = rows - [heading, charts, ...fixed, refused].reduce((sum, lines) => sum + lines.length, 0) - 1;
  const give = (wanted: number): number => {
    const given = Math.max(0, Math.min(wanted, room));
    room -= given;
    return given;
  };
  let shown = give(Math.min(campaigns.length, 1 + CAMPAIGNS_FIRST));
  let blanks = give(fixed.length + 4);
  const listsSources = sources.length > 1 && room >= sources.length - 1;
  if (listsSources) give(sources.length - 1);
  charts.push(...MORE_CHARTS.slice(0, give(MORE_CHARTS.length)).map((chart) => formatChart(chart, state, columns)));
  shown += give(campaigns.length - shown);
  const shownCampaigns = campaigns.slice(0, shown);
  if (shown > 0 && shown < campaigns.length) {
    shownCampaigns[shown - 1] = [dim(`and ${campaigns.length - shown + 1} more`)];
  }

  const lines: Line[] = [...heading];
  const sourceLines = listsSources ? sources.map(formatSource) : [summarizeSources(sources)];
  for (const section of [charts, ...fixed, shownCampaigns, sourceLines, refused]) {
    if (section.length === 0) continue;
    if (blanks-- > 0) lines.push([]);
    lines.push(...section);
  }
  return lines;
}

function formatTitle({ hello, live, control, present }: WatchState, columns: number): Line {
  const left = `${hello?.program ?? 'hongbao'}  ${control}`;
  const level = present?.server?.gauges.level;
  const difference = live?.money?.difference ?? 0;
  const right: Span[] = [];
  if (difference !== 0) right.push(red(`difference ${formatCents(difference)}  `));
  if (level !== undefined) right.push({ text: `level ${level}  `, ...(level > 0 ? { style: 'yellow' } : {}) });
  right.push({ text: `${present === undefined ? 'no samples yet' : timeOf(present.second)}  ` }, dim('q quits'));
  const gap = columns - widthOf(left) - right.reduce((sum, { text }) => sum + widthOf(text), 0);
  return [bold(left), ' '.repeat(Math.max(2, gap)), ...right];
}

function formatRates({ present }: WatchState): Line[] {
  const { client, server } = present ?? {};
  const count = (value: number | undefined, width: number) =>
    (value === undefined ? '-' : formatCount(value)).padStart(width);
  const row = (name: string, values: (number | undefined)[], connections: number | undefined): Line => [
    name.padEnd(8),
    ...values.map((value) => count(value, 10)),
    count(connections, 12),
  ];
  const overload = rateOf(server, 'shakesOverload');
  const serverRow = row(
    'server',
    [
      requestsRead(server),
      rateOf(server, 'shakesWon', 'shakesNone', 'shakesOverload'),
      rateOf(server, 'shakesWon'),
      rateOf(server, 'packetsReleased'),
      overload,
      rateOf(server, 'requestsGrab'),
    ],
    server?.gauges.connections,
  );
  const names = ['requests', 'answered', 'won', 'released', 'overload', 'grabs'];
  return [
    [bold(`a second${names.map((name) => name.padStart(10)).join('')}${'connections'.padStart(12)}`)],
    row(
      'client',
      [
        rateOf(client, 'sent', 'grabsSent'),
        rateOf(client, 'answered'),
        rateOf(client, 'won'),
        undefined,
        rateOf(client, 'overload'),
        rateOf(client, 'grabsAnswered'),
      ],
      client?.gauges.connected,
    ),
    (overload ?? 0) > 0 ? [yellow(serverRow.join(''))] : serverRow,
  ];
}

function formatLatency({ present }: WatchState): Line[] {
  const names = ['count', 'p50', 'p90', 'p99', 'p99.9', 'max'];
  const heading = `${'latency, ms'.padEnd(14)}${names.map((name) => name.padStart(11)).join('')}`;
  const rows = (['client', 'server'] as const).flatMap((role) =>
    KINDS.map((kind) => formatSummary(`${role} ${kind}`, present?.[role]?.latency[kind])),
  );
  return [[bold(heading)], ...rows];
}

function formatSummary(name: string, summary: LatencySummary | undefined): Line {
  const cells =
    summary === undefined
      ? ['-', '-', '-', '-', '-', '-']
      : [
          formatCount(summary.count),
          ...[summary.p50Us, summary.p90Us, summary.p99Us, summary.p999Us, summary.maxUs].map(formatMs),
        ];
  return [name.padEnd(14), ...cells.map((cell) => cell.padStart(11))];
}

/** What goes on inside: waiting, syncing, and what it costs. */
function formatInside({ present }: WatchState): Line[] {
  const { client, server } = present ?? {};
  const ms = (us: number | undefined) => (us === undefined ? '-' : (us / 1000).toFixed(2));
  const cpu = (us: number | undefined) => (us === undefined ? '-' : (us / 1e6).toFixed(2));
  const ring = `${ms(meanOf(server, 'ringWaitUs', 'ringBatches'))}, worst ${ms(server?.gauges.ringWaitMaxUs)} ms`;
  const sync = `${ms(meanOf(server, 'journalSyncUs', 'journalSyncs'))} ms`;
  const cores = `server ${cpu(rateOf(server, 'cpuUs'))}, client ${cpu(rateOf(client, 'cpuUs'))}`;
  return [[`ring wait ${ring}   sync ${sync}   CPU ${cores}`]];
}

function formatMoney({ live }: WatchState): Line[] {
  const money = live?.money;
  const heading = bold('money, yuan   issued = claimed + refunded + outstanding   ');
  if (money === undefined) return [[heading], ['-']];
  const { funded, claimed, refunded, outstanding, difference } = money;
  const isWhole = difference === 0;
  return [
    [heading, { text: `difference ${formatCents(difference)}`, style: isWhole ? 'green' : 'red' }],
    [
      {
        text: `${formatCents(funded)} = ${formatCents(claimed)} + ${formatCents(refunded)} + ${formatCents(outstanding)}`,
        ...(isWhole ? {} : { style: 'red' }),
      },
    ],
  ];
}

/** A heading, and a line for each drop and send that is not over. */
function formatCampaigns({ live }: WatchState, columns: number): Line[] {
  const isOpen = ({ state }: LiveCampaign) => state !== 'closed';
  const drops = live?.drops?.filter(isOpen) ?? [];
  const sends = live?.sends?.filter(isOpen) ?? [];
  const cells = columns < WIDE_COLUMNS ? 10 : 40;
  return [
    [bold(`open drops ${drops.length}, open sends ${sends.length}   packets released or created, and yuan claimed`)],
    ...drops.map((drop) => formatCampaign('drop', drop, cells)),
    ...sends.map((send) => formatCampaign('send', send, cells)),
  ];
}

function formatCampaign(kind: string, campaign: LiveCampaign, cells: number): Line {
  const { id, count, released, claimedCents, totalCents, isPaused, state } = campaign;
  return [
    `${kind} ${id}`.padEnd(9),
    isPaused ? yellow('paused    ') : state.padEnd(10),
    { text: formatBar(released, count, cells), style: 'cyan' },
    ` ${formatPercent(released, count)}  ${formatCount(released)} of ${formatCount(count)}`,
    `  ${formatCents(claimedCents)} of ${formatCents(totalCents)}`,
  ];
}

/** All sources in one line, those first that are missing. */
function summarizeSources(sources: readonly LiveSource[]): Line {
  if (sources.length === 0) return [bold('sources '), 'none'];
  const missing = sources.filter(({ state }) => state === 'missing');
  const here = sources.filter(({ state }) => state === 'here').length;
  const line: Span[] = [bold('sources '), { text: `${here} here` }];
  if (missing.length > 0) {
    const names = missing.map(({ source, lastSecond }) => `${source} since ${timeOf(lastSecond)}`);
    line.push(red(`, ${missing.length} missing: ${names.join(', ')}`));
  }
  return line;
}

function formatSource({ source, role, state, lastSecond, lost, qps }: LiveSource): Line {
  const facts = [`last ${timeOf(lastSecond)}`];
  if (lost > 0) facts.push(`${formatCount(lost)} samples lost`);
  if (qps !== undefined) facts.push(`${formatCount(qps)} shakes a second asked`);
  return [
    `${role.padEnd(8)}${source.padEnd(24)}  `,
    state === 'missing' ? red(state.padEnd(9)) : state.padEnd(9),
    facts.join('  '),
  ];
}

function formatRefused({ live }: WatchState): Line[] {
  const refused = Object.entries(live?.refused ?? {}).filter(([, count]) => count > 0);
  if (refused.length === 0) return [[bold('samples refused '), 'none']];
  const reasons = refused.map(([reason, count]) => `${formatCount(count)} ${reason}`).join(', ');
  const last = live?.lastRefusal === undefined ? '' : `; the last one: ${live.lastRefusal}`;
  return [[bold('samples refused '), yellow(`${reasons}${last}`)]];
}

function bold(text: string): Span {
  return { text, style: 'bold' };
}

function dim(text: string): Span {
  return { text, style: 'dim' };
}

function red(text: string): Span {
  return { text, style: 'red' };
}

function yellow(text: string): Span {
  return { text, style: 'yellow' };
}
