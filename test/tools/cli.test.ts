// The command line as a user meets it: help, mistakes, a server that starts, is driven, and stops in good order.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { HongbaoClient } from '../../clients/index.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { collect, runCommand, ServerProcess } from '../server-process.ts';

/** Long for a busy machine; it starts many processes. */
t.setTimeout(300_000);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

for (const command of [
  'serve',
  'config',
  'doctor',
  'load',
  'qps',
  'drop',
  'send',
  'status',
  'watch',
  'monitor',
  'experiment',
  'report',
]) {
  t.test(`hongbao ${command} --help explains itself`, async (t) => {
    const { code, stdout } = await runCommand([command, '--help']);
    t.equal(code, 0);
    t.match(stdout, new RegExp(`hongbao ${command}`));
    t.notMatch(stdout, /undefined|\[object/);
  });
}

t.test('a mistake is one line that says what to do, and exit code 1', async (t) => {
  const data = makeDataDirectory();
  const mistakes: [string[], RegExp][] = [
    [[], /say what to do/],
    [['sevre'], /Did you mean serve/],
    [['serve', '--prot', '1025'], /Unknown argument: prot/],
    [['serve', '--port', '70000', '--data', data], /--port must be a whole number from 0 to 65535/],
    [['serve', '--port', 'abc', '--data', data], /--port must be a whole number/],
    [['serve', '--sets', '0', '--data', data], /--sets must be a whole number from 1/],
    [['serve', '--workers', '300', '--data', data], /--workers must be a whole number from 1 to/],
    [['serve', '--wait', 'sleep'], /Invalid values/],
    [['serve', '--data', '/dev/null/x'], /cannot use the data directory/],
    [['serve', '--max-connections', '9000000', '--data', data], /may open .* files/],
    [['load', '--qps', '-1'], /--qps must be a whole number/],
    [['load', '--users', '5:1'], /--users must be first:last/],
    [['load', '--users', '0:9', '--population', '5:20'], /--population must include --users/],
    [['load', '--target', 'nowhere'], /--target must be host:port/],
    [['load', '--verify', 'http://127.0.0.1:1'], /--verify/],
    [['load', '--control', '70000'], /--control must be a whole number from 0 to 65535/],
    [['qps', '5'], /Missing required argument: clients/],
    [['qps', '-5', '--clients', '9001'], /--qps must be a whole number/],
    [['qps', '5', '--clients', 'x:y'], /--clients must be host:port, not x:y/],
    [['drop', '--count', '5'], /needs --count and --budget/],
    [['send', '--count', '5'], /a send needs/],
    [['status', '--control', 'http://127.0.0.1:1'], /cannot reach the control API/],
    [['watch', '--control', 'http://127.0.0.1:1'], /cannot watch/],
    [['monitor', '--port', '70000'], /--port must be a whole number from 0 to 65535/],
    [['serve', '--monitor', 'nonsense', '--data', data], /--monitor must be an address/],
    [['load', '--monitor', 'nonsense'], /--monitor must be an address/],
    [['drop', '--pause', '1', '--close', '1'], /mutually exclusive/],
    [['drop', '--pause', '1', '--control', 'http://127.0.0.1:1'], /cannot reach the control API/],
  ];
  for (const [args, message] of mistakes) {
    const { code, stderr } = await runCommand(args);
    t.equal(code, 1, `hongbao ${args.join(' ')}`);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, 'one line');
  }
});

t.test('too few descriptors are one clear line', async (t) => {
  const command = `ulimit -n 100; exec "${process.execPath}" tools/cli.ts serve --data ${makeDataDirectory()}`;
  const { code, stderr } = await collect(
    spawn('sh', ['-c', command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  t.equal(code, 1);
  t.match(stderr, /may open 100 files.*ulimit -n/);
});

t.test('a port in use is one clear line', async (t) => {
  const server = await ServerProcess.start();
  t.teardown(() => server.signal('SIGKILL'));
  const { code, stderr } = await runCommand(['serve', '--port', String(server.port), '--data', makeDataDirectory()]);
  t.equal(code, 1);
  t.match(stderr, /cannot listen on 127\.0\.0\.1:\d+: it is in use/);
  t.equal(stderr.trim().split('\n').length, 1, 'one line');
  await server.stop();
});

t.test('a server is driven by drop, send and status, and Ctrl-C stops it with exit code 0', async (t) => {
  const server = await ServerProcess.start();
  t.teardown(() => server.signal('SIGKILL'));
  const control = ['--control', server.controlUrl];
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false });
  await client.login(7);
  const notice = once(client, 'notice');

  const drop = await runCommand(['drop', '--count', '1', '--rate', '1000', '--budget', '123', ...control]);
  t.match(JSON.parse(drop.stdout), { id: 1, budget: 123, state: 'releasing' });
  let win = await client.shake();
  while (win.result === 'none') win = await client.shake();
  t.match(win, { result: 'won', amountCents: 123 });

  const send = [
    'send',
    '--count',
    '1',
    '--rate',
    '1000',
    '--shares',
    '1',
    '--total',
    '77',
    '--users',
    '7:7',
    ...control,
  ];
  t.match(JSON.parse((await runCommand(send)).stdout), { id: 1, count: 1 });
  const [{ packetId }] = await notice;
  t.match(await client.grab(packetId), { amountCents: 77 });
  t.match(JSON.parse((await runCommand(['send', '--show', '1', '--wait', ...control])).stdout), { grabbedShares: 1 });
  t.match(JSON.parse((await runCommand(['drop', '--show', '1', ...control])).stdout), { claimed: 1, state: 'closed' });
  t.match((await runCommand(['drop', '--show', '9', ...control])).stderr, /there is no drop 9/);

  const { stdout } = await runCommand(['status', ...control]);
  t.match(stdout, /difference\n\s+2\.00\s+2\.00\s+0\.00\s+0\.00\s+0\.00/, 'the books are whole');

  const lost = once(client, 'disconnect');
  const { code, stderr } = await server.stop();
  t.equal(code, 0);
  t.match(stderr, /stopped/);
  await lost;
});

t.test('a second Ctrl-C stops at once, also while a client holds the stop up', async (t) => {
  const server = await ServerProcess.start();
  t.teardown(() => server.signal('SIGKILL'));
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  server.signal('SIGINT');
  server.signal('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 700));
  t.equal(await Promise.race([server.ended, 'still stopping']), 'still stopping', 'twice in one moment is once');
  server.signal('SIGINT');
  const { code } = await server.ended;
  t.equal(code, 130);
  socket.destroy();
});

t.test('npx hongbao works from the checkout', async (t) => {
  const { code, stdout } = await collect(
    spawn('npx', ['hongbao', '--version'], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  t.equal(code, 0);
  t.match(stdout, /^\d+\.\d+\.\d+/);
});
