// The mistakes in a config file.

import { UsageError } from '../usage-error.ts';

export class ConfigError extends UsageError {
  /** One line each, with the file and the field. */
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(
      mistakes.length > 1 ? `${mistakes[0]} (and ${mistakes.length - 1} more: hongbao config --check)` : mistakes[0],
    );
    this.mistakes = mistakes;
  }
}
