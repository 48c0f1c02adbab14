// The configuration of a running server: settled from flags, file and defaults, and read again when it is asked to.

import type { Logger } from 'pino';
import { ConfigError } from './config-error.ts';
import type { CheckValues } from './config-file.ts';
import { planReload } from './reload.ts';
import { type OptionTable, settle, type Values } from './settle.ts';

export interface LiveConfigParts {
  table: OptionTable;
  /** The options that can change while the server runs. */
  live: ReadonlySet<string>;
  check: CheckValues;
  /** Path of the config file; undefined for none. */
  path: string | undefined;
  /** The flags that were given, by long name. */
  flags: Values;
}

export class LiveConfig {
  /** What is in use, by long name. */
  values: Readonly<Record<string, unknown>>;
  readonly #parts: LiveConfigParts;

  private constructor(parts: LiveConfigParts, values: Values) {
    this.#parts = parts;
    this.values = values;
  }

  /** Reads the file, if there is one. @throws {ConfigError}; what `check` throws, for the flags */
  static async open(parts: LiveConfigParts): Promise<LiveConfig> {
    return new LiveConfig(parts, await settleNow(parts));
  }

  /**
   * Reads the file again. What can change now is handed to `apply` and logged, a line each; what cannot is named in one line. A
   * file with mistakes changes nothing.
   */
  async reload(
    log: Pick<Logger, 'info' | 'warn' | 'error' | 'isLevelEnabled'>,
    apply: (values: Values) => void,
  ): Promise<void> {
    const { table, live } = this.#parts;
    let after: Values;
    try {
      after = await settleNow(this.#parts);
    } catch (error) {
      const mistakes = error instanceof ConfigError ? error.mistakes : [(error as Error).message];
      for (const mistake of mistakes) log.error(`config: ${mistake}`);
      log.error('config: nothing is changed');
      return;
    }
    const { values, changes, needRestart } = planReload(table, live, this.values, after);
    this.values = values;
    const tell = () => {
      for (const change of changes) log.info(`config: ${change}`);
    };
    // The level of the log may be among the changes: they are told while they can be heard.
    const isHeard = log.isLevelEnabled('info');
    if (isHeard) tell();
    apply(values);
    if (!isHeard) tell();
    if (needRestart.length > 0) log.warn(`config: to change these, restart the server: ${needRestart.join(', ')}`);
    if (changes.length + needRestart.length === 0) log.info('config: nothing has changed');
  }
}

async function settleNow({ table, check, path, flags }: LiveConfigParts): Promise<Values> {
  let file: Values = {};
  if (path !== undefined) {
    // zod is loaded only when there is a file.
    const { readConfigFile } = await import('./config-file.ts');
    file = readConfigFile(table, check, path);
  }
  const { values } = settle(table, file, flags);
  check(values);
  return values;
}
