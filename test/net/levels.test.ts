// A server at each level, over real sockets: what is shed, what never is, who is told, and that a stalled worker raises it.

import t from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { SlowDown } from '../../lib/protocol/extended.ts';
import { waitFor } from './raw-client.ts';
import { call, join, serve } from './test-server.ts';

t.test('each level sheds what it says, and grabs and money are never shed', async (t) => {
  const server = await serve(t);
  const user = await HongbaoClient.connect({ port: server.port });
  t.teardown(() => user.close());
  await user.hello(7);
  const told: SlowDown[] = [];
  user.on('slow-down', (slowDown) => told.push(slowDown));
  await call(server, 'POST', '/users/7/topup', { cents: 1000, key: 'a' });
  const set = async (level: number) =>
    t.match((await call(server, 'PUT', '/level', { level })).body, { level, forced: true });
  const money = async () => {
    const { status, packetId } = await user.send({ users: [7], totalCents: 10, shares: 1 });
    t.equal(status, 'SENT');
    await waitFor(
      'the packet',
      async () => ((await call(server, 'GET', `/packets/${packetId}`)).body.state ?? '') !== '',
    );
    t.match(await user.grab(packetId!), { amountCents: 10 });
    t.ok((await user.wallet()).balanceCents >= 990);
  };

  t.match(await user.shake(), { result: 'none' });
  t.ok((await user.records()).records !== undefined);

  await set(1);
  t.match(await user.records(), { error: { code: 'busy' } });
  t.match(await user.shake(), { result: 'none' });
  await money();
  t.match((await server.status()).shed, { shakes: 0, side: 1, slowDowns: 0 });

  const classic = await join(t, server, 8);
  await call(server, 'POST', '/drops', { count: 1000, rate: 1_000_000, budget: 1000 });
  await waitFor('the packets', async () => (await call(server, 'GET', '/drops/1')).body.released === 1000);
  await set(2);
  const results = { won: 0, none: 0, overload: 0 };
  for (let i = 0; i < 40; i++) results[(await classic.shake()).result]++;
  t.ok(results.won >= 15 && results.none >= 15 && results.overload === 0, JSON.stringify(results));
  t.equal((await server.status()).shed.shakes, 20, 'half of them, one after the other');
  await money();

  await set(3);
  for (let i = 0; i < 10; i++) t.match(await classic.shake(), { result: 'overload' });
  await money();
  t.equal(told.length, 0, 'who has not shaken is not asked to slow down');
  t.match(await user.shake(), { result: 'overload' });
  await waitFor('the asking', () => told.length === 1);
  t.ok(
    told[0].retryAfterMs >= 1000 && told[0].retryAfterMs <= 2000 && told[0].intervalMs! >= 1000,
    JSON.stringify(told[0]),
  );
  t.match((await server.status()).shed, { shakes: 31, slowDowns: 1 });

  t.match((await call(server, 'DELETE', '/level')).body, { forced: false });
  await waitFor('normal times', async () => (await call(server, 'GET', '/level')).body.level === 0);
  t.match(await classic.shake(), { result: 'won' });
  t.ok((await user.records()).records !== undefined);
  const status = await server.status();
  t.equal(status.money.difference, 0);
  t.ok(status.levelChanges >= 6);
});

t.test('what is no level is refused', async (t) => {
  const server = await serve(t);
  for (const body of [{ level: 4 }, { level: -1 }, { level: 1.5 }, { level: '1' }, {}, { level: 1, more: 1 }]) {
    t.equal((await call(server, 'PUT', '/level', body)).status, 400, JSON.stringify(body));
  }
  t.match((await call(server, 'GET', '/level')).body, { level: 0, shedShare: 0, forced: false });
});
