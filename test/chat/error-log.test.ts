// What of a service's failures goes to the log: as many in a second as may, and in the next again.

import t from 'tap';
import { ErrorLog } from '../../lib/chat/error-log.ts';
import { MAX_LOG_LINES_PER_SECOND } from '../../lib/chat/limits.ts';

t.test('in each second as many failures are told as may, whatever was thrown', (t) => {
  const told: string[] = [];
  let nowMs = 5000;
  const log = new ErrorLog(
    (message) => told.push(message),
    () => nowMs,
  );
  for (let i = 0; i < MAX_LOG_LINES_PER_SECOND; i++) log.add(new Error(`failure ${i}`));
  t.equal(told.length, MAX_LOG_LINES_PER_SECOND, 'just inside');
  t.match(told[0], /^Error: failure 0\n +at /, 'with where it came from');
  nowMs = 5999;
  log.add(new Error('one too many'));
  t.equal(told.length, MAX_LOG_LINES_PER_SECOND);
  nowMs = 6000;
  log.add('no error at all');
  t.equal(told.at(-1), 'no error at all');
  t.end();
});
