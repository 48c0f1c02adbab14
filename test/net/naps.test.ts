// Replies while the acceptor naps between arrivals: nobody rings for them, unless they had to wait for what did not arrive.

import t from 'tap';
import { GrabStatus, Opcode } from '../../lib/protocol/opcodes.ts';
import { AcceptorRig, type RigRequest } from './acceptor-rig.ts';
import { grab, login, shake } from './raw-client.ts';

const PACKET = 0x10_0000;
const SHORT_MS = 0.1;
const LONG_MS = 0.6;
/** More requests under way than this are rung for. */
const FEW_IN_FLIGHT = 16;
/** Naps in which whoever replies rings, behind the first that was too long. */
const RUNG_NAPS = 16;

/** An acceptor in its naps, and a session that grabs. */
function start() {
  const rig = new AcceptorRig({ tellsTurns: true });
  const { acceptor, transport } = rig;
  acceptor.onDoorbell();
  const { connection } = rig.join(1, login(1));
  /** A grab arrives; the request that its worker takes. */
  const ask = (): RigRequest => {
    rig.receive(connection, grab(PACKET, 7));
    acceptor.onTurn();
    transport.flush();
    return rig.takeRequests().at(-1)!;
  };
  /** A nap of so many milliseconds, in which a reply comes. Whether its worker has to ring. */
  const nap = (ms: number): boolean => {
    const request = ask();
    acceptor.onNap();
    rig.answer(request, { result: GrabStatus.WON, amountCents: 5 });
    const isWoken = rig.ring();
    acceptor.onNapOver(ms);
    transport.flush();
    if (isWoken) acceptor.onDoorbell();
    return isWoken;
  };
  const takeOpcodes = () => transport.take(connection).map(({ opcode }) => opcode);
  return { rig, acceptor, transport, connection, ask, nap, takeOpcodes };
}

t.test('before its first nap the acceptor is rung', (t) => {
  const { rig, acceptor, ask, takeOpcodes } = start();
  rig.answer(ask(), { result: GrabStatus.WON, amountCents: 5 });
  t.ok(rig.ring());
  acceptor.onDoorbell();
  t.strictSame(takeOpcodes(), [Opcode.GRAB_RESULT]);
  t.end();
});

t.test('a reply that comes in a nap is sent behind it, and nobody rings', (t) => {
  const { nap, takeOpcodes } = start();
  for (let naps = 0; naps < 100; naps++) {
    t.notOk(nap(SHORT_MS));
    t.strictSame(takeOpcodes(), [Opcode.GRAB_RESULT]);
  }
  t.end();
});

t.test('where a reply waited for arrivals that did not come, the next ones ring', (t) => {
  const { nap, takeOpcodes } = start();
  t.notOk(nap(LONG_MS), 'that this one is long is not known before');
  for (let naps = 0; naps < RUNG_NAPS; naps++) t.ok(nap(LONG_MS), `nap ${naps}`);
  t.notOk(nap(LONG_MS), 'then it is tried again');
  for (let naps = 0; naps < 2 * RUNG_NAPS; naps++) t.ok(nap(LONG_MS), `nap ${naps}, twice as many`);
  t.equal(takeOpcodes().length, 2 + 3 * RUNG_NAPS, 'and each reply was sent');
  t.end();
});

t.test('while many requests are under way, whoever replies rings', (t) => {
  const { rig, acceptor, ask } = start();
  const requests = Array.from({ length: FEW_IN_FLIGHT + 1 }, ask);
  for (const isWoken of [true, false]) {
    acceptor.onNap();
    rig.answer(requests.pop()!, { result: GrabStatus.WON, amountCents: 5 });
    t.equal(rig.ring(), isWoken, `${requests.length + 1} under way`);
    if (isWoken) acceptor.onDoorbell();
    acceptor.onNapOver(SHORT_MS);
  }
  t.end();
});

t.test('a long nap without a reply changes nothing', (t) => {
  const { acceptor, nap } = start();
  acceptor.onNap();
  acceptor.onNapOver(LONG_MS);
  t.notOk(nap(SHORT_MS));
  t.end();
});

t.test('before it sleeps in its loop, what has come is sent, and whoever comes later rings', (t) => {
  const { rig, acceptor, ask, takeOpcodes } = start();
  const first = ask();
  acceptor.onNap();
  acceptor.onNapOver(SHORT_MS);
  rig.answer(first, { result: GrabStatus.WON, amountCents: 5 });
  t.notOk(rig.ring(), 'it is awake');
  acceptor.onSleep();
  t.strictSame(takeOpcodes(), [Opcode.GRAB_RESULT]);
  rig.answer(ask(), { result: GrabStatus.WON, amountCents: 5 });
  t.ok(rig.ring());
  acceptor.onSleep();
  acceptor.onDoorbell();
  t.strictSame(takeOpcodes(), [Opcode.GRAB_RESULT]);
  t.end();
});

t.test('an answer that waits for the end of a nap is not written over by replies', (t) => {
  const { rig, acceptor, connection, nap, ask, takeOpcodes, transport } = start();
  const other = rig.join(2, login(2));
  nap(LONG_MS);
  takeOpcodes();
  const request = ask();
  // Answered here; it leaves with the call that naps, behind what is looked for before it.
  rig.receive(other.connection, shake(9));
  acceptor.onTurn();
  rig.answer(request, { result: GrabStatus.WON, amountCents: 5 });
  acceptor.onNap();
  transport.flush();
  const frames = (of: number) => transport.take(of).map(({ opcode, stamp }) => [opcode, stamp]);
  t.strictSame(frames(other.connection), [[Opcode.SHAKE_RESULT, 9n]]);
  t.strictSame(frames(connection), [[Opcode.GRAB_RESULT, 7n]]);
  t.end();
});
