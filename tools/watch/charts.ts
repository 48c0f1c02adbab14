// Charts of the last minute in one line each: a block a second, as high as its value.

import type { LiveSecond } from '../../lib/monitor/live.ts';
import { formatCount, formatMs } from '../../lib/monitor/text-table.ts';
import { meanOf, rateOf, requestsRead } from './second-facts.ts';
import type { Line } from './styled-text.ts';
import { MINUTE, type WatchState } from './watch-state.ts';

const BLOCKS = '▁▂▃▄▅▆▇█';

const NAME_WIDTH = 7;
const VALUE_WIDTH = 11;

interface Chart {
  name: string;
  read: (second: LiveSecond) => number | undefined;
  format: (value: number) => string;
}

const perSecond = (value: number) => `${formatCount(value)}/s`;
const ms = (us: number) => `${formatMs(us)} ms`;

/** Always shown: all requests. */
export const REQUEST_CHARTS: readonly Chart[] = [
  { name: 'client', read: ({ client }) => rateOf(client, 'sent', 'grabsSent'), format: perSecond },
  { name: 'server', read: ({ server }) => requestsRead(server), format: perSecond },
];

/** Shown where there is room. */
export const MORE_CHARTS: readonly Chart[] = [
  { name: 'won', read: ({ server }) => rateOf(server, 'shakesWon'), format: perSecond },
  { name: 'grabs', read: ({ server }) => rateOf(server, 'requestsGrab'), format: perSecond },
  { name: 'refused', read: ({ server }) => rateOf(server, 'shakesOverload'), format: perSecond },
  { name: 'p99 c', read: ({ client }) => client?.latency.shake?.p99Us, format: ms },
  { name: 'p99 s', read: ({ server }) => server?.latency.shake?.p99Us, format: ms },
  { name: 'ring', read: ({ server }) => server?.gauges.ringWaitMaxUs, format: ms },
  { name: 'sync', read: ({ server }) => meanOf(server, 'journalSyncUs', 'journalSyncs'), format: ms },
];

/** A chart as a line: name, present value, and the minute, as much of it as there is room for. */
export function formatChart({ name, read, format }: Chart, state: WatchState, columns: number): Line {
  const room = columns - NAME_WIDTH - VALUE_WIDTH - 2;
  const present = state.present && read(state.present);
  const head = `${name.padEnd(NAME_WIDTH)} ${(present === undefined ? '-' : format(present)).padStart(VALUE_WIDTH)} `;
  if (room < 1) return [head];
  const cells = Math.max(1, Math.floor(room / MINUTE));
  const seconds = state.lastSeconds(Math.min(MINUTE, room));
  const blocks = formatBlocks(seconds.map((second) => second && read(second)));
  return [head, { text: [...blocks].map((block) => block.repeat(cells)).join(''), style: 'cyan' }];
}

/** A block for each value, the highest of them full; a space for one that is not there. */
export function formatBlocks(values: readonly (number | undefined)[]): string {
  const highest = Math.max(...values.map((value) => value ?? 0));
  return values
    .map((value) => {
      if (value === undefined) return ' ';
      const share = highest > 0 ? Math.max(0, value) / highest : 0;
      return BLOCKS[Math.ceil(share * (BLOCKS.length - 1))];
    })
    .join('');
}
