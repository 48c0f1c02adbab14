// A server in a process of its own that reads its config file again at SIGHUP, and drains at SIGTERM.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HongbaoClient } from '../../../clients/client.ts';
import { Opcode } from '../../../lib/protocol/opcodes.ts';
import { makeDataDirectory } from '../../data-directory.ts';
import { hello, RawClient, waitFor, within } from '../../net/raw-client.ts';
import { ServerProcess } from '../../server-process.ts';

t.test(
  'at SIGHUP limits change for connections that are there; what cannot change, and mistakes, are told',
  async (t) => {
    const path = join(makeDataDirectory(), 'hongbao.json');
    const write = (content: object | string) =>
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    write({ 'login-timeout': 600, sets: 16, 'report-seconds': 0 });
    const server = await ServerProcess.start(['--config', path, '--frame-timeout', '7']);
    t.teardown(() => server.signal('SIGKILL'));
    const reload = async (content: object | string, line: string) => {
      write(content);
      const before = server.linesWith(line).length;
      server.signal('SIGHUP');
      await waitFor(`the log to say ${line}`, () => server.linesWith(line).length > before);
    };
    const silent = await RawClient.open(server.port);
    await reload('{"login-timeout": 1,', 'config: nothing is changed');
    await reload({ 'login-timeout': 'x', sets: 0 }, 'config: nothing is changed');
    t.equal(server.linesWith('login-timeout: must be a number').length, 1);
    t.equal(server.linesWith('sets: must be a whole number').length, 1);

    await reload(
      { 'login-timeout': 1, 'frame-timeout': 3, sets: 32, workers: 2, 'report-seconds': 0, 'keep-segments': 4 },
      'restart the server',
    );
    t.equal(server.linesWith('config: login-timeout: 600 -> 1').length, 1);
    t.equal(server.linesWith('config: keep-segments: 0 -> 4').length, 1);
    t.equal(server.linesWith('frame-timeout: ').length, 0, 'the flag wins still');
    t.equal(server.linesWith('restart the server: sets, workers').length, 1);
    await silent.end();

    await reload({ 'login-timeout': 1, sets: 16, 'keep-segments': 4, 'log-level': 'warn' }, 'log-level: info -> warn');
    // The warning of what cannot change says that this reload is over, and what it has changed is not told.
    const quiet = { 'login-timeout': 1, sets: 32, 'keep-segments': 5, 'log-level': 'warn' };
    await reload(quiet, 'restart the server: sets');
    await reload({ ...quiet, sets: 16, 'log-level': 'info' }, 'log-level: warn -> info');
    t.equal(server.linesWith('keep-segments: 4 -> 5').length, 0, 'an info is not logged at warn');
    t.equal(server.linesWith('config: nothing has changed').length, 0);
    await reload({ ...quiet, sets: 16, 'log-level': 'info' }, 'config: nothing has changed');
    t.equal((await within(server.stop(), 'the stop')).code, 0);
  },
);

t.test(
  'at SIGTERM an extended client is told where to go, what is in flight is answered, and the end is 0',
  async (t) => {
    const server = await ServerProcess.start(['--drain-to', '10.0.0.6:1025', '--reconnect-seconds', '3']);
    t.teardown(() => server.signal('SIGKILL'));
    const client = await HongbaoClient.connect({ port: server.port, reconnect: false });
    t.teardown(() => client.close());
    await client.hello(7);
    await server.call('POST', '/users/7/topup', { cents: 500, key: 'a' });
    const told = once(client, 'going-away');
    const lost = once(client, 'disconnect');
    const sends = Array.from({ length: 20 }, () => client.send({ users: [8], totalCents: 5, shares: 1 }));
    const shakes = Array.from({ length: 20 }, () => client.shake());
    server.signal('SIGTERM');
    t.strictSame(await told, [{ reconnectAfterSeconds: 3, target: '10.0.0.6:1025' }]);
    t.strictSame(new Set((await Promise.all(sends)).map(({ status }) => status)), new Set(['SENT']));
    t.strictSame(new Set((await Promise.all(shakes)).map(({ result }) => result)), new Set(['none']));
    await lost;
    t.equal((await within(server.ended, 'the end')).code, 0);
  },
);

t.test('a drain ends within its bound with 0, however a client clings; a second SIGTERM ends it at once', async (t) => {
  const cling = async (server: ServerProcess) => {
    const client = await RawClient.open(server.port, { lingers: true });
    t.teardown(() => client.leave());
    client.send(hello(1));
    await client.take(Opcode.WELCOME);
    server.signal('SIGTERM');
    await client.take(Opcode.GOING_AWAY);
  };
  const args = ['--close-timeout', '3600'];
  const bounded = await ServerProcess.start([...args, '--drain-seconds', '2']);
  const hasty = await ServerProcess.start([...args, '--drain-seconds', '600']);
  for (const server of [bounded, hasty]) t.teardown(() => server.signal('SIGKILL'));
  await Promise.all([cling(bounded), cling(hasty)]);
  t.equal((await within(bounded.ended, 'the end')).code, 0);
  hasty.signal('SIGTERM');
  t.equal((await within(hasty.ended, 'the end')).code, 143);
});
