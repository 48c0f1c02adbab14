// The built-in service with an outbox that only keeps: what each request is answered, who is told, and what is refused.

import t from 'tap';
import { SqliteBookStore } from '../../lib/chat/book-store.ts';
import { BuiltInChat } from '../../lib/chat/built-in.ts';
import { RateError } from '../../lib/chat/chat-service.ts';
import {
  GROUP_MESSAGES_AT_ONCE,
  MAX_ASKS,
  MAX_FRIENDS,
  MAX_GROUP_NAME_CHARACTERS,
  MAX_GROUP_USERS,
  MAX_GROUPS_PER_USER,
  MAX_TEXT_CHARACTERS,
} from '../../lib/chat/limits.ts';
import { ChatPush, ChatRequest } from '../../lib/protocol/chat.ts';
import type { RichNotice } from '../../lib/protocol/extended.ts';
import { FakeOutbox } from './fake-outbox.ts';

class Rig {
  readonly outbox = new FakeOutbox();
  nowMs = 1_700_000_000_000;
  readonly chat: BuiltInChat;

  constructor(store = new SqliteBookStore(':memory:')) {
    this.chat = new BuiltInChat(this.outbox, store, () => this.nowMs);
  }

  // biome-ignore lint/suspicious/noExplicitAny: what is in an answer is what the tests look into
  ask(userId: number, opcode: ChatRequest, body: any = {}): any {
    return this.chat.handle({ userId, opcode, body, key: body?.key });
  }

  befriend(userId: number, ...others: number[]): this {
    for (const other of others) {
      this.ask(other, ChatRequest.FRIEND_ASK, { userId });
      this.ask(userId, ChatRequest.FRIEND_ACCEPT, { userId: other });
    }
    for (const user of [userId, ...others]) this.outbox.take(user);
    return this;
  }

  group(userId: number, ...users: number[]): number {
    const { groupId } = this.ask(userId, ChatRequest.GROUP_CREATE, { name: 'g', users });
    for (const user of users) this.outbox.take(user);
    return groupId;
  }
}

const status = (answer: { status: string }) => answer.status;
const packet = (packetId: number, senderId: number): RichNotice => ({
  packetId,
  totalCents: 500,
  shares: 2,
  senderId,
  expiresAt: 1_700_086_400,
  mode: 'lucky',
  commitment: new Uint8Array(32),
});

t.test('friends are made by an ask and a yes, are listed, and end', (t) => {
  const rig = new Rig();
  t.same(rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 2 }), { status: 'OK' });
  t.same(rig.outbox.take(2), [{ opcode: ChatPush.FRIEND, body: { event: 'asked', userId: 1 } }]);
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 2 })), 'OK', 'again');
  t.same(rig.outbox.take(2), [], 'told once');
  t.match(rig.ask(1, ChatRequest.FRIENDS), { friends: [], asked: [2], askedBy: [] });
  t.match(rig.ask(2, ChatRequest.FRIENDS), { friends: [], asked: [], askedBy: [1] });
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_ACCEPT, { userId: 2 })), 'NOT_FOUND', 'he was not asked');
  t.equal(status(rig.ask(2, ChatRequest.FRIEND_ACCEPT, { userId: 1 })), 'OK');
  t.same(rig.outbox.take(1), [{ opcode: ChatPush.FRIEND, body: { event: 'accepted', userId: 2 } }]);
  t.match(rig.ask(2, ChatRequest.FRIENDS), { friends: [{ userId: 1, online: false }], askedBy: [] });
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_REMOVE, { userId: 2 })), 'OK');
  t.same(rig.outbox.take(2), [{ opcode: ChatPush.FRIEND, body: { event: 'removed', userId: 1 } }]);
  t.match(rig.ask(2, ChatRequest.FRIENDS), { friends: [] });
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_REMOVE, { userId: 2 })), 'NOT_FOUND');
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 1 })), 'BAD_REQUEST', 'himself');
  t.end();
});

t.test('two who ask each other are friends; an ask is taken back or turned down without a word', (t) => {
  const rig = new Rig();
  rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 2 });
  rig.ask(2, ChatRequest.FRIEND_ASK, { userId: 1 });
  t.match(rig.ask(1, ChatRequest.FRIENDS), { friends: [{ userId: 2 }], asked: [], askedBy: [] });
  for (const [asker, other] of [
    [3, 3],
    [3, 4],
  ]) {
    rig.ask(3, ChatRequest.FRIEND_ASK, { userId: 4 });
    rig.outbox.take(4);
    t.equal(status(rig.ask(other, ChatRequest.FRIEND_REMOVE, { userId: other === 3 ? 4 : asker })), 'OK');
    t.match(rig.ask(4, ChatRequest.FRIENDS), { askedBy: [] });
    t.same([rig.outbox.take(3), rig.outbox.take(4)], [[], []]);
  }
  t.end();
});

t.test('a friend is written to, and nobody else', (t) => {
  const rig = new Rig().befriend(1, 2);
  const answer = rig.ask(1, ChatRequest.MESSAGE, { userId: 2, text: '你好' });
  t.match(answer, { status: 'OK', timeMs: rig.nowMs });
  t.same(rig.outbox.take(2), [
    { opcode: ChatPush.MESSAGE, body: { messageId: answer.messageId, timeMs: rig.nowMs, fromId: 1, text: '你好' } },
  ]);
  t.equal(status(rig.ask(1, ChatRequest.MESSAGE, { userId: 3, text: 'x' })), 'NOT_FRIENDS');
  t.equal(status(rig.ask(3, ChatRequest.MESSAGE, { userId: 1, text: 'x' })), 'NOT_FRIENDS');
  t.equal(rig.outbox.pushes.size, 0);
  t.ok(rig.ask(1, ChatRequest.MESSAGE, { userId: 2, text: 'y' }).messageId > answer.messageId, 'ids go up');
  rig.nowMs -= 5000;
  t.ok(
    rig.ask(1, ChatRequest.MESSAGE, { userId: 2, text: 'z' }).messageId > answer.messageId,
    'whatever the clock does',
  );
  t.end();
});

t.test('the same key gives the same answer and does nothing again; with another content it is refused', (t) => {
  const rig = new Rig().befriend(1, 2, 3);
  const body = { userId: 2, text: 'once', key: 'k' };
  const first = rig.ask(1, ChatRequest.MESSAGE, body);
  rig.nowMs += 1000;
  t.same(rig.ask(1, ChatRequest.MESSAGE, { key: 'k', text: 'once', userId: 2 }), first, 'fields in any order');
  t.equal(rig.outbox.take(2).length, 1);
  t.equal(status(rig.ask(1, ChatRequest.MESSAGE, { ...body, text: 'twice' })), 'KEY_REUSED');
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_REMOVE, { userId: 2, key: 'k' })), 'KEY_REUSED');
  t.equal(status(rig.ask(3, ChatRequest.MESSAGE, { userId: 1, text: 'once', key: 'k' })), 'OK', 'keys are of one user');
  const made = rig.ask(1, ChatRequest.GROUP_CREATE, { name: 'g', users: [2], key: 'g1' });
  t.same(rig.ask(1, ChatRequest.GROUP_CREATE, { name: 'g', users: [2], key: 'g1' }), made, 'one group');
  t.equal(rig.ask(1, ChatRequest.GROUPS).groups.length, 1);
  t.end();
});

t.test('a group is made of friends, grows by friends of members, is left, and ends with its last member', (t) => {
  const rig = new Rig().befriend(1, 2, 3).befriend(2, 4);
  t.equal(status(rig.ask(1, ChatRequest.GROUP_CREATE, { name: 'g', users: [2, 4] })), 'NOT_FRIENDS');
  const { groupId } = rig.ask(1, ChatRequest.GROUP_CREATE, { name: 'g', users: [2, 3] });
  const joined = { event: 'joined', groupId, name: 'g', users: [2, 3] };
  t.same(
    [rig.outbox.take(2), rig.outbox.take(3)],
    [[{ opcode: ChatPush.GROUP, body: joined }], [{ opcode: ChatPush.GROUP, body: joined }]],
  );
  t.equal(status(rig.ask(4, ChatRequest.GROUP_ADD, { groupId, users: [2] })), 'NOT_FOUND', 'no member');
  t.equal(status(rig.ask(2, ChatRequest.GROUP_ADD, { groupId, users: [3, 4] })), 'OK', '3 is in it already');
  t.match(rig.outbox.take(1), [{ body: { event: 'joined', users: [4] } }]);
  t.match(rig.outbox.take(4), [{ body: { event: 'joined', users: [4] } }]);
  t.same(rig.ask(4, ChatRequest.GROUPS, { groupId }).groups, [{ groupId, name: 'g', users: [1, 2, 3, 4] }]);
  t.same(rig.ask(4, ChatRequest.GROUPS).groups, [{ groupId, name: 'g' }]);
  t.equal(status(rig.ask(5, ChatRequest.GROUPS, { groupId })), 'NOT_FOUND');
  for (const user of [1, 2, 3, 4]) rig.outbox.take(user);
  const answer = rig.ask(3, ChatRequest.GROUP_MESSAGE, { groupId, text: 'hi' });
  for (const user of [1, 2, 4])
    t.match(rig.outbox.take(user), [{ body: { ...answer, status: undefined, groupId, fromId: 3 } }]);
  t.same(rig.outbox.take(3), [], 'not to himself');
  t.equal(status(rig.ask(5, ChatRequest.GROUP_MESSAGE, { groupId, text: 'hi' })), 'NOT_FOUND');
  for (const user of [1, 2, 3]) t.equal(status(rig.ask(user, ChatRequest.GROUP_LEAVE, { groupId })), 'OK');
  t.match(
    rig.outbox.take(4),
    [1, 2, 3].map((user) => ({ body: { event: 'left', users: [user] } })),
  );
  t.equal(status(rig.ask(3, ChatRequest.GROUP_MESSAGE, { groupId, text: 'hi' })), 'NOT_FOUND', 'he has left');
  rig.ask(4, ChatRequest.GROUP_LEAVE, { groupId });
  t.same(rig.ask(4, ChatRequest.GROUPS).groups, []);
  t.not(rig.group(1, 2), groupId, 'no group id is used twice');
  t.end();
});

t.test('a packet of his own that can be grabbed is announced in a group, and no other', async (t) => {
  const rig = new Rig().befriend(1, 2, 3);
  const groupId = rig.group(1, 2, 3);
  rig.outbox.packets.set(77, packet(77, 1));
  rig.outbox.packets.set(78, packet(78, 2));
  const answer = await rig.ask(1, ChatRequest.GROUP_PACKET, { groupId, packetId: 77 });
  const { status: _, ...head } = answer;
  for (const user of [2, 3]) {
    t.same(rig.outbox.take(user), [{ opcode: ChatPush.PACKET, body: { ...head, groupId, ...packet(77, 1) } }]);
  }
  t.equal(status(await rig.ask(1, ChatRequest.GROUP_PACKET, { groupId, packetId: 78 })), 'NOT_FOUND', "another's");
  t.equal(status(await rig.ask(1, ChatRequest.GROUP_PACKET, { groupId, packetId: 79 })), 'NOT_FOUND', 'no such packet');
  t.equal(status(await rig.ask(4, ChatRequest.GROUP_PACKET, { groupId, packetId: 77 })), 'NOT_FOUND', 'no member');
  const leaving = rig.ask(1, ChatRequest.GROUP_PACKET, { groupId, packetId: 77 });
  rig.ask(1, ChatRequest.GROUP_LEAVE, { groupId });
  for (const user of [2, 3]) rig.outbox.take(user);
  t.equal(status(await leaving), 'NOT_FOUND', 'he left before it was known');
  t.same(rig.outbox.take(2), []);
});

t.test('friends who are here are told who comes and goes', (t) => {
  const rig = new Rig().befriend(1, 2, 3);
  t.same([...rig.outbox.watched].sort(), [1, 2, 3]);
  rig.chat.onPresence(1, true);
  t.equal(rig.outbox.pushes.size, 0, 'nobody is here to be told');
  rig.chat.onPresence(2, true);
  t.same(rig.outbox.take(1), [{ opcode: ChatPush.PRESENCE, body: { users: [2], online: true } }]);
  t.same(rig.outbox.take(2), [{ opcode: ChatPush.PRESENCE, body: { users: [1], online: true } }], 'who is here');
  rig.chat.onPresence(2, true);
  t.same(rig.outbox.take(1), [], 'nothing has changed');
  t.match(rig.ask(3, ChatRequest.FRIENDS).friends, [{ userId: 1, online: true }]);
  rig.chat.onPresence(2, false);
  t.same(rig.outbox.take(1), [{ opcode: ChatPush.PRESENCE, body: { users: [2], online: false } }]);
  t.equal(rig.outbox.transient, 3, 'not kept for those who are away');
  t.end();
});

t.test('two who become friends while they are here see each other, whoever is known to be here first', (t) => {
  const rig = new Rig().befriend(1, 3).befriend(2, 4);
  rig.chat.onPresence(1, true);
  rig.chat.onPresence(2, true);
  rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 2 });
  for (const user of [1, 2]) rig.outbox.take(user);
  rig.ask(2, ChatRequest.FRIEND_ACCEPT, { userId: 1 });
  t.match(rig.outbox.take(1), [{ opcode: ChatPush.FRIEND }, { body: { users: [2], online: true } }]);
  t.match(rig.outbox.take(2), [{ body: { users: [1], online: true } }]);
  t.end();
});

t.test('every list is bounded, and takes what is just within its bound', (t) => {
  const rig = new Rig();
  for (let i = 0; i < MAX_ASKS; i++) t.equal(status(rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 1000 + i })), 'OK');
  t.equal(status(rig.ask(1, ChatRequest.FRIEND_ASK, { userId: 5000 })), 'FULL', 'asks sent');
  for (let i = 0; i < MAX_ASKS; i++) t.equal(status(rig.ask(2000 + i, ChatRequest.FRIEND_ASK, { userId: 2 })), 'OK');
  t.equal(status(rig.ask(6000, ChatRequest.FRIEND_ASK, { userId: 2 })), 'FULL', 'asks received');
  const friends = Array.from({ length: MAX_FRIENDS }, (_, i) => 10_000 + i);
  rig.befriend(3, ...friends);
  rig.ask(4, ChatRequest.FRIEND_ASK, { userId: 3 });
  t.equal(status(rig.ask(3, ChatRequest.FRIEND_ACCEPT, { userId: 4 })), 'FULL', 'friends');
  t.equal(rig.ask(3, ChatRequest.FRIENDS).friends.length, MAX_FRIENDS);
  const groupId = rig.group(3, ...friends.slice(0, MAX_GROUP_USERS - 2));
  t.equal(status(rig.ask(3, ChatRequest.GROUP_ADD, { groupId, users: friends.slice(200, 202) })), 'FULL', 'a group');
  t.equal(status(rig.ask(3, ChatRequest.GROUP_ADD, { groupId, users: friends.slice(200, 201) })), 'OK');
  for (let i = 1; i < MAX_GROUPS_PER_USER; i++) rig.group(3, friends[300]);
  t.equal(
    status(rig.ask(3, ChatRequest.GROUP_CREATE, { name: 'g', users: [friends[0]] })),
    'FULL',
    'groups of the maker',
  );
  rig.befriend(friends[0], 9);
  const other = rig.group(friends[0], 9);
  t.equal(status(rig.ask(friends[0], ChatRequest.GROUP_ADD, { groupId: other, users: [3] })), 'FULL', 'of a friend');
  t.end();
});

t.test('a user who tells a group too much is told when to go on', (t) => {
  const rig = new Rig().befriend(1, 2);
  const groupId = rig.group(1, 2);
  const tell = () =>
    rig.ask(1, ChatRequest.GROUP_MESSAGE, { groupId, text: 'x', key: `${rig.nowMs} ${Math.random()}` });
  for (let i = 0; i < GROUP_MESSAGES_AT_ONCE; i++) t.equal(status(tell()), 'OK');
  let waitMs = 0;
  try {
    tell();
  } catch (error) {
    if (error instanceof RateError) waitMs = error.retryAfterMs;
  }
  t.equal(waitMs, 200);
  rig.nowMs += waitMs;
  t.equal(status(tell()), 'OK');
  t.end();
});

t.test('a body with any field wrong is answered BAD_REQUEST with a sentence, and changes nothing', (t) => {
  const rig = new Rig().befriend(1, 2);
  const groupId = rig.group(1, 2);
  const good: Record<string, unknown> = { userId: 2, text: 'x', name: 'n', users: [2], groupId, packetId: 5, key: 'k' };
  const wrong: Record<string, unknown[]> = {
    userId: [undefined, null, '2', 2.5, -1, 2 ** 31, Number.NaN, [2], {}],
    text: [undefined, null, 5, '', 'a'.repeat(MAX_TEXT_CHARACTERS + 1), '\ud800', '界'.repeat(1001), ['x']],
    name: [undefined, null, 5, '', 'n'.repeat(MAX_GROUP_NAME_CHARACTERS + 1), 'x\udfff'],
    users: [
      undefined,
      null,
      2,
      [],
      [2, 2],
      [2.5],
      ['2'],
      [-1],
      Array.from({ length: MAX_GROUP_USERS }, (_, i) => i),
      {},
    ],
    groupId: [undefined, null, 0, -1, 1.5, '1', 2 ** 32],
    packetId: [undefined, null, 0, -1, 1.5, '1', 2 ** 32],
    key: [null, 5, '', 'k'.repeat(65), '\ud800', {}],
  };
  const fieldsOf: [ChatRequest, string[]][] = [
    [ChatRequest.MESSAGE, ['userId', 'text', 'key']],
    [ChatRequest.FRIEND_ASK, ['userId', 'key']],
    [ChatRequest.FRIEND_ACCEPT, ['userId', 'key']],
    [ChatRequest.FRIEND_REMOVE, ['userId', 'key']],
    [ChatRequest.GROUP_CREATE, ['name', 'users', 'key']],
    [ChatRequest.GROUP_ADD, ['groupId', 'users', 'key']],
    [ChatRequest.GROUP_LEAVE, ['groupId', 'key']],
    [ChatRequest.GROUP_MESSAGE, ['groupId', 'text', 'key']],
    [ChatRequest.GROUP_PACKET, ['groupId', 'packetId', 'key']],
  ];
  const before = JSON.stringify(
    [1, 2].map((user) => [rig.ask(user, ChatRequest.FRIENDS), rig.ask(user, ChatRequest.GROUPS)]),
  );
  for (const [opcode, fields] of fieldsOf) {
    for (const field of fields) {
      for (const value of wrong[field]) {
        const body = { ...good, [field]: value };
        if (value === undefined) delete body[field];
        // As the host does it: a key out of its bounds is none.
        const answer = rig.chat.handle({ userId: 1, opcode, body, key: undefined }) as {
          status: string;
          message: string;
        };
        t.equal(
          answer.status,
          'BAD_REQUEST',
          `${opcode.toString(16)}: ${field} = ${JSON.stringify(value)?.slice(0, 30)}`,
        );
        t.match(answer.message, field, answer.message);
      }
    }
    for (const body of [null, undefined, 5, 'text', [], new Uint8Array(3), true]) {
      t.equal(
        status(rig.chat.handle({ userId: 1, opcode, body, key: undefined }) as { status: string }),
        'BAD_REQUEST',
      );
    }
  }
  t.equal(status(rig.ask(1, ChatRequest.GROUPS, { groupId: 'x' })), 'BAD_REQUEST');
  t.equal(status(rig.ask(1, 0x0240 as ChatRequest)), 'BAD_REQUEST', 'no such request');
  t.equal(rig.outbox.pushes.size, 0);
  t.equal(
    JSON.stringify([1, 2].map((user) => [rig.ask(user, ChatRequest.FRIENDS), rig.ask(user, ChatRequest.GROUPS)])),
    before,
  );
  t.equal(
    status(rig.ask(1, ChatRequest.MESSAGE, { userId: 2, text: '界'.repeat(MAX_TEXT_CHARACTERS) })),
    'OK',
    'the longest',
  );
  t.equal(status(rig.ask(1, ChatRequest.MESSAGE, { userId: 2, text: '𠮷'.repeat(751) })), 'BAD_REQUEST', '3,004 bytes');
  t.end();
});
