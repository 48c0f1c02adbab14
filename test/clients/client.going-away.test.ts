// Tries what the client library does when its server says that it goes away: finish, leave, wait, come back, maybe elsewhere.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import { type ClientOptions, DEFAULT_CLIENT_OPTIONS } from '../../clients/client-options.ts';
import { ReconnectPlan } from '../../clients/reconnect-plan.ts';
import type { GoingAway } from '../../lib/protocol/extended.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { PATIENCE_MS, sleep, waitFor } from '../net/raw-client.ts';
import { answerTo, extended, FakeServer, logInOnly } from './fake-server.ts';

/** A fake server that answers logins only, and a client that is logged in. */
async function enter(t: Test, options: Partial<ClientOptions> = {}) {
  const server = await FakeServer.start(t, logInOnly);
  const client = await HongbaoClient.connect({
    port: server.port,
    timeoutMs: 2000,
    reconnectMinMs: 10,
    reconnectMaxMs: 20,
    ...options,
  });
  t.teardown(() => client.close());
  await client.hello(7);
  return { server, client };
}

const goingAway = (body: GoingAway | object) => extended(Opcode.GOING_AWAY, body, 1_700_000_000);

t.test('it waits for its answers, takes no new requests, and then closes by itself', async (t) => {
  const { server, client } = await enter(t, { reconnect: false });
  const told = once(client, 'going-away');
  const lost = once(client, 'disconnect');
  const waiting = client.shake();
  await waitFor('the request', () => server.of(Opcode.SHAKE).length === 1);
  server.sockets[0].write(goingAway({ reconnectAfterSeconds: 5 }));
  t.strictSame(await told, [{ reconnectAfterSeconds: 5 }]);
  await t.rejects(client.shake(), { code: 'not-connected' });
  await sleep(50);
  t.equal(server.openCount, 1, 'it stays for its answer');
  server.sockets[0].write(answerTo(server.of(Opcode.SHAKE)[0]));
  t.match(await waiting, { result: 'none' });
  t.match((await lost)[0], { code: 'closed' });
  t.equal(client.isConnected, false);
});

t.test('it comes back to the same server no sooner than asked, and not later than twice that', async (t) => {
  const { server, client } = await enter(t);
  const back = once(client, 'reconnect');
  const toldAt = performance.now();
  server.sockets[0].write(goingAway({ reconnectAfterSeconds: 1 }));
  await back;
  const tookMs = performance.now() - toldAt;
  t.ok(tookMs >= 1000 && tookMs < 2000 + PATIENCE_MS, `${tookMs} ms`);
  t.equal(server.of(Opcode.HELLO).length, 2);
  server.behave = (request, socket) => socket.write(answerTo(request));
  t.match(await client.shake(), { result: 'none' }, 'and it takes requests again');
});

t.test('it goes where it is sent, and back to the old place when that does not answer', async (t) => {
  const { server, client } = await enter(t);
  const other = await FakeServer.start(t, logInOnly);
  let back = once(client, 'reconnect');
  server.sockets[0].write(goingAway({ reconnectAfterSeconds: 0, target: `127.0.0.1:${other.port}` }));
  await back;
  t.strictSame([server.sockets.length, other.sockets.length], [1, 1]);
  back = once(client, 'reconnect');
  await other.stop();
  await back;
  t.equal(server.sockets.length, 2);
});

t.test('with followTarget off it comes back to the same server', async (t) => {
  const { server, client } = await enter(t, { followTarget: false });
  const other = await FakeServer.start(t, logInOnly);
  const back = once(client, 'reconnect');
  server.sockets[0].write(goingAway({ reconnectAfterSeconds: 0, target: `127.0.0.1:${other.port}` }));
  await back;
  t.strictSame([server.sockets.length, other.sockets.length], [2, 0]);
});

t.test('a GOING_AWAY that is none breaks the protocol', async (t) => {
  for (const body of [{}, { reconnectAfterSeconds: -1 }, { reconnectAfterSeconds: 1, target: 'nowhere' }]) {
    const { server, client } = await enter(t, { reconnect: false });
    const lost = once(client, 'disconnect');
    server.sockets[0].write(goingAway(body));
    t.match((await lost)[0], { code: 'protocol' });
  }
});

t.test('the waits of many clients are spread over the time that the server asks for', (t) => {
  const waits = Array.from({ length: 200 }, () =>
    new ReconnectPlan(DEFAULT_CLIENT_OPTIONS).plan({ reconnectAfterSeconds: 10 }),
  );
  t.ok(Math.min(...waits) >= 10_000 && Math.max(...waits) <= 20_000 + DEFAULT_CLIENT_OPTIONS.reconnectMinMs);
  t.ok(Math.max(...waits) - Math.min(...waits) > 5000, 'not all at once');
  t.end();
});
