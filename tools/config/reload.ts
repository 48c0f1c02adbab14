// What reading a config file again changes: which options can change while a server runs, and which wait for a restart.

import { type OptionTable, showValue, type Values } from './settle.ts';

export interface ReloadPlan {
  /** The values that hold from now on. */
  values: Record<string, unknown>;
  /** A line for each change. */
  changes: string[];
  /** The options that differ and cannot change now. */
  needRestart: string[];
}

/** @param live the options that can change @param before the values in use @param after the values that the file and the flags give */
export function planReload(table: OptionTable, live: ReadonlySet<string>, before: Values, after: Values): ReloadPlan {
  const plan: ReloadPlan = { values: { ...before }, changes: [], needRestart: [] };
  for (const name of Object.keys(table)) {
    if (before[name] === after[name]) continue;
    if (!live.has(name)) {
      plan.needRestart.push(name);
      continue;
    }
    plan.values[name] = after[name];
    plan.changes.push(`${name}: ${showValue(table, name, before[name])} -> ${showValue(table, name, after[name])}`);
  }
  return plan;
}
