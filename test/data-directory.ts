// Fresh directories for the files of servers under test; they are gone when the test's process ends.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

process.once('exit', () => {
  for (const directory of made) {
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch {
      // A server that was killed may not be gone yet.
    }
  }
});

/** Makes a directory for the files of one server. Every server has its own, so that none takes away another's. */
export function makeDataDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hongbao-test-'));
  made.push(directory);
  return directory;
}
