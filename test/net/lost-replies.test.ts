// Replies whose record could not be written: what each kind of session is told of a shake, a grab and a balance.

import { pack } from 'msgpackr';
import t from 'tap';
import { RETRY_AFTER_MS } from '../../lib/net/limits.ts';
import { GrabStatus, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { ReplyKind, TransferResult } from '../../lib/protocol/slot-layout.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { frame, grab, hello, login, shake } from './raw-client.ts';

const PACKET = 0x10_0000;
const askWallet = (stamp: number) => frame(Opcode.WALLET, pack(null), stamp);

/** A session that has asked for all three, and the replies as the journal leaves them when it has failed. */
function ask(make: (userId: number) => Buffer) {
  const rig = new AcceptorRig();
  rig.stock.add(1, 1);
  const { connection } = rig.join(1, make(1));
  rig.receive(connection, shake(5), grab(PACKET, 6), askWallet(7));
  const [shaken, grabbed, wallet] = rig.takeRequests();
  rig.answer(shaken, { result: ShakeResult.OVERLOAD, packetId: 0x8000_0001 | 0 });
  rig.answer(grabbed, { result: GrabStatus.BUSY });
  rig.answer(wallet, { kind: ReplyKind.WALLET, result: TransferResult.LOST });
  rig.drain();
  return { rig, connection, frames: rig.transport.take(connection) };
}

t.test('a classic session: overload without a packet, nothing grabbed, and ERROR busy', (t) => {
  const { rig, connection, frames } = ask(login);
  t.strictSame(
    frames.map(({ opcode, stamp, fields, body }) => [opcode, stamp, body?.code ?? fields]),
    [
      [Opcode.SHAKE_RESULT, 5n, [1, ShakeResult.OVERLOAD, 0, 0]],
      [Opcode.GRAB_RESULT, 6n, [PACKET, 0]],
      [Opcode.ERROR, 7n, 'busy'],
    ],
  );
  t.equal(rig.links[0].inFlight, 0);
  rig.receive(connection, shake(8));
  t.equal(rig.takeRequests().length, 1, 'and it stays open');
  t.end();
});

t.test('an extended session: the same, and when to grab again', (t) => {
  const { rig, frames } = ask(hello);
  t.strictSame(
    frames.map(({ opcode, stamp }) => [opcode, stamp]),
    [
      [Opcode.SHAKE_RESULT, 5n],
      [Opcode.RICH_GRAB_RESULT, 6n],
      [Opcode.ERROR, 7n],
    ],
  );
  t.strictSame(frames[0].fields, [1, ShakeResult.OVERLOAD, 0, 0]);
  t.strictSame(frames[1].body, { packetId: PACKET, status: 'BUSY', amountCents: 0, retryAfterMs: RETRY_AFTER_MS });
  t.equal(frames[2].body.code, 'busy');
  t.strictSame(rig.closes(), {});
  t.end();
});
