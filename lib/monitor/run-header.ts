// The first line of a run log: which program ran, when, and on what machine.

import { cpus, totalmem } from 'node:os';
import type { RunHeader } from './run-log.ts';

/** @param what the end of the run's name, such as server-1025 @param program its name and version */
export function makeRunHeader(what: string, program: string): RunHeader {
  const startedAt = new Date().toISOString();
  const all = cpus();
  return {
    // A name that any file system takes, and that sorts by time.
    name: `${startedAt.replaceAll(':', '-').replace('Z', '')}-${what}`,
    startedAt,
    program,
    machine: {
      cpus: all.length,
      cpu: all[0]?.model.trim() ?? 'unknown',
      memoryBytes: totalmem(),
      platform: `${process.platform} ${process.arch}`,
      node: process.version,
    },
  };
}
