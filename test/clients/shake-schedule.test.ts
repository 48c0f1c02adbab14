// The open loop's schedule over changes of the rate: what is sent is exactly what the slot rule gives for each second, also when
// several clients share it, however they look at it.

import t from 'tap';
import { NOBODY, ShakeSchedule } from '../../clients/load/shake-schedule.ts';

const POPULATION = { first: 100, users: 7, qps: 10 };

/** All that is due from one moment to another, looked at every few milliseconds: who, and when. */
function take(
  schedule: ShakeSchedule,
  fromMs: number,
  toMs: number,
  stepMs: number,
): { user: number; dueMs: number }[] {
  const taken: { user: number; dueMs: number }[] = [];
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += stepMs) {
    for (let user = schedule.takeDue(nowMs); user !== NOBODY; user = schedule.takeDue(nowMs)) {
      if (schedule.dueMs > nowMs) throw new Error('taken before it was due');
      taken.push({ user, dueMs: schedule.dueMs });
    }
  }
  return taken;
}

/** How many were due in each second from `fromMs` on. */
function perSecond(taken: { dueMs: number }[], fromMs: number, seconds: number): number[] {
  return Array.from({ length: seconds }, (_, i) => {
    const start = fromMs + i * 1000;
    return taken.filter(({ dueMs }) => dueMs >= start && dueMs < start + 1000).length;
  });
}

t.test('each second has the shakes of its own rate', (t) => {
  const schedule = new ShakeSchedule(POPULATION);
  schedule.start(50_000, 56_000);
  schedule.change(25, 52_000);
  schedule.change(0, 54_000);
  schedule.change(3, 55_000);
  const taken = take(schedule, 50_000, 57_000, 13);
  t.same(perSecond(taken, 50_000, 7), [10, 10, 25, 25, 0, 3, 0]);
  t.equal(taken.length, 73);
  t.end();
});

t.test('who shakes when does not depend on when a client heard of the change, or how often it looks', (t) => {
  const early = new ShakeSchedule(POPULATION);
  early.change(31, 52_000);
  early.start(50_000, 55_000);
  const late = new ShakeSchedule(POPULATION);
  late.start(50_000, 55_000);
  const before = take(late, 50_000, 51_990, 1);
  late.change(31, 52_000);
  const after = take(late, 51_991, 56_000, 97);
  t.same([...before, ...after], take(early, 50_000, 56_000, 400));
  t.end();
});

t.test('a change before the start, or at it, is the first rate; one after the end is nothing', (t) => {
  for (const fromMs of [0, 49_000, 50_000]) {
    const schedule = new ShakeSchedule(POPULATION);
    schedule.change(4, fromMs);
    schedule.start(50_000, 52_000);
    t.equal(take(schedule, 50_000, 53_000, 10).length, 8);
  }
  const schedule = new ShakeSchedule(POPULATION);
  schedule.start(50_000, 52_000);
  schedule.change(4, 52_000);
  t.equal(take(schedule, 50_000, 53_000, 10).length, 20);
  t.equal(schedule.takeDue(Number.POSITIVE_INFINITY), NOBODY);
  t.end();
});

t.test('the last word counts: a change drops those that were to come at its second or later', (t) => {
  const schedule = new ShakeSchedule(POPULATION);
  schedule.start(50_000, 54_000);
  schedule.change(100, 51_000);
  schedule.change(200, 52_000);
  schedule.change(1, 51_000);
  t.same(perSecond(take(schedule, 50_000, 55_000, 7), 50_000, 5), [10, 1, 1, 1, 0]);
  t.end();
});

t.test('from nothing to something and back', (t) => {
  const schedule = new ShakeSchedule({ ...POPULATION, qps: 0 });
  schedule.start(50_000, 53_000);
  t.equal(schedule.takeDue(50_500), NOBODY);
  schedule.change(9, 51_000);
  schedule.change(0, 52_000);
  t.equal(take(schedule, 50_500, 54_000, 5).length, 9);
  t.end();
});

t.test('at the end of a test everything that was due is taken, whatever the clock says', (t) => {
  const schedule = new ShakeSchedule(POPULATION);
  schedule.start(50_000, 53_000);
  schedule.change(20, 51_000);
  let count = 0;
  while (schedule.takeDue(Number.POSITIVE_INFINITY) !== NOBODY) count++;
  t.equal(count, 50);
  t.end();
});
