// Chat over real sockets, on every shape of server: messages, friends, groups, packets in a group, and who is away.

import t, { type Test } from 'tap';
import type { HongbaoClient } from '../../clients/client.ts';
import { ClientError } from '../../clients/client-error.ts';
import type { ChatMessage, GroupPacket } from '../../lib/protocol/chat.ts';
import type { Server } from '../../lib/server.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { waitFor } from './raw-client.ts';
import { call, join as enter, serve } from './test-server.ts';

const shapes: [acceptors: number, workers: number, sets: number][] = [
  [1, 1, 1],
  [1, 3, 7],
  [2, 2, 256],
];

/** Users on different SETs, and on different workers where there are several. */
const [ANNE, BEN, CAI] = [100, 201, 302];

/** What a client is told, by event. */
function listen(client: HongbaoClient): { opcode: number; body: unknown }[] {
  const told: { opcode: number; body: unknown }[] = [];
  client.on('chat-push', (push) => told.push(push));
  return told;
}

async function befriend(a: HongbaoClient, aId: number, b: HongbaoClient, bId: number): Promise<void> {
  await a.chat.askFriend(bId);
  await b.chat.acceptFriend(aId);
}

function messagesOf(client: HongbaoClient): ChatMessage[] {
  const messages: ChatMessage[] = [];
  client.on('message', (message) => messages.push(message));
  return messages;
}

for (const [acceptors, workers, sets] of shapes) {
  t.test(`three users talk: ${acceptors} acceptors, ${workers} workers, ${sets} SETs`, async (t) => {
    const server = await serve(t, { acceptors, workers, sets });
    const [anne, ben, cai] = await Promise.all([ANNE, BEN, CAI].map((user) => enter(t, server, user, 'hello')));
    const toBen = listen(ben);
    const presence: unknown[] = [];
    anne.on('presence', (event) => presence.push(event));
    t.same(await anne.chat.askFriend(BEN), { status: 'OK' });
    await waitFor('Ben to be asked', () => toBen.length === 1);
    t.same(toBen[0].body, { event: 'asked', userId: ANNE });
    t.same(await ben.chat.acceptFriend(ANNE), { status: 'OK' });
    await waitFor('Anne to see Ben', () => presence.length > 0);
    t.same(presence[0], { users: [BEN], online: true });
    t.same((await anne.chat.friends()).friends, [{ userId: BEN, online: true }]);

    const messages = messagesOf(ben);
    const { messageId, timeMs } = await anne.chat.message(BEN, '恭喜发财');
    await waitFor('the message', () => messages.length === 1);
    t.same(messages[0], { messageId, timeMs, fromId: ANNE, text: '恭喜发财' });
    t.equal((await cai.chat.message(BEN, 'hello')).status, 'NOT_FRIENDS');

    await befriend(anne, ANNE, cai, CAI);
    const { groupId } = await anne.chat.createGroup('family', [BEN, CAI]);
    t.same((await cai.chat.groups(groupId)).groups, [{ groupId, name: 'family', users: [ANNE, BEN, CAI] }]);
    const toCai = messagesOf(cai);
    for (let n = 0; n < 5; n++) await ben.chat.messageGroup(groupId!, `line ${n}`);
    await waitFor('the lines', () => toCai.length === 5);
    t.same(
      toCai.map(({ text, groupId: id, fromId }) => [text, id, fromId]),
      Array.from({ length: 5 }, (_, n) => [`line ${n}`, groupId, BEN]),
    );
    await checkGroupPacket(t, server, anne, groupId!, [ben, cai]);

    anne.close();
    const { chat, money } = await server.status();
    t.match(chat, { busy: 0, unavailable: 0, limited: 0, dropped: 0, failures: 0, restarts: 0 });
    t.equal(chat.answers, chat.requests);
    t.equal(money.difference, 0);
  });
}

/** Anne sends a packet to her group and announces it; both others grab it, and who is not invited does not. */
async function checkGroupPacket(
  t: Test,
  server: Server,
  anne: HongbaoClient,
  groupId: number,
  others: HongbaoClient[],
) {
  await call(server, 'POST', `/users/${ANNE}/topup`, { cents: 1000, key: 'top' });
  const announced: GroupPacket[] = [];
  for (const client of others) client.on('group-packet', (packet) => announced.push(packet));
  const { groups } = await anne.chat.groups(groupId);
  const users = groups![0].users!.filter((user) => user !== ANNE);
  const sent = await anne.send({ users, totalCents: 600, shares: 2, note: '红包' });
  t.equal((await others[0].chat.announcePacket(groupId, sent.packetId!)).status, 'NOT_FOUND', 'not his packet');
  t.equal((await anne.chat.announcePacket(groupId, 12_345)).status, 'NOT_FOUND');
  t.equal((await anne.chat.announcePacket(groupId, sent.packetId!)).status, 'OK');
  await waitFor('both to hear of it', () => announced.length === 2);
  const { commitment, ...facts } = announced[0];
  t.match(facts, { groupId, packetId: sent.packetId, totalCents: 600, shares: 2, senderId: ANNE, note: '红包' });
  t.same(Buffer.from(commitment), Buffer.from(sent.commitment!));
  const grabs = await Promise.all(others.map((client) => client.grab(sent.packetId!)));
  t.same(
    grabs.map(({ status }) => status),
    ['WON', 'WON'],
  );
  t.equal(grabs[0].amountCents + grabs[1].amountCents, 600);
  t.equal((await anne.grab(sent.packetId!)).status, 'NOT_INVITED', 'an announcement invites nobody');
  t.equal((await anne.chat.announcePacket(groupId, sent.packetId!)).status, 'NOT_FOUND', 'it is over');
}

t.test('messages wait for who is away or has a classic session, and follow WELCOME in their order', async (t) => {
  const server = await serve(t, { workers: 2, acceptors: 2 });
  const anne = await enter(t, server, ANNE, 'hello');
  const first = await enter(t, server, BEN, 'hello');
  await befriend(anne, ANNE, first, BEN);
  first.close();
  await waitFor('Ben to be gone', async () => (await server.status()).sessions === 1);
  for (let n = 0; n < 3; n++) await anne.chat.message(BEN, `away ${n}`);
  const classic = await enter(t, server, BEN, 'login');
  await anne.chat.message(BEN, 'classic');
  t.equal((await classic.chat.message(ANNE, 'from a classic session')).status, 'OK', 'he can ask, and is answered');
  t.equal((await server.status()).chat.queued, 4);
  const messages: ChatMessage[] = [];
  const { HongbaoClient } = await import('../../clients/client.ts');
  const back = await HongbaoClient.connect({ port: server.port, reconnect: false });
  t.teardown(() => back.close());
  back.on('message', (message) => messages.push(message));
  await back.hello(BEN);
  await waitFor('all four', () => messages.length === 4);
  await anne.chat.message(BEN, 'here');
  await waitFor('the fifth', () => messages.length === 5);
  t.same(
    messages.map(({ text }) => text),
    ['away 0', 'away 1', 'away 2', 'classic', 'here'],
  );
  t.equal((await server.status()).chat.queued, 0);
});

t.test("one user's requests are served in the order in which they were sent, also right behind HELLO", async (t) => {
  const server = await serve(t, { workers: 2 });
  const anne = await enter(t, server, ANNE, 'hello');
  const ben = await enter(t, server, BEN, 'hello');
  await befriend(anne, ANNE, ben, BEN);
  const messages = messagesOf(ben);
  const answers = await Promise.all(Array.from({ length: 15 }, (_, n) => anne.chat.message(BEN, `${n}`)));
  await waitFor('all of them', () => messages.length === 15);
  t.same(
    messages.map(({ text }) => text),
    answers.map((_, n) => `${n}`),
  );
  t.same(
    messages.map(({ messageId }) => messageId),
    answers.map(({ messageId }) => messageId),
  );
});

t.test('the same key is answered as before, on another connection too, and told once', async (t) => {
  const server = await serve(t);
  const anne = await enter(t, server, ANNE, 'hello');
  const ben = await enter(t, server, BEN, 'hello');
  await befriend(anne, ANNE, ben, BEN);
  const messages = messagesOf(ben);
  const first = await anne.chat.message(BEN, 'once', 'key-1');
  const again = await (await enter(t, server, ANNE, 'hello')).chat.message(BEN, 'once', 'key-1');
  t.same(again, first);
  const third = await enter(t, server, ANNE, 'hello');
  t.equal((await third.chat.message(BEN, 'twice', 'key-1')).status, 'KEY_REUSED');
  await third.chat.message(BEN, 'end');
  await waitFor('the end', () => messages.some(({ text }) => text === 'end'));
  t.same(
    messages.map(({ text }) => text),
    ['once', 'end'],
  );
});

t.test('friends and groups are there after a restart of the server', async (t) => {
  const data = makeDataDirectory();
  const server = await serve(t, { data });
  const anne = await enter(t, server, ANNE, 'hello');
  const ben = await enter(t, server, BEN, 'hello');
  await befriend(anne, ANNE, ben, BEN);
  const { groupId } = await anne.chat.createGroup('g', [BEN]);
  await server.stop();
  const later = await serve(t, { data });
  const again = await enter(t, later, BEN, 'hello');
  t.same((await again.chat.friends()).friends, [{ userId: ANNE, online: false }]);
  t.same((await again.chat.groups(groupId)).groups, [{ groupId, name: 'g', users: [ANNE, BEN] }]);
});

t.test('a server without chat answers unavailable, and serves everything else', async (t) => {
  const server = await serve(t, { chat: 'none' });
  for (const kind of ['login', 'hello'] as const) {
    const client = await enter(t, server, ANNE, kind);
    const error = await client.chat.friends().catch((error: unknown) => error);
    t.ok(error instanceof ClientError);
    t.match(error, { code: 'server', serverCode: 'unavailable', retryAfterMs: 500 });
    t.equal((await client.shake()).result, 'none');
    client.close();
  }
  t.match((await server.status()).chat, { requests: 0, unavailable: 2 });
  t.match(
    await (await fetch(`http://127.0.0.1:${server.controlPort}/metrics`)).text(),
    /hongbao_chat_total\{event="unavailable"\} 2/,
  );
});

t.test('the client refuses what is no request for chat, or too long for one', async (t) => {
  const server = await serve(t, { chat: 'none' });
  const client = await enter(t, server, ANNE, 'hello');
  for (const opcode of [0x0120, 0x0201, 0x0280]) await t.rejects(client.chat.request(opcode, {}), { code: 'request' });
  await t.rejects(client.chat.request(0x0200, 'x'.repeat(4000)), { code: 'request' });
  await t.rejects(client.chat.request(0x0200, 'x'.repeat(3985)), { code: 'server' }, 'the longest');
});
