// An acceptor rests between turns only while requests are many and turns are short, for a bounded time, and not while
// connections are being made.

import t from 'tap';
import { RestRule } from '../../lib/net/rest-rule.ts';

/** A rule on a clock that moves only when told to. */
class Clocked {
  nowMs = 1000;
  rests: number[] = [];
  readonly rule = new RestRule(
    () => this.nowMs,
    (ms) => this.rests.push(ms),
  );

  /** Turns of so many reads, so many milliseconds apart. Returns how long was rested after each of the last ten. */
  turns(count: number, reads: number, everyMs: number): number[] {
    for (let i = 0; i < count; i++) {
      this.nowMs += everyMs;
      if (i === count - 10) this.rests = [];
      this.rule.endTurn(reads, reads);
    }
    return this.rests;
  }
}

t.test('no rest while requests come seldom', (t) => {
  const clocked = new Clocked();
  t.same(clocked.turns(100, 1, 0.5), []);
  t.notOk(clocked.rule.isOn);
  t.end();
});

t.test('at some thousands a second it rests after each turn, never longer than a tenth of a millisecond', (t) => {
  const clocked = new Clocked();
  const rests = clocked.turns(100, 1, 0.1);
  t.same(rests, new Array(10).fill(0.1));
  t.ok(clocked.rule.isOn);
  t.end();
});

t.test('the more requests, the shorter the rest: as long as two take to come', (t) => {
  const clocked = new Clocked();
  const rests = clocked.turns(100, 4, 0.1);
  t.equal(rests.length, 10);
  for (const ms of rests) t.ok(Math.abs(ms - 0.05) < 0.001, `${ms}`);
  t.end();
});

t.test('no rest after a full turn', (t) => {
  const clocked = new Clocked();
  t.same(clocked.turns(100, 8, 0.1), []);
  t.ok(clocked.rule.isOn);
  t.end();
});

t.test('no rest until 20 ms after a connection was opened', (t) => {
  const clocked = new Clocked();
  clocked.turns(100, 1, 0.1);
  clocked.rule.countOpen();
  t.same(clocked.turns(190, 1, 0.1), []);
  t.equal(clocked.turns(20, 1, 0.1).length, 10);
  t.end();
});

t.test('it ends when the load does, and begins again with it', (t) => {
  const clocked = new Clocked();
  clocked.turns(100, 1, 0.1);
  t.same(clocked.turns(100, 1, 1), []);
  t.notOk(clocked.rule.isOn);
  t.equal(clocked.turns(100, 1, 0.1).length, 10);
  t.end();
});

t.test('the usual rest blocks the thread about as long as it says', (t) => {
  let rested = 0;
  let nowMs = 0;
  const rule = new RestRule(() => nowMs);
  const before = performance.now();
  for (let i = 0; i < 200; i++) {
    nowMs += 0.1;
    rule.endTurn(1, 1);
    if (rule.isOn) rested++;
  }
  t.ok(rested > 100);
  t.ok(performance.now() - before > rested * 0.09);
  t.end();
});
