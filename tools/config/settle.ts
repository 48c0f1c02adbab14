// Where each value of a command's options comes from: a flag wins over the config file, the file over the default.

import type { Options } from 'yargs';

/** The options of a command by their long names, as yargs takes them. */
export type OptionTable = Readonly<Record<string, Options>>;

/** Values by long name; what is not there was not given. */
export type Values = Readonly<Record<string, unknown>>;

export type Origin = 'default' | 'file' | 'flag';

export interface Settled {
  /** By long name. */
  values: Record<string, unknown>;
  origins: Record<string, Origin>;
}

/** What is shown instead of a secret. */
const HIDDEN = '(hidden)';

/** The same options without defaults, so that a flag that was given can be told from one that was not; --help is the same. */
export function withoutDefaults<T extends OptionTable>(table: T): T {
  const entries = Object.entries(table).map(([name, option]) => {
    const { default: value, ...rest } = option;
    return [name, { defaultDescription: JSON.stringify(value), ...rest }];
  });
  return Object.fromEntries(entries) as T;
}

/** The flags that were given, by long name. @param args what yargs made of options without defaults */
export function flagsOf(table: OptionTable, args: Values): Values {
  const given = Object.keys(table).filter((name) => args[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, args[name]]));
}

export function defaultsOf(table: OptionTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).map(([name, option]) => [name, option.default]));
}

export function settle(table: OptionTable, file: Values, flags: Values): Settled {
  const settled: Settled = { values: {}, origins: {} };
  for (const [name, option] of Object.entries(table)) {
    const origin = name in flags ? 'flag' : name in file ? 'file' : 'default';
    settled.origins[name] = origin;
    settled.values[name] = { flag: flags[name], file: file[name], default: option.default }[origin];
  }
  return settled;
}

/** The name that yargs gives to programs: `maxShares` for `max-shares`. */
export function toCamel(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Values by the names that yargs gives to programs. */
export function toCamelCase(values: Values): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [toCamel(name), value]));
}

/** A value as it may be shown: secrets, and passwords within addresses, are hidden. */
export function showValue(table: OptionTable, name: string, value: unknown): string {
  if (value === undefined || value === '') return 'none';
  if (isSecret(table, name)) return HIDDEN;
  return String(value).replace(/(\/\/[^/@\s:]*):[^/@\s]*@/g, `$1:${HIDDEN}@`);
}

/** Whether a value is itself a secret; the path of a file that holds one is not. */
function isSecret(table: OptionTable, name: string): boolean {
  const isPath = table[name]?.normalize === true || /-(file|path|dir|directory)s?$/.test(name);
  return /token|key|secret/.test(name) && !isPath;
}
