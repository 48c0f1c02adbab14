// A thread naps for the next arrival only while arrivals are many, and not while connections are being made.

import t from 'tap';
import { NapRule } from '../../lib/handles/nap-rule.ts';

/** A rule on a clock that moves only when told to. */
class Clocked {
  nowMs = 1000;
  readonly rule = new NapRule(() => this.nowMs);

  /** Rounds of so many reads, so many milliseconds apart. Returns whether it naps at their end. */
  rounds(count: number, reads: number, everyMs: number): boolean {
    for (let i = 0; i < count; i++) {
      this.nowMs += everyMs;
      this.rule.countReads(reads);
    }
    return this.rule.isOn;
  }
}

t.test('no naps while requests come seldom', (t) => {
  t.notOk(new Clocked().rounds(100, 1, 0.25));
  t.end();
});

t.test('at some thousands a second it naps, be it one a round or many', (t) => {
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

t.test('naps that bring nothing end it', (t) => {
  const clocked = new Clocked();
  clocked.rounds(100, 10, 0.1);
  t.notOk(clocked.rounds(30, 0, 2));
  t.end();
});

t.test('not until 20 ms after a connection was opened', (t) => {
  const clocked = new Clocked();
  clocked.rounds(100, 1, 0.1);
  clocked.rule.countOpen();
  t.notOk(clocked.rule.isOn);
  t.notOk(clocked.rounds(190, 1, 0.1));
  t.ok(clocked.rounds(20, 1, 0.1));
  t.end();
});
