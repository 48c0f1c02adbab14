// Tries the doorbell for lost and doubled wake-ups between real threads.
//
// Whoever sleeps here is owed a message by a thread that is awake, and one message is under way at a time: so a lost
// wake-up is a sleep that ends by its timeout, and there may be none. Nothing is said about speed.

import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { allocateDoorbell } from '../../lib/ring/doorbell.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import type { GateData, GateReport } from './doorbell-gate-worker.ts';
import type { Link, ListenerData, PingData, Report } from './doorbell-worker.ts';
import { runWorker } from './run-worker.ts';
import { mix, readSeed } from './seed.ts';
import { allocateMeeting } from './threads.ts';

const seed = readSeed();
t.comment(`SEED=${seed}`);

/** How long a run of rounds goes on, so that a busy machine makes it smaller and not longer. */
const BUDGET_MS = 1500;

const runPing = (data: PingData) => runWorker<Report>('doorbell-worker.ts', data, data.wakePort ? [data.wakePort] : []);
const runListener = (data: ListenerData) => runWorker<Report>('doorbell-worker.ts', data, data.ports);
const runGate = (data: GateData) => runWorker<GateReport>('doorbell-gate-worker.ts', data);

function allocateLink(inBell = allocateDoorbell()): Link {
  const start = 2 ** 31 - 100;
  return { out: allocateRing(2, 1, start), outBell: allocateDoorbell(), in: allocateRing(2, 1, start), inBell };
}

function turn(link: Link): Link {
  return { out: link.in, outBell: link.inBell, in: link.out, inBell: link.outBell };
}

// Allowed outcome, the only one: every ping has its answer and not one sleep ends by its timeout.
for (const [how, pongWait, pause] of [
  ['both park at once', 'park', 0],
  ['both park after a pause', 'park', 2000],
  ['the answer comes as ping falls asleep', 'spin-then-park', 400],
] as const) {
  t.test(`single messages go to and fro without a lost wake-up: ${how}`, async (t) => {
    const link = allocateLink();
    const shared = { pause, rounds: 60_000, budgetMs: BUDGET_MS, meeting: allocateMeeting(), parties: 2 };
    const [ping, pong] = await Promise.all([
      runPing({ ...shared, role: 'ping', link, wait: 'park', seed: mix(seed, 1) }),
      runPing({ ...shared, role: 'pong', link: turn(link), wait: pongWait, seed: mix(seed, 2) }),
    ]);
    t.equal(ping.fault, '');
    t.equal(ping.timedOut + pong.timedOut, 0, 'no sleep was ended by its timeout');
    t.equal(pong.rounds, ping.rounds, 'each was answered once');
    t.ok(ping.slept > 0, 'there were sleeps to end');
    t.comment(`${ping.rounds} rounds; slept ${ping.slept}, ${pong.slept} times`);
  });
}

// Allowed outcome, the only one: one wake in each round.
// The sleeper's thread rings as well, so that two ringers have a core each. A ringer without its compareExchange shows
// here in some runs only (the gap is a few nanoseconds); doorbell.model.test.ts finds it in every run.
t.test('two ringers at once wake a sleeper once', async (t) => {
  const ringers = 1;
  const shared = {
    bell: allocateDoorbell(),
    gate: new SharedArrayBuffer(12),
    ringers,
    rounds: 200_000,
    pause: 150,
    budgetMs: BUDGET_MS,
    meeting: allocateMeeting(),
  };
  const [sleeper] = await Promise.all([
    runGate({ ...shared, role: 'sleeper', seed }),
    ...Array.from({ length: ringers }, (_, i) => runGate({ ...shared, role: 'ringer', seed: mix(seed, i) })),
  ]);
  t.equal(sleeper.fault, '');
  t.comment(`${sleeper.rounds} rounds`);
});

// Allowed outcomes: a wake for every sleep in the event loop, and besides at most one for each announcement that the
// listener took back because it found work itself. Never a ping without its answer.
t.test('an event loop is woken through a port, at most once for each announcement', async (t) => {
  const pings = 3;
  const bell = allocateDoorbell();
  const links = Array.from({ length: pings }, () => allocateLink());
  for (const link of links) link.outBell = bell;
  const channels = links.map(() => new MessageChannel());
  const shared = { seed, meeting: allocateMeeting(), parties: pings + 1 };
  const reports = await Promise.all([
    runListener({ ...shared, role: 'listener', links: links.map(turn), ports: channels.map(({ port1 }) => port1) }),
    ...links.map((link, i) =>
      runPing({
        ...shared,
        role: 'ping',
        link,
        wait: 'park',
        pause: 400,
        rounds: 20_000,
        budgetMs: BUDGET_MS,
        wakePort: channels[i].port2,
        seed: mix(seed, i),
      }),
    ),
  ]);
  const [listener, ...others] = reports;
  const add = (of: (report: Report) => number) => others.reduce((sum, report) => sum + of(report), 0);
  t.same(
    reports.map((report) => report.fault),
    reports.map(() => ''),
  );
  t.equal(
    add((ping) => ping.timedOut),
    0,
    'no ping slept until its timeout',
  );
  t.equal(
    listener.rounds,
    add((ping) => ping.rounds),
    'each was answered once',
  );
  t.equal(
    listener.woken,
    add((ping) => ping.woken),
    'every wake came through a port',
  );
  t.ok(listener.woken > 0, 'there were wakes');
  t.ok(listener.woken <= listener.announced, `${listener.woken} wakes for ${listener.announced} announcements`);
});
