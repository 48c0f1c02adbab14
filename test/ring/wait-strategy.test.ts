// Checks what every wait strategy promises: it comes back for work, for the bell, and when its time is over.

import t from 'tap';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { WAIT_STRATEGIES } from '../../lib/ring/wait-strategy.ts';
import { countSleeps, LOST_MS } from './threads.ts';

const sleeps = countSleeps();

t.same(Object.keys(WAIT_STRATEGIES), ['park', 'spin-then-park', 'spin'], 'the names that the command line takes');

for (const [name, wait] of Object.entries(WAIT_STRATEGIES)) {
  t.test(`${name}:`, (t) => {
    const memory = allocateDoorbell();
    const listener = new DoorbellListener(memory);
    let wakes = 0;
    const ringer = new DoorbellRinger(memory, () => wakes++);
    /** Rings as a producer would; says whether somebody was taken to be asleep. */
    const ring = () => {
      wakes = 0;
      ringer.ring();
      return wakes === 1;
    };

    t.test('work that is there is found without a sleep', (t) => {
      wait(listener, () => true, LOST_MS);
      t.notOk(ring(), 'and nobody rings for it');
      t.end();
    });

    t.test('with no work it comes back when its time is over, and no sooner', (t) => {
      const start = performance.now();
      let looks = 0;
      wait(
        listener,
        () => {
          looks++;
          return false;
        },
        20,
      );
      // The kernel's clock and ours may differ by a little.
      t.ok(performance.now() - start > 19);
      t.ok(looks > 0);
      t.notOk(ring(), 'awake again');
      t.end();
    });
    t.end();
  });
}

for (const name of ['park', 'spin-then-park'] as const) {
  t.test(`${name} looks again once it has announced its sleep`, (t) => {
    const listener = new DoorbellListener(allocateDoorbell());
    sleeps.slept = 0;
    const isAnnounced = () => listener.words[0] !== 0;
    WAIT_STRATEGIES[name](listener, isAnnounced, LOST_MS);
    t.equal(sleeps.slept, 0);
    t.notOk(isAnnounced(), 'and takes the announcement back');
    t.end();
  });

  t.test(`${name} does not sleep if it was rung since it announced`, (t) => {
    sleeps.slept = 0;
    const memory = allocateDoorbell();
    const listener = new DoorbellListener(memory);
    const ringer = new DoorbellRinger(memory);
    const lookTooEarly = () => {
      if (listener.words[0] !== 0) ringer.ring();
      return false;
    };
    WAIT_STRATEGIES[name](listener, lookTooEarly, LOST_MS);
    t.equal(sleeps.slept, 0);
    t.end();
  });
}
