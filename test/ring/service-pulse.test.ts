// The pulse of a service: when it counts as running, when as silent, and how often it was started again.

import t from 'tap';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { ServicePulse } from '../../lib/ring/service-pulse.ts';

t.test('a service is up between its begin and its end, and every start after the first is a restart', (t) => {
  const pulse = new ServicePulse(ServicePulse.allocate());
  t.strictSame([pulse.isUp, pulse.restarts, pulse.epoch], [false, 0, 0]);
  pulse.end();
  t.equal(pulse.epoch, 0, 'what never ran does not end');
  pulse.begin();
  pulse.begin();
  t.strictSame([pulse.isUp, pulse.restarts, pulse.epoch], [true, 0, 1]);
  pulse.end();
  pulse.end();
  t.strictSame([pulse.isUp, pulse.restarts, pulse.epoch], [false, 0, 2]);
  pulse.begin();
  t.strictSame([pulse.isUp, pulse.restarts, pulse.epoch], [true, 1, 3]);
  t.end();
});

t.test('its silence is counted from its last beat, also over the wrap of the clock', (t) => {
  let nowMs = 2 ** 31 - 50;
  const pulse = new ServicePulse(ServicePulse.allocate(), () => nowMs | 0);
  pulse.begin();
  nowMs += 100;
  t.equal(pulse.silentMs, 100);
  pulse.beat();
  t.equal(pulse.silentMs, 0);
  t.end();
});

t.test(
  'a sleep in the loop ends when it is rung, when its time is over, and at once if it was rung before',
  async (t) => {
    // A wait in a doorbell keeps no loop alive.
    const alive = setInterval(() => {}, 1000);
    t.teardown(() => clearInterval(alive));
    const memory = allocateDoorbell();
    const listener = new DoorbellListener(memory);
    const ringer = new DoorbellRinger(memory);
    listener.announceSleep();
    await listener.sleepInLoop(5);
    t.pass('its time was over');
    listener.announceSleep();
    let turns = 0;
    const interval = setInterval(() => ++turns === 3 && ringer.ring(), 1);
    await listener.sleepInLoop(60_000);
    clearInterval(interval);
    t.ok(turns >= 3, 'the loop went on turning');
    listener.announceSleep();
    ringer.ring();
    await listener.sleepInLoop(60_000);
  },
);
