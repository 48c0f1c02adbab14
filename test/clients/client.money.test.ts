// Tries what the client library asks about the user's own money: sends with their keys, the balance, the records.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { HongbaoClient, type Notice } from '../../clients/client.ts';
import type { ClientOptions } from '../../clients/client-options.ts';
import type { SendRequest } from '../../clients/client-results.ts';
import type { RecordsResult } from '../../lib/protocol/extended.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { waitFor, within } from '../net/raw-client.ts';
import { answerTo, type Behaviour, behaveWell, extended, FakeServer, logInOnly, type Request } from './fake-server.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const packet = { users: [41, 42, 43], totalCents: 1000, shares: 3 };

/** A fake server and a client that is logged in, with an extended session. */
async function open(t: Test, behave: Behaviour = behaveWell, options: Partial<ClientOptions> = {}) {
  const server = await FakeServer.start(t, behave);
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false, timeoutMs: 3000, ...options });
  t.teardown(() => client.close());
  await client.hello(7);
  return { server, client };
}

/** Answers requests of one opcode with a body, and the others well. */
function answering(opcode: number, reply: number, body: unknown): Behaviour {
  return (request, socket) => {
    socket.write(request.opcode === opcode ? extended(reply, body, request.stamp) : answerTo(request));
  };
}

t.test('a send draws a key, fills in what is left out, and gives what became of it with the key', async (t) => {
  const { server, client } = await open(t);
  const result = await client.send(packet);
  t.match(result.key, UUID);
  t.strictSame(
    { ...result, commitment: [...result.commitment!] },
    {
      status: 'SENT',
      packetId: 2 ** 20,
      expiresAt: 1_700_086_400,
      commitment: Array(32).fill(7),
      key: result.key,
    },
  );
  t.strictSame(server.of(Opcode.SEND)[0].body, {
    ...packet,
    key: result.key,
    mode: 'lucky',
    expiresInSeconds: 86_400,
    note: '',
  });
  const next = await client.send(packet);
  t.match(next.key, UUID);
  t.not(next.key, result.key, 'another send has another key');
});

t.test('a send goes out as it was asked for, and nothing else of it', async (t) => {
  const { server, client } = await open(t);
  const asked = { ...packet, key: 'my own', mode: 'equal' as const, expiresInSeconds: 60, note: '恭喜发财 🧧' };
  t.match(await client.send({ ...asked, more: 'than there is' } as SendRequest), { status: 'SENT', key: 'my own' });
  t.strictSame(server.of(Opcode.SEND)[0].body, asked);
});

t.test('each outcome of a send is a result', async (t) => {
  const outcomes = [
    { status: 'REPEAT', packetId: 2 ** 20 + 1 },
    { status: 'INSUFFICIENT' },
    { status: 'BUSY', retryAfterMs: 200 },
    { status: 'BAD_REQUEST', message: 'shares must be at most 100' },
    { status: 'KEY_REUSED' },
  ];
  for (const outcome of outcomes) {
    const { client } = await open(t, answering(Opcode.SEND, Opcode.SENT, outcome));
    t.strictSame(await client.send({ ...packet, key: 'k' }), { ...outcome, key: 'k' });
  }
});

t.test('what the protocol does not allow is refused before it is sent', async (t) => {
  const { server, client } = await open(t);
  const refused: Record<string, Partial<SendRequest>> = {
    'nobody to send to': { users: [] },
    'the same user twice': { users: [1, 1] },
    'half a cent': { totalCents: 0.5 },
    'no shares': { shares: 0 },
    'an empty key': { key: '' },
    'a key that is too long': { key: 'k'.repeat(65) },
    'an unknown mode': { mode: 'fair' as 'lucky' },
    'no time to grab': { expiresInSeconds: 0 },
    'a note that is too long': { note: '福'.repeat(26) },
    'a note with half a character': { note: '\ud83e' },
  };
  for (const [name, part] of Object.entries(refused)) {
    await t.rejects(client.send({ ...packet, ...part }), { code: 'request' }, name);
  }
  for (const request of [{ limit: 0 }, { limit: 101 }, { before: 0 }, { packetId: 2 ** 32 }, { packetId: 1.5 }]) {
    await t.rejects(client.records(request), { code: 'request' }, JSON.stringify(request));
  }
  t.strictSame(
    server.requests.map(({ opcode }) => opcode),
    [Opcode.HELLO],
  );
  t.equal(client.isConnected, true);
});

t.test('a send without an answer fails with its key, and is repeated by the caller only', async (t) => {
  const { server, client } = await open(t, logInOnly, { reconnect: true, reconnectMinMs: 10, reconnectMaxMs: 20 });
  const asked = client.send({ ...packet, note: 'once' });
  await waitFor('the send', () => server.of(Opcode.SEND).length === 1);
  const back = once(client, 'reconnect');
  server.drop();
  const error = await within(
    asked.catch((reason) => reason),
    'the send to fail',
  );
  t.match(error, { name: 'ClientError', code: 'closed', key: UUID, cause: { code: 'closed' } });
  await within(back, 'the client to come back');
  server.behave = answering(Opcode.SEND, Opcode.SENT, { status: 'REPEAT', packetId: 2 ** 20 });
  await client.ping();
  t.equal(server.of(Opcode.SEND).length, 1, 'nothing is repeated by itself');
  t.match(await client.send({ ...packet, note: 'once', key: error.key }), { status: 'REPEAT', key: error.key });
  const [first, second] = server.of(Opcode.SEND);
  t.strictSame(second.body, first.body, 'the same content with the same key');
});

t.test('a send that is not answered in time fails with its key', async (t) => {
  const { client } = await open(t, logInOnly, { timeoutMs: 150 });
  await t.rejects(client.send({ ...packet, key: 'k' }), {
    code: 'timeout',
    message: 'no reply within 150 ms',
    key: 'k',
  });
  client.close();
  await t.rejects(client.send({ ...packet, key: 'k' }), { code: 'not-connected', key: 'k' });
  await t.rejects(client.wallet(), { code: 'not-connected', key: undefined });
  await t.rejects(client.records(), { code: 'not-connected' });
});

t.test('the balance is asked for with nil, and may be above 2^32', async (t) => {
  for (const balance of [
    { balanceCents: 0, reservedCents: 0 },
    { balanceCents: 900_000_000_000_000, reservedCents: 2 ** 32 },
  ]) {
    const { server, client } = await open(t, answering(Opcode.WALLET, Opcode.WALLET_RESULT, balance));
    t.strictSame(await client.wallet(), balance);
    t.equal(server.of(Opcode.WALLET)[0].body, null);
  }
});

t.test('a balance that the server is too busy for is an error, and the connection stays', async (t) => {
  const { server, client } = await open(t, (request, socket) => {
    if (request.opcode !== Opcode.WALLET) return behaveWell(request, socket);
    socket.write(extended(Opcode.ERROR, { code: 'busy', message: 'later' }, request.stamp));
  });
  await t.rejects(client.wallet(), { code: 'server', message: 'busy: later' });
  server.behave = behaveWell;
  t.strictSame(await client.wallet(), { balanceCents: 5000, reservedCents: 0 });
});

t.test('records are asked for as they are wanted, and given as they come', async (t) => {
  const packetId = 2 ** 20;
  const at = 1_700_000_000_123;
  const grabs = [{ userId: 41, amountCents: 600, share: 0, timeMs: at }];
  const results: RecordsResult[] = [
    { records: [{ sequence: 5, timeMs: at, kind: 'grab', cents: 188, packetId }] },
    {
      packet: {
        packetId,
        senderId: 7,
        totalCents: 1000,
        shares: 2,
        mode: 'line',
        createdAt: 1_700_000_000,
        expiresAt: 1_700_086_400,
        state: 'open',
        grabs,
      },
    },
    { error: { code: 'not-found', message: 'there is no such packet for you' } },
  ];
  for (const result of results) {
    const { server, client } = await open(t, answering(Opcode.RECORDS, Opcode.RECORDS_RESULT, result));
    t.strictSame(await client.records(), result);
    t.strictSame(await client.records({ limit: 100, before: 6 }), result);
    t.strictSame(await client.records({ packetId }), result);
    t.strictSame(
      server.of(Opcode.RECORDS).map(({ body }) => body),
      [{ limit: 20 }, { limit: 100, before: 6 }, { limit: 20, packetId }],
    );
  }
});

t.test('answers find their requests, in whatever order they come, in a classic session too', async (t) => {
  const server = await FakeServer.start(t);
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false, timeoutMs: 3000 });
  t.teardown(() => client.close());
  await client.login(7);
  const held: Request[] = [];
  server.behave = (request) => held.push(request);
  const asked = [client.records(), client.send({ ...packet, key: 'a' }), client.wallet(), client.shake()] as const;
  await waitFor('the requests', () => held.length === 4);
  server.sockets[0].write(Buffer.concat(held.reverse().map(answerTo)));
  const [records, sent, wallet, shake] = await within(Promise.all(asked), 'the answers');
  t.strictSame(records, { records: [] });
  t.match(sent, { status: 'SENT', key: 'a' });
  t.strictSame(wallet, { balanceCents: 5000, reservedCents: 0 });
  t.match(shake, { result: 'none' });
});

t.test('a notice tells the note of its sender, if there is one', async (t) => {
  const { server, client } = await open(t);
  const told = { packetId: 2 ** 20, totalCents: 1000, shares: 3, senderId: 7, expiresAt: 1_700_086_400, mode: 'lucky' };
  for (const notice of [told, { ...told, note: '恭喜发财' }]) {
    const noticed = once(client, 'notice') as Promise<[Notice]>;
    server.sockets[0].write(extended(Opcode.RICH_NOTICE, notice));
    t.strictSame(await within(noticed, 'the notice'), [notice]);
  }
});
