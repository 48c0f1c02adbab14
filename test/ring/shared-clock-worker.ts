// A thread for shared-clock.test.ts: answers each message with the time.

import { parentPort } from 'node:worker_threads';
import { sharedClockUs } from '../../lib/ring/shared-clock.ts';

parentPort!.on('message', () => parentPort!.postMessage(sharedClockUs()));
