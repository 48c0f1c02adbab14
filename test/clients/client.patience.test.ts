// Tries that the client library does what SLOW_DOWN asks for.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { SlowDown } from '../../lib/protocol/extended.ts';
import { packFrame } from '../../lib/protocol/message-pack.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { behaveWell, FakeServer } from './fake-server.ts';

async function join(t: Test, server: FakeServer) {
  const client = await HongbaoClient.connect({ port: server.port, reconnectMinMs: 10, reconnectMaxMs: 20 });
  t.teardown(() => client.close());
  await client.login(1);
  const ask = async (slowDown: unknown, connection = 0) => {
    const told = once(client, 'slow-down');
    server.sockets[connection].write(packFrame(Opcode.SLOW_DOWN, 0, 0, slowDown));
    return (await told)[0] as SlowDown;
  };
  return { client, ask };
}

t.test('it shakes no more for as long as it is asked to, and then not more often', async (t) => {
  const server = await FakeServer.start(t, behaveWell);
  const { client, ask } = await join(t, server);
  const slowDown = { retryAfterMs: 300, intervalMs: 200 };
  t.strictSame(await ask(slowDown), slowDown);
  const startedAt = performance.now();
  const times = await Promise.all([0, 1, 2].map(() => client.shake().then(() => performance.now() - startedAt)));
  // The client has counted since the frame came, which was a moment before.
  t.ok(times[0] >= 250 && times[1] >= 450 && times[2] >= 650, `after ${times.map(Math.round)} ms`);
  const grabbedAt = performance.now();
  await client.grab(5);
  t.ok(performance.now() - grabbedAt < 200, 'a grab waits for nothing');
  await ask({ retryAfterMs: 0 });
  const again = performance.now();
  await client.shake();
  await client.shake();
  t.ok(performance.now() - again < 200, 'until it is told otherwise');
});

t.test('what is no SLOW_DOWN breaks the protocol', async (t) => {
  for (const wrong of [{}, { retryAfterMs: 1, intervalMs: 'x' }, { retryAfterMs: -1 }, { retryAfterMs: 4e6 }]) {
    const server = await FakeServer.start(t, behaveWell);
    const { client } = await join(t, server);
    const lost = once(client, 'disconnect');
    server.sockets[0].write(packFrame(Opcode.SLOW_DOWN, 0, 0, wrong));
    t.match((await lost)[0], { code: 'protocol' });
    client.close();
  }
});
