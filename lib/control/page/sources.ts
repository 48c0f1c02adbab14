// Who sends samples, what was lost, and what the monitor has refused.

import type { LiveSource, LiveState } from '../../monitor/live.ts';
import { arrange, byId, make, setText } from './dom.ts';
import { formatNumber } from './format.ts';
import type { TextKey } from './texts.ts';
import { word } from './words.ts';

const COLUMNS = ['source', 'role', 'state', 'lastHeard', 'lost', 'askedFor'] as const satisfies TextKey[];

const rows = new Map<string, HTMLTableRowElement>();

export function showSources(state: LiveState): void {
  byId('sources-table').hidden = state.sources.length === 0;
  byId('sources-none').hidden = state.sources.length > 0;
  byId('qps-form').hidden = !state.sources.some(({ qps, state }) => qps !== undefined && state !== 'ended');
  const names = new Set(state.sources.map(({ source }) => source));
  for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
  arrange(
    byId('sources-rows'),
    state.sources.map((source) => showSource(source, Math.floor(state.nowMs / 1000))),
  );
  showRefused(state);
}

function showSource({ source, role, state, lastSecond, lost, qps }: LiveSource, now: number): HTMLTableRowElement {
  const row = rows.get(source) ?? addRow(source);
  const texts = [
    source,
    word(`role.${role}`),
    word(`source.${state}`),
    word('ago', { count: formatNumber(Math.max(0, now - lastSecond)) }),
    formatNumber(lost),
    qps === undefined ? '–' : word('shakesPerSecond', { count: formatNumber(qps) }),
  ];
  COLUMNS.forEach((name, index) => {
    const cell = row.cells[index];
    cell.dataset.label = word(name);
    setText(cell, texts[index]);
  });
  row.cells[2].className = `source-${state}`;
  row.cells[4].className = lost > 0 ? 'source-missing' : '';
  return row;
}

function addRow(source: string): HTMLTableRowElement {
  const row = make('tr');
  row.append(...COLUMNS.map(() => make('td')));
  rows.set(source, row);
  return row;
}

function showRefused({ refused, lastRefusal }: LiveState): void {
  const reasons = Object.entries(refused).filter(([, count]) => count > 0);
  const count = reasons.reduce((sum, [, refusals]) => sum + refusals, 0);
  const list = reasons.map(([reason, refusals]) => `${reason} ${formatNumber(refusals)}`).join(', ');
  const text = count === 0 ? word('refusedNone') : word('refusedSome', { count: formatNumber(count), reasons: list });
  setText(byId('refused'), text);
  byId('refused').classList.toggle('error', count > 0);
  const last = count > 0 ? lastRefusal : undefined;
  setText(byId('refused-last'), last === undefined ? '' : word('refusedLast', { what: last }));
}
