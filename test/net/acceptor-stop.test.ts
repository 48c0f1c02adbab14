// The steps of an acceptor's stop and their bounds in time, with a clock that the test winds on.

import t from 'tap';
import { AcceptorStop, type StoppingAcceptor } from '../../lib/net/acceptor-stop.ts';
import { LAST_READS_MS, LEAVE_MS, TOLD_PER_TURN } from '../../lib/net/limits.ts';
import { DEFAULT_NET_LIMITS } from '../../lib/net/net-limits.ts';
import type { GoingAway } from '../../lib/protocol/extended.ts';
import { LoginResult, Opcode } from '../../lib/protocol/opcodes.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { hello, login } from './raw-client.ts';

const GOING_AWAY: GoingAway = { reconnectAfterSeconds: 3, target: '10.0.0.6:1025' };

/** An acceptor of which the test says where it stands; notes what it is told to do. */
function fake(state: { extended: boolean; drained: boolean; open: number; turnsToTell?: number }) {
  const deeds: string[] = [];
  let turns = state.turnsToTell ?? 1;
  const acceptor: StoppingAcceptor = {
    goAway: () => deeds.push('goAway'),
    tellSome: () => --turns <= 0,
    get hasExtended() {
      return state.extended;
    },
    drainReplies: () => {},
    stopReading: () => deeds.push('stopReading'),
    get isDrained() {
      return state.drained;
    },
    closeAll: () => deeds.push('closeAll'),
    get openCount() {
      return state.open;
    },
    destroyAll: () => deeds.push('destroyAll'),
    transport: { stopListening: () => deeds.push('stopListening') },
  };
  return { acceptor, deeds };
}

/** Steps every 10 ms until it is over; gives when each deed was done, in milliseconds. */
function run(state: Parameters<typeof fake>[0], withinMs: number, onStep: (nowMs: number) => void = () => {}) {
  const { acceptor, deeds } = fake(state);
  const startMs = 5000;
  const stop = new AcceptorStop(
    acceptor,
    { kind: 'stop', goingAway: GOING_AWAY, withinMs },
    DEFAULT_NET_LIMITS,
    startMs,
  );
  const times: Record<string, number> = {};
  for (let nowMs = startMs; nowMs <= startMs + 2 * withinMs; nowMs += 10) {
    onStep(nowMs - startMs);
    const isOver = stop.step(nowMs);
    for (const deed of deeds.splice(0)) times[deed] = nowMs - startMs;
    if (isOver) return { times, tookMs: nowMs - startMs };
  }
  throw new Error('it never ends');
}

t.test('with nobody there it is over once the last reads are', (t) => {
  const { times, tookMs } = run({ extended: false, drained: true, open: 0 }, 6000);
  t.equal(tookMs, LAST_READS_MS);
  t.strictSame(Object.keys(times), ['stopListening', 'goAway', 'stopReading', 'closeAll', 'destroyAll']);
  t.end();
});

t.test('extended sessions have a second to leave, and no more is waited for once they have', (t) => {
  const state = { extended: true, drained: true, open: 0 };
  const { times } = run(state, 6000);
  t.strictSame([times.stopListening, times.stopReading], [0, LEAVE_MS]);
  const quick = { extended: true, drained: true, open: 0 };
  const { tookMs } = run(quick, 6000, (nowMs) => {
    quick.extended = nowMs < 400;
  });
  t.equal(tookMs, 400);
  t.end();
});

t.test('the second begins when everybody has been told, within a third of the time', (t) => {
  t.equal(run({ extended: true, drained: true, open: 0, turnsToTell: 51 }, 6000).times.stopReading, 500 + LEAVE_MS);
  t.equal(run({ extended: true, drained: true, open: 0, turnsToTell: 1e6 }, 6000).times.stopReading, 2000);
  t.end();
});

t.test('answers are waited for as long as there is time, less what closing takes; then who lingers is cut off', (t) => {
  const { times, tookMs } = run({ extended: false, drained: false, open: 1 }, 6000);
  t.equal(times.closeAll, 6000 - 1000 * DEFAULT_NET_LIMITS.closeTimeoutSeconds);
  t.equal(tookMs, 6000);
  const answered = { extended: false, drained: false, open: 1 };
  const later = run(answered, 6000, (nowMs) => {
    answered.drained = nowMs >= 700;
  });
  t.strictSame([later.times.closeAll, later.tookMs], [700, 700 + 1000 * DEFAULT_NET_LIMITS.closeTimeoutSeconds]);
  t.end();
});

t.test('the whole is over in time, however short that is', (t) => {
  for (const withinMs of [10, 100, 650, 1000, 60_000]) {
    const { tookMs } = run({ extended: true, drained: false, open: 1, turnsToTell: 1e9 }, withinMs);
    t.equal(tookMs, Math.ceil(withinMs / 10) * 10);
  }
  t.end();
});

t.test('only extended sessions that are logged in are told, and those that log in later', (t) => {
  const rig = new AcceptorRig();
  const classic = rig.join(1, login(1)).connection;
  const rich = rig.join(2, hello(2)).connection;
  const refused = rig.open();
  rig.receive(refused, hello(-1));
  const entering = rig.open();
  rig.receive(entering, hello(5, 9));
  rig.transport.take(refused);
  rig.acceptor.goAway(GOING_AWAY);
  t.equal(rig.acceptor.tellSome(), true);
  const told = (connection: number) =>
    rig.transport
      .take(connection)
      .filter(({ opcode }) => opcode === Opcode.GOING_AWAY)
      .map(({ body }) => body);
  t.strictSame([classic, rich, refused, entering].map(told), [[], [GOING_AWAY], [], []]);
  rig.answer(rig.takeRequests().pop()!, { result: LoginResult.OK });
  rig.drain();
  t.strictSame(told(entering), [GOING_AWAY], 'behind its WELCOME');
  t.equal(rig.acceptor.hasExtended, true);
  for (const connection of [rich, entering]) rig.acceptor.onEnd(connection);
  t.equal(rig.acceptor.hasExtended, false, 'the classic one is not waited for');
  t.end();
});

t.test('so many are told in one turn, and the others in the next', (t) => {
  const rig = new AcceptorRig({ maxConnections: TOLD_PER_TURN + 1 });
  const connections = Array.from({ length: TOLD_PER_TURN + 1 }, () => rig.open());
  const last = connections.at(-1)!;
  rig.receive(last, hello(2));
  rig.answer(rig.takeRequests().pop()!, { result: LoginResult.OK });
  rig.drain();
  rig.transport.take(last);
  rig.acceptor.goAway(GOING_AWAY);
  t.equal(rig.acceptor.tellSome(), false);
  t.strictSame(rig.transport.take(last), []);
  t.equal(rig.acceptor.tellSome(), true);
  t.equal(rig.transport.take(last)[0].opcode, Opcode.GOING_AWAY);
  t.end();
});

t.test('other limits count from the next second on, for connections that are there too', (t) => {
  const rig = new AcceptorRig();
  const silent = rig.open();
  rig.passSeconds(3);
  t.strictSame(rig.transport.ended, []);
  rig.acceptor.setLimits({ ...DEFAULT_NET_LIMITS, loginTimeoutSeconds: 2 });
  rig.passSeconds(1);
  t.strictSame(rig.transport.ended, [silent]);
  t.end();
});
