// Tries what holds sends back, with a clock of our own: pauses, times to begin, caps, ends before time, and what is kept of them.

import t from 'tap';
import type { Hold } from '../../lib/packets/campaign-holds.ts';
import type { SendOpening } from '../../lib/packets/movement-log.ts';
import { GrabOutcome } from '../../lib/packets/packet-table.ts';
import { everyday, openSends, START_MS } from './open-sends.ts';
import { grabShare } from './packet-steps.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const { WON } = GrabOutcome;

t.test(
  'a paused send creates nothing, what is out can be grabbed, and nothing is made up for afterwards',
  async (t) => {
    const { sends, table, told, tick } = openSends(100);
    const { id } = await sends.create({ ...everyday, count: 50 }, () => START_MS);
    tick(START_MS + 1000);
    t.equal(sends.createRate, 10);
    t.equal(sends.noticeRate, 30);
    t.match(sends.pause(id), { created: 10, state: 'creating', isPaused: true });
    t.equal(sends.createRate, 0);
    t.equal(sends.noticeRate, 0);
    t.strictSame(sends.holds.entries(), [[id, { isPaused: true }]]);
    tick(START_MS + 5000);
    t.match(sends.status(id), { created: 10 });
    const { userId, packetId } = told[0];
    t.equal(grabShare(table, packetId, userId), WON);
    t.match(sends.resume(id, START_MS + 6000), { isPaused: false });
    sends.resume(id, START_MS + 6500);
    tick(START_MS + 6999);
    t.match(sends.status(id), { created: 19 }, 'resuming again does not start anew');
    tick(START_MS + 60_000);
    t.match(sends.status(id), { created: 50, state: 'created' });
    t.throws(() => sends.pause(id), { code: 'over', message: `send ${id} creates no more` });
    t.throws(() => sends.resume(9, START_MS), { code: 'not_found' });
  },
);

t.test('a send that is closed creates no more; what is out is grabbed or expires, and then it is over', async (t) => {
  const { sends, table, told, tick } = openSends(100);
  const { id } = await sends.create({ ...everyday, count: 50, expiresInSeconds: 10 }, () => START_MS);
  tick(START_MS + 200);
  t.match(sends.close(id), { created: 2, state: 'closing' });
  t.strictSame(sends.holds.entries(), [[id, { isCutShort: true }]]);
  const { userId, packetId } = told[0];
  t.equal(grabShare(table, packetId, userId), WON);
  tick(START_MS + 5000);
  t.match(sends.status(id), { created: 2, state: 'closing' });
  for (let i = 0; i < 5; i++) tick(START_MS + 20_000 + i);
  const { state, created, totalCents, claimedCents, refundedCents } = sends.status(id);
  t.strictSame([state, created, totalCents], ['closed', 2, 1200]);
  t.equal(claimedCents + refundedCents, 1200);
  t.match(sends.close(id), { state: 'closed' }, 'closing it again changes nothing');
});

t.test('a scheduled send begins at its time, and not before', async (t) => {
  const { sends, told, tick } = openSends(100);
  const startMs = START_MS + 60_000;
  t.match(await sends.create({ ...everyday, count: 50, startMs }, () => START_MS), {
    state: 'scheduled',
    startsAtMs: startMs,
  });
  tick(startMs - 1);
  t.equal(told.length, 0);
  tick(startMs);
  tick(startMs + 1000);
  t.match(sends.status(1), { state: 'creating', created: 10 });
  await sends.create({ ...everyday, startMs: startMs + 1e6 }, () => startMs);
  t.match(sends.close(2), { state: 'closing' });
  tick(startMs + 1001);
  t.match(sends.status(2), { state: 'closed', created: 0 });
});

t.test('a send never puts more than its cap into packets, whatever is drawn', async (t) => {
  for (const [cap, total, created] of [
    [1800, 600, 3],
    [1799, 600, 2],
    [600, 600, 1],
    [2400, 600, 4],
    [100_000, 600, 4],
  ] as const) {
    const { sends, tick } = openSends(100);
    await sends.create({ ...everyday, total, cap }, () => START_MS);
    for (let i = 0; i < 5; i++) tick(START_MS + 5000 + i);
    t.match(
      sends.status(1),
      { created, totalCents: created * total, state: created < 4 ? 'closing' : 'created' },
      `${cap}`,
    );
  }
  const { sends, tick } = openSends(1000);
  await sends.create({ ...everyday, count: 500, rate: 1000, total: [10, 600], cap: 20_000 }, () => START_MS);
  for (let i = 0; i < 20; i++) tick(START_MS + 100 * i);
  const { totalCents, created } = sends.status(1);
  t.ok(totalCents <= 20_000 && totalCents > 20_000 - 600 && created < 500, `${created} packets, ${totalCents} cents`);
  await t.rejects(
    sends.create({ ...everyday, total: [10, 600], cap: 9 }, () => START_MS),
    { code: 'bad_request', message: /cap must be/ },
  );
});

t.test('holds of earlier runs are taken up, but not those of sends that never came to be', async (t) => {
  const { sends, tick } = openSends(10);
  sends.continueFrom(4, [
    [3, { isCutShort: true }],
    [5, { startMs: START_MS + 1e9 }],
  ]);
  t.strictSame(sends.holds.entries(), [[3, { isCutShort: true }]]);
  t.match(await sends.create(everyday, () => START_MS), { id: 5, state: 'creating' });
  tick(START_MS + 5000);
  t.match(sends.status(5), { created: 4 });
});

t.test(
  'a send that is paused while its last packets are on their way to the disk is not paused any more',
  async (t) => {
    const { sends, tick, log } = openSends(10);
    await sends.create(everyday, () => START_MS);
    log.hold();
    tick(START_MS + 1000);
    t.match(sends.pause(1), { state: 'creating', created: 0, isPaused: true });
    log.makeDurable();
    tick(START_MS + 2000);
    t.match(sends.status(1), { state: 'created', created: 4, isPaused: false });
    t.strictSame(sends.holds.entries(), [], 'whoever looks for something to resume does not find it');

    const { sends: second } = openSends(10);
    second.continueFrom(1, [[1, { isPaused: true }]]);
    second.restore(restored(log.list('openSend')[0].send, 4), START_MS);
    t.match(second.status(1), { state: 'created', isPaused: false });
    t.strictSame(second.holds.entries(), [], 'the same if it is not known before the next run');
  },
);

t.test('a restart finds a send as it stood: paused, scheduled, both, capped or cut short', async (t) => {
  const startMs = START_MS + 60_000;
  for (const [hold, found, meanwhile, atStart] of [
    [{}, { state: 'creating', isPaused: false }, 50, 50],
    [{ isPaused: true }, { state: 'creating', isPaused: true }, 2, 2],
    [{ startMs }, { state: 'scheduled', isPaused: false, startsAtMs: startMs }, 2, 12],
    [{ startMs, isPaused: true }, { state: 'scheduled', isPaused: true, startsAtMs: startMs }, 2, 2],
    [{ startMs: START_MS - 1 }, { state: 'creating', isPaused: false }, 50, 50],
    [{ capCents: 3000 }, { state: 'creating', isPaused: false }, 5, 5],
    [{ capCents: 3000, isPaused: true }, { state: 'creating', isPaused: true }, 2, 2],
    [{ capCents: 3000, isCutShort: true }, { state: 'closed', isPaused: false }, 2, 2],
    [{ isCutShort: true }, { state: 'closed', isPaused: false }, 2, 2],
  ] as const) {
    const { sends: first, log } = openSends(100);
    await first.create({ ...everyday, count: 50 }, () => START_MS);
    const { sends, tick } = openSends(100);
    sends.continueFrom(1, [[1, hold]]);
    sends.restore(restored(log.list('openSend')[0].send, 2), START_MS);
    const name = JSON.stringify(hold);
    t.match(sends.status(1), found, name);
    tick(startMs - 1);
    t.equal(sends.status(1).created, meanwhile, `${name}: before its time`);
    tick(startMs + 1000);
    t.equal(sends.status(1).created, atStart, `${name}: behind it`);
    if (found.isPaused) sends.resume(1, startMs + 1000);
    tick(startMs + 60_000);
    const capped = 'capCents' in hold ? 5 : 50;
    t.equal(sends.status(1).created, found.state === 'closed' ? 2 : capped, `${name}: when it goes on`);
  }
});

t.test('a send that was cut short and was over in an earlier run is not told of as over again', async (t) => {
  const { sends: first, log } = openSends(10);
  await first.create(everyday, () => START_MS);
  const { sends, tick } = openSends(10);
  let told = 0;
  sends.onClosed = () => told++;
  sends.continueFrom(1, [[1, { isCutShort: true }]]);
  sends.restore(restored(log.list('openSend')[0].send, 2), START_MS);
  tick(START_MS + 1000);
  t.match(sends.status(1), { state: 'closed', created: 2 });
  t.strictSame([told, sends.activeCount], [0, 0]);
  t.strictSame(sends.holds.entries(), [[1, { isCutShort: true }]], 'its records still look as if it went on');
});

t.test('a send does not inherit the hold of one that never came to be and would have had its id', async (t) => {
  const { sends, log } = openSends(10);
  let kept: [number, Hold][] = [
    [4, { startMs: START_MS + 1e9 }],
    [5, { recipients: 900, capCents: 600 }],
  ];
  sends.continueFrom(4, kept);
  sends.holds.keep = () => {
    kept = sends.holds.entries();
    t.equal(log.entries.length, 0, 'kept before the send is');
  };
  t.match(await sends.create(everyday, () => START_MS), { id: 5 });
  t.strictSame(kept, [], 'nor is anything left of one that was over');
});

/** A send of an earlier run that created so many packets, of which all are over and nothing was grabbed. */
function restored(opening: SendOpening, created: number) {
  const totalCents = created * opening.lowCents;
  return { opening, created, totalCents, grabbedShares: 0, claimedCents: 0, refundedCents: totalCents, open: [] };
}
