// What a load test against a fake server is asked to do, unless the test says otherwise.

import type { LoadOptions } from '../../clients/load/load-options.ts';
import type { FakeServer } from './fake-server.ts';

export function optionsFor(server: FakeServer, changes: Partial<LoadOptions> = {}): LoadOptions {
  const users = changes.users ?? [0, 9];
  return {
    targets: [{ host: '127.0.0.1', port: server.port }],
    users,
    population: users,
    qps: 100,
    closed: false,
    pipeline: 1,
    durationSeconds: 1,
    paceMs: 1,
    threads: 1,
    grab: true,
    drainSeconds: 0.3,
    ...changes,
  };
}
