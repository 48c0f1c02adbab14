// Tries how a worker shows the waits in its rings: all of them added up, the worst of the last second or two.

import t from 'tap';
import { allocateCounters, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { RingWait } from '../../lib/sets/ring-wait.ts';
import { WORKER_COUNTERS, WorkerCount, WorkerSum } from '../../lib/sets/worker-counters.ts';

/** Just below where a clock in microseconds wraps. */
const START_US = 0x7fff_ff00 | 0;

function open() {
  const memory = allocateCounters(WORKER_COUNTERS);
  const reader = new CounterReader([memory], WORKER_COUNTERS);
  const wait = new RingWait(new CounterWriter(memory, WORKER_COUNTERS), START_US);
  const read = () => {
    reader.update();
    return {
      batches: reader.count(WorkerCount.ringBatches),
      waitUs: reader.sum(WorkerSum.ringWaitMicroseconds),
      worstUs: reader.gauges(WorkerCount.ringWaitWorstMicroseconds)[0],
    };
  };
  return { wait, read };
}

const after = (us: number) => (START_US + us) | 0;

t.test('every batch counts, and the worst is shown at once', (t) => {
  const { wait, read } = open();
  wait.record(after(0), after(50));
  wait.record(after(300), after(1000));
  wait.record(after(2000), after(2010));
  t.strictSame(read(), { batches: 3, waitUs: 760, worstUs: 700 });
  wait.record(after(5000), after(4990));
  t.strictSame(
    read(),
    { batches: 4, waitUs: 760, worstUs: 700 },
    'clocks of threads may differ a little: no wait is negative',
  );
  t.end();
});

t.test('the worst is let go after one to two seconds, also when nothing comes', (t) => {
  const { wait, read } = open();
  wait.record(after(0), after(9000));
  wait.keepTime(after(999_999));
  t.equal(read().worstUs, 9000);
  wait.keepTime(after(1_000_000));
  t.equal(read().worstUs, 9000, 'it is within two seconds');
  wait.record(after(1_500_000), after(1_500_100));
  wait.keepTime(after(2_000_000));
  t.equal(read().worstUs, 100);
  wait.keepTime(after(3_000_000));
  t.equal(read().worstUs, 0);
  t.end();
});
