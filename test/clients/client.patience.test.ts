// Tries that the client library does what SLOW_DOWN asks for.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { SlowDown } from '../../lib/protocol/extended.ts';
import { packFrame } from '../../lib/protocol/message-pack.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { within } from '../net/raw-client.ts';
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
  const startedAt = performance.now();
  t.strictSame(await ask(slowDown), slowDown);
  const times = await Promise.all([0, 1, 2].map(() => client.shake().then(() => performance.now() - startedAt)));
  // A timer may be a millisecond early.
  t.ok(times[0] >= 298 && times[1] >= 497 && times[2] >= 696, `after ${times.map(Math.round)} ms`);
  await ask({ retryAfterMs: 3_000_000, intervalMs: 3_000_000 });
  await within(client.grab(5), 'a grab, which waits for nothing');
  await ask({ retryAfterMs: 0 });
  await within(Promise.all([client.shake(), client.shake()]), 'shakes, when the client is told otherwise');
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
