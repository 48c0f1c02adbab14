// How a server goes away: who is told what, what is still answered, and what the control API says meanwhile.

import t from 'tap';
import { HongbaoClient } from '../clients/client.ts';
import { Opcode } from '../lib/protocol/opcodes.ts';
import { startServer } from '../lib/server.ts';
import { hello, login, ping, RawClient, shake, sleep, waitFor, within } from './net/raw-client.ts';
import { call, join, send, serve } from './net/test-server.ts';

t.test('an extended client is told, gets what it asked for, leaves, and goes where it was sent', async (t) => {
  const second = await serve(t);
  const first = await startServer(
    {
      port: 0,
      controlPort: 0,
      data: t.testdir({ first: {} }),
      packetSlots: 1024,
      reconnectSeconds: 1,
      drainTo: `127.0.0.1:${second.port}`,
    },
    { onError: (error) => t.fail(error.message) },
  );
  t.teardown(() => first.stop());
  const { packetIds } = await send(first, { users: [7, 8], shares: 2, total: 200 });
  const client = await HongbaoClient.connect({ port: first.port, reconnectMinMs: 10, reconnectMaxMs: 20 });
  t.teardown(() => client.close());
  const events: string[] = [];
  client.on('going-away', (said) => events.push(JSON.stringify(said)));
  client.on('server-error', ({ code }) => events.push(code));
  client.on('disconnect', ({ code }) => events.push(code));
  const back = new Promise<void>((resolve) => client.once('reconnect', resolve));
  await client.hello(7);
  const classic = await join(t, first, 8);

  const asked = [client.grab(packetIds[0]), client.shake(), classic.grab(packetIds[0]), classic.shake()];
  const sent = client.send({ users: [9], totalCents: 1, shares: 1 });
  const stoppedAt = performance.now();
  const stopped = first.stop();
  const [ours, , theirs] = (await within(Promise.all(asked), 'what was in flight')) as { amountCents: number }[];
  t.equal(ours.amountCents + theirs.amountCents, 200, 'both grabs are paid');
  t.match((await within(sent, 'the send'))?.status, /SENT|INSUFFICIENT/);
  await within(stopped, 'the stop');
  t.strictSame(events, [`{"reconnectAfterSeconds":1,"target":"127.0.0.1:${second.port}"}`, 'closed']);
  await within(back, 'the client to come back');
  t.ok(performance.now() - stoppedAt >= 1000, 'no sooner than it was asked to');
  t.equal((await second.status()).sessions, 1);
  t.equal((await client.shake()).result, 'none');
});

t.test('while sessions leave, they are served, the control API says so, and nothing is begun', async (t) => {
  const server = await serve(t);
  const rich = await RawClient.open(server.port);
  const classic = await RawClient.open(server.port);
  rich.send(hello(1));
  classic.send(login(2));
  await Promise.all([rich.take(Opcode.WELCOME), classic.take(Opcode.LOGIN_RESULT)]);
  const stopped = server.stop();
  await rich.take(Opcode.GOING_AWAY);
  rich.send(shake(77), ping());
  t.equal((await rich.take(Opcode.SHAKE_RESULT)).stamp, 77n);
  const health = await call(server, 'GET', '/healthz');
  t.strictSame([health.status, health.body.code], [503, 'stopping']);
  t.equal((await call(server, 'GET', '/status')).status, 200);
  const drop = await call(server, 'POST', '/drops', { count: 1, rate: 1, budget: 100 });
  t.strictSame([drop.status, drop.body.code], [503, 'stopping']);
  await waitFor('the port to be closed', () =>
    RawClient.open(server.port).then(
      (client) => {
        client.leave();
        return false;
      },
      () => true,
    ),
  );
  rich.leave();
  await within(stopped, 'the stop');
  t.strictSame(
    classic.frames.map(({ opcode }) => opcode),
    [Opcode.LOGIN_RESULT],
    'a classic session is just closed',
  );
});

t.test('who neither leaves nor reads nor lets go does not hold up a stop beyond its bound', async (t) => {
  // On a busy machine a thread may come too late, and is ended: the bound holds then, too.
  const late = (error: Error) => t.match(error.message, /did not stop in time/);
  const server = await serve(t, { drainSeconds: 3, netLimits: { closeTimeoutSeconds: 3600 } }, late);
  const lingering = await RawClient.open(server.port, { reads: false, lingers: true });
  lingering.send(hello(1));
  await waitFor('the session', async () => (await server.status()).sessions === 1);
  const startedAt = performance.now();
  await server.stop();
  const tookMs = performance.now() - startedAt;
  t.ok(tookMs < 15_000, `it took ${tookMs} ms`);
  lingering.leave();
});

t.test('time limits that are changed count for connections that are there', async (t) => {
  const server = await serve(t);
  const silent = await RawClient.open(server.port);
  await sleep(100);
  server.change({ netLimits: { loginTimeoutSeconds: 1 }, keepSegments: 3 });
  await silent.end();
  await waitFor('the close', async () => (await server.status()).connections.closed['login-timeout'] === 1);
  t.equal(server.options.keepSegments, 3);
});
