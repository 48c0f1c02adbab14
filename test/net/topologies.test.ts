// The same small campaign on every shape of server: any number of acceptors, workers and SETs comes to the same sums.

import t, { type Test } from 'tap';
import { HongbaoClient, type Notice } from '../../clients/client.ts';
import type { Server } from '../../lib/server.ts';
import type { ServerOptions } from '../../lib/server-options.ts';
import { waitFor } from './raw-client.ts';
import { call, serve } from './test-server.ts';

const USERS = 200;
const DROP = { count: 200, rate: 100_000, budget: 30_000, min: 50, max: 400 };
const SEND = { count: 100, rate: 10_000, shares: 3, total: [300, 900], users: [0, USERS - 1] };

type Shape = Pick<ServerOptions, 'acceptors' | 'workers' | 'sets' | 'losingShake' | 'waitStrategy'>;

const shapes: [number, number, number, Shape['losingShake'], Shape['waitStrategy']][] = [
  [1, 1, 1, 'acceptor', 'park'],
  [1, 1, 1, 'worker', 'spin-then-park'],
  [1, 1, 256, 'acceptor', 'spin'],
  [2, 1, 16, 'worker', 'park'],
  [1, 3, 7, 'acceptor', 'spin-then-park'],
  [1, 3, 7, 'worker', 'park'],
  [2, 2, 256, 'acceptor', 'park'],
  [2, 2, 256, 'worker', 'spin-then-park'],
];

for (const [acceptors, workers, sets, losingShake, waitStrategy] of shapes) {
  const name = `${acceptors} acceptors, ${workers} workers, ${sets} SETs; ${losingShake} answers losing shakes; ${waitStrategy}`;
  t.test(`every packet is won or grabbed once, and the sums are right: ${name}`, async (t) => {
    const server = await serve(t, { acceptors, workers, sets, losingShake, waitStrategy });
    const clients = await enter(server);
    t.teardown(() => {
      for (const client of clients) client.close();
    });
    await runDrop(t, server, clients);
    await runSend(t, server, clients);

    const { connections, sessions, users, shakes, grabs, notices, money } = await server.status();
    t.strictSame([connections.open, connections.closed, sessions, users], [USERS, {}, USERS, USERS]);
    t.match(shakes, { won: DROP.count, wonCents: DROP.budget, overload: 0 });
    t.match(grabs, { won: SEND.count * SEND.shares, repeat: 0, empty: 0, notFound: 0, notInvited: 0, busy: 0 });
    t.strictSame(notices, { sent: SEND.count * SEND.shares, dropped: 0 });
    t.equal(money.claimed, shakes.wonCents + grabs.wonCents);
    t.match(money, { funded: money.claimed, refunded: 0, outstanding: 0, difference: 0 });
  });
}

/** Logs everybody in, every other one with an extended session. */
function enter(server: Server): Promise<HongbaoClient[]> {
  return Promise.all(
    Array.from({ length: USERS }, async (_, userId) => {
      const client = await HongbaoClient.connect({ port: server.port, reconnect: false });
      await (userId % 2 === 0 ? client.login(userId) : client.hello(userId));
      return client;
    }),
  );
}

/** Everybody shakes until every packet of a drop is won. */
async function runDrop(t: Test, server: Server, clients: HongbaoClient[]): Promise<void> {
  const { body: drop } = await call(server, 'POST', '/drops', DROP);
  const wins: { packetId: number; amountCents: number }[] = [];
  await waitFor('all packets to be won', async () => {
    for (const shake of await Promise.all(clients.map((client) => client.shake()))) {
      if (shake.result === 'won') wins.push(shake);
    }
    return wins.length >= DROP.count;
  });
  t.equal(wins.length, DROP.count);
  t.equal(new Set(wins.map(({ packetId }) => packetId)).size, DROP.count, 'each packet once');
  t.equal(
    wins.reduce((sum, { amountCents }) => sum + amountCents, 0),
    DROP.budget,
  );
  t.ok(wins.every(({ amountCents }) => amountCents >= DROP.min && amountCents <= DROP.max));
  await waitFor('the drop to be closed', async () => {
    return (await call(server, 'GET', `/drops/${drop.id}`)).body.state === 'closed';
  });
  const { body } = await call(server, 'GET', `/drops/${drop.id}`);
  t.match(body, { released: DROP.count, claimed: DROP.count, claimedCents: DROP.budget, refundedCents: 0 });
}

/** Everybody grabs whatever he is told of. */
async function runSend(t: Test, server: Server, clients: HongbaoClient[]): Promise<void> {
  const grabbed = new Map<number, number[]>();
  const totals = new Map<number, number>();
  let grabs = 0;
  for (const client of clients) {
    client.on('notice', async ({ packetId, totalCents }: Notice) => {
      const { amountCents } = await client.grab(packetId);
      totals.set(packetId, totalCents);
      grabbed.set(packetId, [...(grabbed.get(packetId) ?? []), amountCents]);
      grabs++;
    });
  }
  const { body: send } = await call(server, 'POST', '/sends', SEND);
  await waitFor('everybody to have grabbed', () => grabs === SEND.count * SEND.shares);
  await waitFor('the send to be closed', async () => {
    return (await call(server, 'GET', `/sends/${send.id}`)).body.state === 'closed';
  });
  const { body } = await call(server, 'GET', `/sends/${send.id}`);
  t.match(body, { created: SEND.count, grabbedShares: SEND.count * SEND.shares, refundedCents: 0 });
  t.equal(body.claimedCents, body.totalCents);
  const sum = (amounts: Iterable<number>) => Array.from(amounts).reduce((total, amount) => total + amount, 0);
  t.equal(sum(totals.values()), body.totalCents);
  const wrong = [...totals].filter(([packetId, total]) => {
    const shares = grabbed.get(packetId)!;
    return shares.length !== SEND.shares || sum(shares) !== total || shares.some((amount) => amount < 1);
  });
  t.same(wrong, [], 'the shares of each packet add up to its total');
}
