// Tries the users' own money on one worker: top-ups, withdrawals, what is held, sends that are passed on, and their keys.

import t from 'tap';
import { KEYS_PER_USER } from '../../lib/ledger/limits.ts';
import { RecordType } from '../../lib/ledger/record-layout.ts';
import type { Send } from '../../lib/protocol/extended.ts';
import { GrabStatus, SendStatus, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { encodeSend, signatureOf } from '../../lib/protocol/send-words.ts';
import {
  highWord,
  lowWord,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_PACKET,
  REQUEST_RICH,
  RequestKind,
  TransferResult,
} from '../../lib/protocol/slot-layout.ts';
import { MAX_BALANCE_CENTS } from '../../lib/sets/limits.ts';
import { newPacket } from '../packets/packet-model.ts';
import { at, type Reply, Rig } from './rig.ts';

const send: Send = {
  users: [8, 9],
  totalCents: 500,
  shares: 2,
  key: 'a key',
  mode: 'lucky',
  expiresInSeconds: 60,
  note: '恭喜发财',
};

const topUp = (rig: Rig, user: number, cents: number, key: string) => {
  const [reply, ...others] = rig.command(RequestKind.TOPUP, user, cents, key);
  return others.length === 0 ? [reply.result, reply.balance] : others;
};

const withdraw = (rig: Rig, user: number, cents: number, key: string) => {
  const [reply, ...others] = rig.command(RequestKind.WITHDRAW, user, cents, key);
  return others.length === 0 ? [reply.result, reply.balance] : others;
};

/** Balance and held cents as the user is told. */
const walletOf = (rig: Rig, user: number): number[] => {
  rig.put(RequestKind.WALLET, user, at(0, user));
  const [{ balance, held }] = rig.exchange();
  return [balance, held];
};

/** User u on connection u of acceptor 0 sends; what everybody finds. */
const ask = (rig: Rig, user: number, changes: Partial<Send> = {}): Reply[] => {
  rig.put(RequestKind.SEND, user, at(0, user), {}, encodeSend({ ...send, ...changes }));
  return rig.exchange();
};

/** A worker with some users logged in: user u on connection u of acceptor 0. */
function openRig(...users: number[]): Rig {
  const rig = new Rig();
  for (const user of users) rig.login(user, at(0, user));
  return rig;
}

t.test('a top-up and a withdrawal are recorded, and main is told once they are durable', (t) => {
  const rig = openRig(7);
  const stamp = rig.putCommand(RequestKind.TOPUP, 7, 5_000_000_000, 'the first');
  rig.turn();
  t.strictSame(rig.takeAll(), [], 'not before');
  rig.journal.step();
  const [reply, ...others] = rig.takeAll();
  t.match(reply, { kind: 'TRANSFER', acceptor: rig.main, isDurable: true, user: 7, result: TransferResult.DONE });
  t.match(reply, { stamp: [-stamp, stamp], balance: 5_000_000_000, held: 0 });
  t.strictSame(others, []);
  t.strictSame(withdraw(rig, 7, 4_999_999_999, 'zweite é'), [TransferResult.DONE, 1]);
  const text = (key: string) => {
    const bytes = Buffer.alloc(4 * Math.ceil(Buffer.byteLength(key) / 4));
    bytes.write(key);
    return [Buffer.byteLength(key), ...new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)];
  };
  t.strictSame(
    rig.journal.records().map(({ type, payload }) => [type, ...payload]),
    [
      [RecordType.TOPUP, 7, 0, lowWord(5_000_000_000), highWord(5_000_000_000), ...text('the first')],
      [RecordType.WITHDRAW, 7, 0, lowWord(4_999_999_999), highWord(4_999_999_999), ...text('zweite é')],
    ],
  );
  t.strictSame([rig.sum('topUpCents'), rig.sum('withdrawnCents')], [5_000_000_000, 4_999_999_999]);
  t.strictSame(walletOf(rig, 7), [1, 0]);
  t.end();
});

t.test('each key moves cents once: the same again is a repeat, anything else is refused', (t) => {
  const rig = new Rig();
  t.strictSame(topUp(rig, 7, 300, 'k'), [TransferResult.DONE, 300], 'the user need not have been here');
  t.strictSame(topUp(rig, 7, 300, 'k'), [TransferResult.REPEAT, 300]);
  t.strictSame(topUp(rig, 7, 301, 'k'), [TransferResult.KEY_REUSED, 300]);
  t.strictSame(withdraw(rig, 7, 300, 'k'), [TransferResult.KEY_REUSED, 300]);
  t.strictSame(topUp(rig, 8, 50, 'k'), [TransferResult.DONE, 50], 'another user has keys of his own');
  t.strictSame(withdraw(rig, 7, 100, 'w'), [TransferResult.DONE, 200]);
  t.strictSame(withdraw(rig, 7, 100, 'w'), [TransferResult.REPEAT, 200]);
  t.equal(rig.journal.records().length, 3);
  rig.login(7, at(0, 7));
  t.match(ask(rig, 7, { key: 'k' }), [{ kind: 'SENT', result: SendStatus.KEY_REUSED }], 'sends share the keys');
  t.end();
});

t.test(`a key is remembered for ${KEYS_PER_USER} keys, and the one after that forgets the oldest`, (t) => {
  const rig = new Rig();
  for (let i = 0; i < KEYS_PER_USER; i++) topUp(rig, 7, 1, `key ${i}`);
  t.strictSame(topUp(rig, 7, 1, 'key 0'), [TransferResult.REPEAT, KEYS_PER_USER]);
  topUp(rig, 7, 1, 'one more');
  t.strictSame(topUp(rig, 7, 1, 'key 1'), [TransferResult.REPEAT, KEYS_PER_USER + 1]);
  t.strictSame(topUp(rig, 7, 1, 'key 0'), [TransferResult.DONE, KEYS_PER_USER + 2], 'it is a new one by now');
  t.end();
});

t.test('a withdrawal takes no more than is there and not held; one that is refused keeps its key', (t) => {
  const rig = new Rig();
  t.strictSame(withdraw(rig, 7, 1, 'w'), [TransferResult.INSUFFICIENT, 0]);
  topUp(rig, 7, 1000, 'k');
  t.match(rig.command(RequestKind.RESERVE, 7, 400), [{ kind: 'RESERVED', result: TransferResult.DONE }]);
  t.strictSame(withdraw(rig, 7, 601, 'w'), [TransferResult.INSUFFICIENT, 1000]);
  t.strictSame(withdraw(rig, 7, 600, 'w'), [TransferResult.DONE, 400]);
  t.match(rig.command(RequestKind.RESERVE, 7, 1), [{ kind: 'RESERVED', result: TransferResult.INSUFFICIENT }]);
  t.end();
});

t.test('a balance ends at its bound, and users at theirs', (t) => {
  const rig = new Rig({ maxUsers: 1 });
  t.strictSame(topUp(rig, 7, MAX_BALANCE_CENTS, 'k'), [TransferResult.DONE, MAX_BALANCE_CENTS]);
  t.strictSame(topUp(rig, 7, 1, 'one more'), [TransferResult.FULL, MAX_BALANCE_CENTS]);
  t.strictSame(topUp(rig, 8, 1, 'k'), [TransferResult.FULL, 0]);
  t.strictSame(withdraw(rig, 7, MAX_BALANCE_CENTS, 'w'), [TransferResult.DONE, 0]);
  t.strictSame(topUp(rig, 7, 1, 'one more'), [TransferResult.DONE, 1], 'what was refused has used no key');
  t.equal(rig.journal.records().length, 3);
  t.end();
});

t.test('what is held for a send is spent by a commit, freed by a cancel; a refund joins the balance', (t) => {
  const rig = openRig(7);
  topUp(rig, 7, 1000, 'k');
  const stamp = rig.putCommand(RequestKind.RESERVE, 7, 600);
  const [reserved] = rig.exchange();
  t.match(reserved, { kind: 'RESERVED', acceptor: rig.main, result: TransferResult.DONE, stamp: [-stamp, stamp] });
  t.strictSame(walletOf(rig, 7), [1000, 600]);
  t.match(rig.command(RequestKind.RESERVE, 7, 401), [{ result: TransferResult.INSUFFICIENT }]);
  t.match(rig.command(RequestKind.RESERVE, 7, 400), [{ result: TransferResult.DONE }], 'just what is left');
  t.strictSame(rig.command(RequestKind.COMMIT, 7, 600), []);
  t.strictSame(walletOf(rig, 7), [400, 400]);
  t.strictSame(rig.command(RequestKind.CANCEL, 7, 400), []);
  t.strictSame(walletOf(rig, 7), [400, 0]);
  t.strictSame(rig.command(RequestKind.CREDIT, 7, 250), []);
  t.strictSame(walletOf(rig, 7), [650, 0]);
  t.match(
    rig.command(RequestKind.RESERVE, 1234, 1),
    [{ result: TransferResult.INSUFFICIENT }],
    'nor has a stranger any',
  );
  t.equal(rig.journal.records().length, 1, 'main records all of that');
  t.end();
});

t.test('what is won and grabbed can be held and withdrawn', (t) => {
  const rig = openRig(5);
  rig.openDrop(0, [700]);
  rig.drops.release(0, 1, 1);
  t.match(rig.shake(5, at(0, 5)), [{ isDurable: true, result: ShakeResult.WON }]);
  const packet = newPacket({ shares: 1, totalCents: 300 });
  const id = rig.createPacket(packet);
  t.match(rig.grab(5, at(0, 5), id), [{ isDurable: true, result: GrabStatus.WON }]);
  t.match(rig.grab(5, at(0, 5), id), [{ isDurable: true, result: GrabStatus.REPEAT, amount: 300 }]);
  t.strictSame(walletOf(rig, 5), [1000, 0]);
  t.strictSame(withdraw(rig, 5, 1000, 'w'), [TransferResult.DONE, 0]);
  t.end();
});

t.test('a balance is told only once everything that it holds is durable', (t) => {
  const rig = openRig(7);
  rig.putCommand(RequestKind.TOPUP, 7, 100, 'k');
  rig.turn();
  const stamp = rig.put(RequestKind.WALLET, 7, at(0, 7));
  rig.turn();
  t.strictSame(rig.takeAll(), []);
  rig.journal.step();
  t.match(rig.takeReplies(0), [
    { kind: 'WALLET', isDurable: true, ...at(0, 7), stamp: [-stamp, stamp], result: TransferResult.DONE, balance: 100 },
  ]);
  t.end();
});

t.test('a send goes on to main as it came, with whom to answer, and nothing is answered before', (t) => {
  const rig = openRig(7);
  const words = encodeSend(send);
  const stamp = rig.put(RequestKind.SEND, 7, at(1, 7), {}, words);
  t.match(rig.exchange(), [{ kind: 'NOT_LOGGED_IN' }], 'not from where the user is not');
  const right = rig.put(RequestKind.SEND, 7, at(0, 7), {}, words);
  t.equal(right, stamp + 1);
  const [passed, ...others] = rig.exchange();
  t.match(passed, { kind: 'PASS_SEND', acceptor: rig.main, connection: 7, generation: 1, user: 7, result: 0 });
  t.strictSame([passed.stamp, passed.received], [[-right, right], 7 * right]);
  t.strictSame(passed.body, [...words]);
  t.strictSame(others, []);
  t.end();
});

t.test(
  'a key that is under way is BUSY, one that was carried out a repeat, and one that came to nothing is free',
  (t) => {
    const rig = openRig(7, 8);
    const kinds = (replies: readonly Reply[]) => replies.map(({ kind, result, packet }) => [kind, result, packet]);
    const passed = (replies: readonly Reply[]) => replies.map(({ kind, acceptor }) => [kind, acceptor]);
    const toMain = [['PASS_SEND', rig.main]];
    t.strictSame(passed(ask(rig, 7)), toMain);
    t.strictSame(kinds(ask(rig, 7)), [['SENT', SendStatus.BUSY, 0]]);
    t.strictSame(kinds(ask(rig, 7, { totalCents: 501 })), [['SENT', SendStatus.KEY_REUSED, 0]]);
    t.strictSame(passed(ask(rig, 8)), toMain, 'another user has keys of his own');
    rig.command(RequestKind.SENT, 7, 0, send.key, 0);
    t.strictSame(passed(ask(rig, 7, { totalCents: 501 })), toMain, 'nothing was sent, so the key is free');
    rig.command(RequestKind.SENT, 7, 0, send.key, 1_048_580);
    t.strictSame(kinds(ask(rig, 7, { totalCents: 501 })), [['SENT', SendStatus.REPEAT, 1_048_580]]);
    for (const changes of [{}, { note: '' }, { users: [9, 8] }, { shares: 3 }, { mode: 'line' as const }]) {
      t.strictSame(kinds(ask(rig, 7, { totalCents: 501, ...changes, expiresInSeconds: 61 })), [
        ['SENT', SendStatus.KEY_REUSED, 0],
      ]);
    }
    t.strictSame(topUp(rig, 7, 501, send.key), [TransferResult.KEY_REUSED, 0]);
    t.end();
  },
);

t.test('without room on the way to main a send is BUSY and its key free, and records are BUSY', (t) => {
  const rig = new Rig({ maxInFlight: 16 });
  rig.login(7, at(0, 7));
  const users = Array.from({ length: 60 }, (_, i) => i);
  const asked = { [REQUEST_RICH]: 20, [REQUEST_CENTS_LOW]: 0, [REQUEST_CENTS_HIGH]: 0 };
  // Each is one slot and three for its body; the worker keeps 16 of the 32 for what must not wait.
  for (let i = 0; i < 5; i++) {
    rig.put(RequestKind.SEND, 7, at(0, 7), {}, encodeSend({ ...send, users, key: `key ${i}` }));
  }
  rig.turn();
  t.match(rig.takeReplies(0), [{ kind: 'SENT', result: SendStatus.BUSY }], 'the fifth is too much');
  rig.put(RequestKind.RECORDS, 7, at(0, 7), asked);
  rig.turn();
  t.match(rig.takeReplies(0), [{ kind: 'RECORDS', body: [] }]);
  t.strictSame(
    rig.takeReplies(rig.main).map(({ kind }) => kind),
    Array(4).fill('PASS_SEND'),
  );
  t.match(ask(rig, 7, { users, key: 'key 4' }), [{ kind: 'PASS_SEND' }], 'the same key again goes through');
  rig.put(RequestKind.RECORDS, 7, at(0, 7), asked);
  t.match(rig.exchange(), [{ kind: 'PASS_RECORDS' }]);
  t.end();
});

t.test('a request for records goes on to main with what it asks for', (t) => {
  const rig = openRig(7);
  const before = 2 ** 40 + 3;
  const more = {
    [REQUEST_PACKET]: 0x8000_0001 | 0,
    [REQUEST_RICH]: 33,
    [REQUEST_CENTS_LOW]: lowWord(before),
    [REQUEST_CENTS_HIGH]: highWord(before),
  };
  const stamp = rig.put(RequestKind.RECORDS, 7, at(0, 7), more);
  const replies = rig.exchange();
  t.equal(replies.length, 1);
  t.match(replies[0], {
    kind: 'PASS_RECORDS',
    acceptor: rig.main,
    connection: 7,
    user: 7,
    result: 0,
    packet: 0x8000_0001,
    count: 33,
    balance: before,
    stamp: [-stamp, stamp],
  });
  t.end();
});

t.test('who has no session is told nothing of money', (t) => {
  const rig = openRig(7);
  topUp(rig, 8, 100, 'k');
  for (const kind of [RequestKind.SEND, RequestKind.WALLET, RequestKind.RECORDS]) {
    const body = kind === RequestKind.SEND ? encodeSend(send) : new Int32Array(0);
    for (const [user, place] of [
      [8, at(0, 8)],
      [7, at(0, 8)],
      [99, at(0, 7)],
    ] as const) {
      rig.put(kind, user, place, {}, body);
      t.match(rig.exchange(), [{ kind: 'NOT_LOGGED_IN', ...place, user }]);
    }
  }
  t.end();
});

t.test('what an earlier run left is there: balances, keys, notices, wins', (t) => {
  const rig = new Rig();
  const [packet, over] = [rig.createPacket({ invited: [7, 8] }), rig.createPacket()];
  rig.packets.close(over);
  const dropId = rig.openDrop(5, [10, 20, 30], 2);
  rig.drops.release(5, 3, 3);
  rig.worker.restore({
    userIds: Int32Array.of(7, 8),
    balances: Float64Array.of(5_000_000_000, 20),
    notices: Int32Array.of(7, packet, 7, over, 9, packet),
    wins: [{ slot: 5, dropId, userId: 7, count: 1 }],
    keys: [
      { userId: 7, key: send.key, use: { kind: 'send', signature: signatureOf(send), packetId: 77 } },
      { userId: 7, key: 'w', use: { kind: 'withdraw', signature: 40, packetId: 0 } },
    ],
  });
  const told = rig.login(7, at(0, 7));
  t.match(told, [
    { kind: 'LOGIN', count: 1 },
    { kind: 'NOTICE', packet },
  ]);
  t.match(rig.login(9, at(0, 9)), [{ kind: 'LOGIN', count: 1 }, { kind: 'NOTICE' }]);
  t.strictSame(walletOf(rig, 7), [5_000_000_000, 0]);
  t.match(ask(rig, 7), [{ kind: 'SENT', result: SendStatus.REPEAT, packet: 77 }]);
  t.match(ask(rig, 7, { totalCents: 1 }), [{ kind: 'SENT', result: SendStatus.KEY_REUSED }]);
  t.strictSame(withdraw(rig, 7, 40, 'w'), [TransferResult.REPEAT, 5_000_000_000]);
  t.match(rig.shake(7, at(0, 7)), [{ result: ShakeResult.WON, amount: 10 }]);
  t.match(rig.shake(7, at(0, 7)), [{ result: ShakeResult.NONE }], 'once before and once now is twice');
  t.strictSame(topUp(rig, 8, 1, 'k'), [TransferResult.DONE, 21]);
  t.end();
});
