// Runs a fast-check property with the seed of this run and reports it as one assertion, with its smallest counterexample.

import fc from 'fast-check';
import { seed } from './seed.ts';

interface Reporter {
  ok: (value: boolean, name: string) => unknown;
}

export function checkProperty<T>(
  t: Reporter,
  name: string,
  property: fc.IProperty<T> | fc.IAsyncProperty<T>,
  numRuns: number,
): Promise<void> {
  return Promise.resolve(fc.check(property, { seed, numRuns })).then((details) => {
    t.ok(!details.failed, details.failed ? `${name}\n${fc.defaultReportMessage(details)}` : name);
  });
}
