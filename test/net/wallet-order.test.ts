// What a user is told is done before what he asks next: a WALLET right behind SENT shows what the packet has cost.

import t from 'tap';
import { call, join, serve } from './test-server.ts';

t.test('the wallet is never behind what the client has been told', async (t) => {
  const server = await serve(t, { durability: 'memory', packetSlots: 4096 });
  const clients = await Promise.all([1, 2, 3, 4].map((userId) => join(t, server, userId, 'hello')));
  const rounds = 500;
  for (const userId of [1, 2, 3, 4]) await call(server, 'POST', `/users/${userId}/topup`, { cents: rounds, key: 'a' });
  const late = await Promise.all(
    clients.map(async (client) => {
      let count = 0;
      for (let left = rounds - 1; left >= 0; left--) {
        const { status } = await client.send({ users: [9], totalCents: 1, shares: 1 });
        if (status !== 'SENT') t.fail(status);
        const { balanceCents, reservedCents } = await client.wallet();
        if (balanceCents !== left || reservedCents !== 0) count++;
      }
      return count;
    }),
  );
  t.strictSame(late, [0, 0, 0, 0], `of ${rounds} answers each, so many were late`);
});
