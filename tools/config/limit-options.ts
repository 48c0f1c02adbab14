// The limits of connections as options of `serve` and of the config file: their names, bounds and words are those of the server.

import { NET_LIMIT_NAMES, NET_LIMITS, type NetLimits } from '../../lib/net/net-limits.ts';
import { toCamel } from './settle.ts';

type LimitFlag = (typeof NET_LIMITS)[keyof NetLimits]['flag'];

export interface LimitOption {
  type: 'number';
  default: number;
  describe: string;
}

/** Long names of the options; all of them can change while a server runs. */
export const LIMIT_FLAGS: readonly LimitFlag[] = NET_LIMIT_NAMES.map((name) => NET_LIMITS[name].flag);

export const limitOptions = Object.fromEntries(
  NET_LIMIT_NAMES.map((name) => {
    const { flag, byDefault, describe } = NET_LIMITS[name];
    return [flag, { type: 'number', default: byDefault, describe }];
  }),
) as Record<LimitFlag, LimitOption>;

/** The limits among settled values. @param args by the names that yargs gives to programs */
export function readLimits(args: Readonly<Record<string, unknown>>): NetLimits {
  const limits = NET_LIMIT_NAMES.map((name) => [name, args[toCamel(NET_LIMITS[name].flag)]]);
  return Object.fromEntries(limits) as NetLimits;
}
