// A thread waits for the next arrival only while arrivals are many, and not while connections are being made.

import t from 'tap';
import { ArrivalRate } from '../../lib/handles/arrival-rate.ts';

/** A rule on a clock that moves only when told to. */
class Clocked {
  nowMs = 1000;
  readonly arrivals = new ArrivalRate(() => this.nowMs);

  /** Rounds of so many reads, so many milliseconds apart. Returns whether a wait is worth it at their end. */
  rounds(count: number, reads: number, everyMs: number): boolean {
    for (let i = 0; i < count; i++) {
      this.nowMs += everyMs;
      this.arrivals.countReads(reads);
    }
    return this.arrivals.isWorthWaiting;
  }
}

t.test('no wait while requests come seldom', (t) => {
  t.notOk(new Clocked().rounds(100, 1, 0.25));
  t.end();
});

t.test('at some thousands a second it is worth it, be it one a round or many', (t) => {
  t.ok(new Clocked().rounds(100, 1, 0.15));
  t.ok(new Clocked().rounds(100, 50, 5));
  t.end();
});

t.test('it goes on a while when less comes, and ends when little does', (t) => {
  const clocked = new Clocked();
  clocked.rounds(100, 1, 0.1);
  t.ok(clocked.rounds(100, 1, 0.25));
  t.notOk(clocked.rounds(100, 1, 0.5));
  t.end();
});

t.test('waits that bring nothing end it', (t) => {
  const clocked = new Clocked();
  clocked.rounds(100, 10, 0.1);
  t.notOk(clocked.rounds(30, 0, 2));
  t.end();
});

t.test('not until 20 ms after a connection was opened', (t) => {
  const clocked = new Clocked();
  clocked.rounds(100, 1, 0.1);
  clocked.arrivals.countOpen();
  t.notOk(clocked.arrivals.isWorthWaiting);
  t.notOk(clocked.rounds(190, 1, 0.1));
  t.ok(clocked.rounds(20, 1, 0.1));
  t.end();
});
