// The limit on connections: the last one that fits, the first one that does not, and room that becomes free again.

import t from 'tap';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { login, RawClient, shake, within } from './raw-client.ts';
import { checkClose, closes, serve, waitForOpen } from './test-server.ts';

const LIMIT = 16;

for (const acceptors of [1, 2]) {
  t.test(`over ${acceptors} acceptors together no more connections are taken than allowed`, async (t) => {
    const server = await serve(t, { maxConnections: LIMIT, acceptors });
    const clients: RawClient[] = [];
    const enter = async (userId: number) => {
      const client = await RawClient.open(server.port);
      client.send(login(userId));
      t.strictSame((await client.take(Opcode.LOGIN_RESULT)).fields, [userId, LoginResult.OK]);
      clients.push(client);
    };
    for (let userId = 0; userId < LIMIT; userId++) await enter(userId);
    t.strictSame(await closes(server), {}, 'all that fit are taken');

    const tooMany = 5;
    await checkClose(
      t,
      server,
      'limit',
      async () => {
        for (let i = 0; i < tooMany; i++) {
          const refused = await RawClient.open(server.port);
          refused.send(login(100));
          await within(refused.ended, 'a refusal');
          t.same(refused.frames, []);
        }
      },
      tooMany,
    );
    const { connections, sessions } = await server.status();
    t.strictSame([connections.open, connections.accepted, sessions], [LIMIT, LIMIT, LIMIT]);
    for (const client of clients) {
      client.send(shake());
      t.equal((await client.take(Opcode.SHAKE_RESULT)).fields[1], ShakeResult.NONE, 'whoever is there is served');
    }

    clients[3].leave();
    clients[4].vanish();
    await waitForOpen(server, LIMIT - 2);
    await enter(200);
    await enter(201);
    t.equal((await server.status()).connections.open, LIMIT, 'and their places are taken again');
    for (const client of clients) client.leave();
  });
}

t.test('an acceptor refuses what the process has no room for, and what its own table has not', (t) => {
  const rig = new AcceptorRig({ maxConnections: 2 });
  t.strictSame([rig.open(), rig.open(), rig.open()], [0, 1, -1]);
  t.strictSame(rig.closes(), { limit: 1 });
  rig.acceptor.onClosed(0, 'peer');
  t.strictSame([rig.open(), rig.open()], [0, -1]);
  t.strictSame(rig.closes(), { limit: 2, peer: 1 });
  t.equal(rig.count('connectionsOpen'), 2);
  t.end();
});
