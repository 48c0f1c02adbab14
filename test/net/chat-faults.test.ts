// Chat that is flooded, broken, stalled or crashed, over real sockets: it delays itself alone, is answered for, and comes back.

import { fileURLToPath } from 'node:url';
import { pack } from 'msgpackr';
import t, { type Test } from 'tap';
import type { HongbaoClient } from '../../clients/client.ts';
import { ClientError } from '../../clients/client-error.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import type { Server } from '../../lib/server.ts';
import { startServer } from '../../lib/server.ts';
import { frame, hello, RawClient, shake, waitFor } from './raw-client.ts';
import { checkClose, join, send, serve } from './test-server.ts';

const TROUBLED = fileURLToPath(new URL('../chat/troubled-service-worker.ts', import.meta.url));
const [ANNE, BEN] = [100, 201];

const wish = (body: unknown, stamp = 50) => frame(0x0200, pack(body), stamp);
const ask = (client: HongbaoClient, body: unknown) => client.chat.request(0x0200, body);

/** The code of the ERROR that a request earned, or `answered`. */
async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'answered';
  } catch (error) {
    if (error instanceof ClientError && error.serverCode !== undefined) return error.serverCode;
    throw error;
  }
}

/** Shakes, grabs and a wallet go on, whatever chat does. */
async function checkMoneyGoesOn(t: Test, server: Server, client: HongbaoClient): Promise<void> {
  const { packetIds } = await send(server, { users: [ANNE, ANNE], shares: 1, total: [100, 100] });
  t.equal((await client.shake()).result, 'none');
  t.match(await client.grab(packetIds[0]), { status: 'WON', amountCents: 100 });
  t.ok((await client.wallet()).balanceCents >= 100);
}

t.test(
  'a service that blocks delays chat alone: shakes and grabs go on, chat is told busy, and it comes back',
  async (t) => {
    const server = await serve(t, { chat: TROUBLED, acceptors: 2, workers: 2 });
    const anne = await join(t, server, ANNE, 'hello');
    const ben = await join(t, server, BEN, 'hello');
    t.match(
      await ask(anne, { do: 'echo', userId: 5 }),
      { userId: ANNE, opcode: 0x0200 },
      'who asks is known from the session',
    );
    const blocked = outcomeOf(ask(ben, { do: 'block', ms: 4500 }));
    const waiting = outcomeOf(ask(anne, { do: 'echo' }));
    await checkMoneyGoesOn(t, server, anne);
    t.equal(await blocked, 'unavailable', 'what it had is answered');
    t.ok(['answered', 'unavailable', 'busy'].includes(await waiting), 'whichever the service saw first');
    t.equal(await outcomeOf(ask(anne, { do: 'echo' })), 'busy', 'and what comes is told at once');
    await checkMoneyGoesOn(t, server, anne);
    await waitFor('it to come back', async () => (await outcomeOf(ask(anne, { do: 'echo' }))) === 'answered');
    const { chat, money } = await server.status();
    t.ok(chat.busy > 0 && chat.unavailable > 0);
    t.strictSame([chat.restarts, money.difference], [0, 0]);
  },
);

for (const way of ['crash', 'end'] as const) {
  t.test(
    `a service that ${way}s its thread is started again, with a line in the log, and the server goes on`,
    async (t) => {
      const errors: string[] = [];
      const server = await serve(t, { chat: TROUBLED }, (error) => errors.push(error.message));
      const anne = await join(t, server, ANNE, 'hello');
      t.equal(await outcomeOf(ask(anne, { do: way })), 'unavailable');
      t.equal(await outcomeOf(ask(anne, { do: 'echo' })), 'unavailable', 'while it is down');
      await checkMoneyGoesOn(t, server, anne);
      await waitFor('it to come back', async () => (await outcomeOf(ask(anne, { do: 'echo' }))) === 'answered');
      t.equal(errors.length, 1);
      t.match(
        errors[0],
        way === 'crash'
          ? /started again in 1000 ms.*a crash as it was told to/s
          : /started again in 1000 ms: it ended with 7/,
      );
      t.equal((await server.status()).chat.restarts, 1);
    },
  );
}

t.test('a request that throws fails alone, and one that is never answered is answered for', async (t) => {
  const errors: string[] = [];
  const server = await serve(t, { chat: TROUBLED }, (error) => errors.push(error.message));
  const anne = await join(t, server, ANNE, 'hello');
  const ben = await join(t, server, BEN, 'hello');
  const never = outcomeOf(ask(ben, { do: 'never' }));
  t.equal(await outcomeOf(ask(anne, { do: 'throw' })), 'unavailable');
  t.equal(await outcomeOf(ask(anne, { do: 'echo' })), 'answered');
  t.equal(await never, 'unavailable');
  await waitFor('the log', () => errors.length === 1);
  t.match(errors[0], /failed at a request: Error: as it was told to/);
  t.match((await server.status()).chat, { failures: 1, restarts: 0, unavailable: 2 });
});

t.test('a module that cannot be loaded, or is no service, is a bad option', async (t) => {
  for (const chat of ['./no-such-module.ts', fileURLToPath(new URL('./raw-client.ts', import.meta.url))]) {
    const options = { port: 0, controlPort: 0, data: t.testdir({}), packetSlots: 1024, chat };
    await t.rejects(startServer(options, { onError: () => {} }), {
      code: 'bad_option',
      message: /chat service .* cannot be used/,
    });
  }
});

t.test('a body that is no value, an over-long frame, and chat before a login close the connection', async (t) => {
  const server = await serve(t);
  const bad: [string, Buffer, 'body' | 'frame'][] = [
    ['no body', frame(0x0200, Buffer.alloc(0)), 'body'],
    ['a value cut short', frame(0x0200, Buffer.from([0xa5, 0x61])), 'body'],
    ['an extension', frame(0x0200, Buffer.from([0xd4, 1, 1])), 'body'],
    ['4,001 bytes', frame(0x0200, pack('x'.repeat(3986))), 'frame'],
    ['an answer', frame(0x0201, pack(null)), 'frame'],
    ['a push', frame(0x0280, pack(null)), 'frame'],
  ];
  for (const [name, bytes, reason] of bad) {
    await checkClose(t, server, reason, async () => {
      const client = await RawClient.open(server.port);
      client.send(hello(ANNE), bytes);
      t.match((await client.take(Opcode.ERROR)).body, { code: reason }, name);
      await client.end();
    });
  }
  await checkClose(t, server, 'not-logged-in', async () => {
    const client = await RawClient.open(server.port);
    client.send(wish({}));
    await client.end();
  });
  const client = await RawClient.open(server.port);
  const longest = frame(0x0200, pack({ text: 'x'.repeat(3977) }));
  t.equal(longest.length, 4000);
  client.send(hello(ANNE), longest, wish(null, 51));
  const answers = [await client.take(0x0201), await client.take(0x0201)];
  t.same(
    answers.map(({ body, stamp }) => [body.status, stamp]),
    [
      ['BAD_REQUEST', 0n],
      ['BAD_REQUEST', 51n],
    ],
    'the longest; nil',
  );
  client.leave();
});

t.test('a user who floods is limited alone: every request gets one answer, and others are served', async (t) => {
  const server = await serve(t);
  const flooder = await RawClient.open(server.port);
  const anne = await join(t, server, ANNE, 'hello');
  flooder.send(hello(BEN));
  await flooder.take(Opcode.WELCOME);
  const count = 2000;
  flooder.send(...Array.from({ length: count }, (_, i) => frame(0x0208, pack({}), 1000 + i)), shake());
  t.equal((await anne.chat.friends()).status, 'OK');
  const replies = () => flooder.frames.filter(({ opcode }) => opcode === 0x0209 || opcode === Opcode.ERROR);
  await waitFor('every answer', () => replies().length === count);
  t.equal(new Set(replies().map(({ stamp }) => stamp)).size, count, 'one each');
  await flooder.take(Opcode.SHAKE_RESULT);
  const errors = replies().filter(({ opcode }) => opcode === Opcode.ERROR);
  t.ok(errors.every(({ body }) => ['busy', 'rate'].includes(body.code) && body.retryAfterMs > 0));
  t.ok(errors.length >= count - 200, `${errors.length} refused`);
  const { chat } = await server.status();
  t.equal(chat.busy + chat.limited + chat.answers, count + 1);
  flooder.leave();
});

t.test(
  'who does not read what he is pushed is closed as a slow consumer, and what waits for him is bounded',
  async (t) => {
    const server = await serve(t, { chat: TROUBLED });
    const anne = await join(t, server, ANNE, 'hello');
    const deaf = await RawClient.open(server.port, { reads: false });
    deaf.send(hello(BEN));
    await waitFor('Ben', async () => (await server.status()).sessions === 2);
    const flood = { do: 'flood', to: BEN, count: 500, bytes: 8000 };
    await checkClose(t, server, 'slow-consumer', async () => {
      await waitFor('the close', async () => {
        await ask(anne, flood);
        return (await server.status()).connections.closed['slow-consumer'] === 1;
      });
    });
    await ask(anne, flood);
    await waitFor('the rest to be dropped', async () => (await server.status()).chat.dropped > 0);
    const { chat } = await server.status();
    t.ok(chat.queued <= 8, `${chat.queued} frames of 8,000 bytes wait`);
    await checkMoneyGoesOn(t, server, anne);
    deaf.leave();
  },
);
