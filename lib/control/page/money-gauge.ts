// The gauge of the money: what was issued, where it is, and whether a cent is missing.

import type { LiveState } from '../../monitor/live.ts';
import { byId, setText } from './dom.ts';
import { formatNumber } from './format.ts';
import { formatYuan } from './money-text.ts';
import { word } from './words.ts';

const PARTS = ['claimed', 'refunded', 'outstanding'] as const;

/** Shows the money of a server. */
export function showMoney(money: NonNullable<LiveState['money']>): void {
  setText(byId('money-issued'), formatYuan(money.funded));
  const whole = Math.max(money.funded, money.claimed + money.refunded + money.outstanding, 1);
  for (const part of PARTS) {
    setText(byId(`money-${part}`), formatYuan(money[part]));
    byId(`bar-${part}`).style.width = `${(money[part] / whole) * 100}%`;
  }
  const { difference } = money;
  byId('difference').classList.toggle('is-wrong', difference !== 0);
  const count = `${difference < 0 ? '−' : ''}${formatNumber(Math.abs(difference))}`;
  setText(byId('difference-cents'), word(Math.abs(difference) === 1 ? 'cent' : 'cents', { count }));
  setText(byId('difference-text'), word(difference === 0 ? 'balanced' : 'unbalanced'));
}
