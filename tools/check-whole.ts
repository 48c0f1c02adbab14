// The check of an option that has to be a whole number within bounds.

import { UsageError } from './usage-error.ts';

/** @throws {UsageError} if the value of `--name` is not a whole number from `low` to `high` */
export function checkWhole(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new UsageError(`--${name} must be a whole number from ${low} to ${high}`);
}
