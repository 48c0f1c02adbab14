// When replies leave: at once while a turn has few reads, at its end when it has many, and nothing is ever left behind.

import t from 'tap';
import { FlushRule } from '../../lib/net/flush-rule.ts';

/** A loop whose turns end when the test says so. */
class Loop {
  readonly waiting: (() => void)[] = [];
  flushes = 0;
  /** As told after a turn: reads in all. */
  reads = 0;
  /** Whether every turn's end is to be told. */
  isOn = false;
  readonly rule = new FlushRule(
    () => this.flushes++,
    this,
    (call) => this.waiting.push(call),
  );

  endTurn(newReads: number): void {
    this.reads += newReads;
  }

  /** A turn with so many reads. Returns how many of them were to be answered at once. */
  turn(reads: number): number {
    let atOnce = 0;
    for (let i = 0; i < reads; i++) if (this.rule.countRead()) atOnce++;
    for (const call of this.waiting.splice(0)) call();
    return atOnce;
  }
}

t.test('with a read a turn each is answered at once, and few turns are waited for', (t) => {
  const loop = new Loop();
  let atOnce = 0;
  for (let i = 0; i < 3200; i++) atOnce += loop.turn(1);
  t.equal(atOnce, 3200);
  t.equal(loop.flushes, 100);
  t.end();
});

t.test('with many reads a turn replies soon wait for its end, each time', (t) => {
  const loop = new Loop();
  const atOnce = Array.from({ length: 8 }, () => loop.turn(100));
  t.ok(atOnce[0] > 0, 'nothing is known at first');
  t.equal(atOnce[7], 0);
  const { flushes } = loop;
  loop.turn(100);
  t.equal(loop.flushes, flushes + 1, 'and leave at it');
  t.end();
});

t.test('all reads are told, whether the end of every turn is told or not', (t) => {
  const loop = new Loop();
  for (let i = 0; i < 320; i++) loop.turn(1);
  t.equal(loop.reads, 320);
  t.equal(loop.flushes, 10);
  loop.isOn = true;
  for (let i = 0; i < 320; i++) loop.turn(1);
  t.equal(loop.reads, 640);
  t.equal(loop.flushes, 330);
  for (let i = 0; i < 10; i++) loop.turn(100);
  t.equal(loop.reads, 1640);
  t.end();
});

t.test('when the load is gone, replies leave at once again', (t) => {
  const loop = new Loop();
  for (let i = 0; i < 8; i++) loop.turn(100);
  let turns = 0;
  while (loop.turn(1) === 0) turns++;
  t.ok(turns < 30, `after ${turns} turns`);
  t.end();
});

t.test('a read that is not answered at once always has an end of the turn coming', (t) => {
  const loop = new Loop();
  let seed = 7;
  const next = (most: number) => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return (seed >> 8) % most;
  };
  for (let i = 0; i < 10_000; i++) {
    const reads = next(2) === 0 ? next(3) : next(200);
    const before = loop.flushes;
    if (loop.turn(reads) < reads) t.equal(loop.flushes, before + 1);
  }
  t.end();
});
