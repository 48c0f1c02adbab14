// Who may connect to which server, as the command line has it; and that no secret is ever logged or shown.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../clients/client.ts';
import { controlFileOf, readControlTokens } from '../lib/access/control-tokens.ts';
import { keyFileOf } from '../lib/access/token-keys.ts';
import { startServer } from '../lib/server.ts';
import type { ServerOptions } from '../lib/server-options.ts';
import { makeDataDirectory } from './data-directory.ts';
import { waitFor } from './net/raw-client.ts';
import { serve } from './net/test-server.ts';
import { runCommand, ServerProcess } from './server-process.ts';

t.setTimeout(300_000);

function start(t: Test, options: Partial<ServerOptions>) {
  const data = makeDataDirectory();
  return startServer(
    { port: 0, controlPort: 0, packetSlots: 64, data, ...options },
    { onError: (error) => t.fail(error.message) },
  );
}

t.test('open access listens on this machine only, unless it is told to trust the network', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'packets.example', '']) {
    await t.rejects(start(t, { host }), { code: 'bad_option', message: /--auth token.*--open-to-network/ }, host);
  }
  for (const options of [
    { host: '127.0.0.1' },
    { host: 'localhost' },
    { host: '0.0.0.0', openToNetwork: true },
    { host: '0.0.0.0', auth: 'token' },
  ] as const) {
    const server = await start(t, options);
    t.ok(server.port > 0, JSON.stringify(options));
    await server.stop();
  }
});

t.test('options that are none of the choices are named', async (t) => {
  await t.rejects(start(t, { auth: 'none' as 'open' }), { message: '--auth must be one of open, token' });
  await t.rejects(start(t, { controlAuth: 'no' as 'auto' }), { message: '--control-auth must be one of auto, token' });
});

t.test('a server without access control makes no files of secrets', async (t) => {
  const server = await serve(t);
  t.notOk(existsSync(keyFileOf(server.options.data)));
  t.notOk(existsSync(controlFileOf(server.options.data)));
});

t.test('the control API asks for a token beyond this machine, and on it when it is told to', async (t) => {
  for (const options of [{ controlHost: '0.0.0.0' }, { controlAuth: 'token' }] as const) {
    const server = await start(t, options);
    t.teardown(() => server.stop());
    const url = `http://127.0.0.1:${server.controlPort}/status`;
    t.equal((await fetch(url)).status, 401);
    const { read } = readControlTokens(server.options.data);
    t.equal((await fetch(url, { headers: { authorization: `Bearer ${read}` } })).status, 200);
  }
  const open = await start(t, {});
  t.teardown(() => open.stop());
  t.equal((await fetch(`http://127.0.0.1:${open.controlPort}/status`)).status, 200);
});

t.test('files of secrets that others may read stop the start', async (t) => {
  const { chmodSync } = await import('node:fs');
  for (const [options, fileOf] of [
    [{ auth: 'token' }, keyFileOf],
    [{ controlAuth: 'token' }, controlFileOf],
  ] as const) {
    const data = makeDataDirectory();
    await (await start(t, { ...options, data })).stop();
    t.equal(statSync(fileOf(data)).mode & 0o777, 0o600);
    chmodSync(fileOf(data), 0o640);
    await t.rejects(start(t, { ...options, data }), { code: 'data', message: /others may read or change .*chmod 600/ });
    chmodSync(fileOf(data), 0o600);
    await (await start(t, { ...options, data })).stop();
  }
});

t.test(
  'tokens come from the command line, and no secret is in the log, the status, the metrics or the run log',
  async (t) => {
    const data = makeDataDirectory();
    const early = await runCommand(['token', '--user', '42', '--data', data]);
    t.equal(early.code, 1);
    t.match(early.stderr, /there is no .*token-keys\.json; start hongbao serve --auth token/);
    t.match((await runCommand(['control-token', '--data', data])).stderr, /there is no .*control-tokens\.json/);
    const options = ['--auth', 'token', '--control-auth', 'token', '--data', data, '--log-level', 'debug'];
    const server = await ServerProcess.start(options);
    t.teardown(() => server.signal('SIGKILL'));
    const out = async (...args: string[]) => {
      const { code, stdout, stderr } = await runCommand([...args, '--data', data]);
      t.equal(code, 0, stderr);
      return stdout.trim();
    };
    const token = await out('token', '--user', '42', '--ttl', '10m');
    const [read, operate] = await Promise.all(
      ['read', 'operate'].map((right) => out('control-token', '--right', right)),
    );
    t.match(token, /^hb1\.[a-z\d]{8}\.42\.\d+\.[\w-]{43}$/);
    t.ok(Math.abs(Number(token.split('.')[3]) - Date.now() / 1000 - 600) < 60);

    const client = await HongbaoClient.connect({ port: server.port, token, reconnect: false });
    await client.hello(42);
    await client.shake();
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const bad = await HongbaoClient.connect({ port: server.port, token: forged, reconnect: false });
    await t.rejects(bad.hello(42), { code: 'login' });

    t.match(await out('token', '--rotate'), /^the key [a-z\d]{8} signs from now on$/);
    const old = token.split('.')[1];
    const listed = await out('token', '--keys');
    t.match(listed, new RegExp(`${old} .*verifies`));
    const fresh = await out('token', '--user', '43');
    await waitFor('the new key', async () => {
      const other = await HongbaoClient.connect({ port: server.port, token: fresh, reconnect: false });
      return other
        .hello(43)
        .then(
          () => true,
          () => false,
        )
        .finally(() => other.close());
    });
    const secrets = [...readFileSync(keyFileOf(data), 'utf8').matchAll(/"([\w-]{43})"/g)].map(([, secret]) => secret);
    t.equal(secrets.length, 2);
    t.equal(await out('token', '--retire', old), `the key ${old} is retired`);
    t.match(
      (await runCommand(['token', '--retire', fresh.split('.')[1], '--data', data])).stderr,
      /signs: rotate first/,
    );

    const seen: string[] = [listed];
    const get = async (path: string, bearer?: string) => {
      const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
      const response = await fetch(server.controlUrl + path, { headers });
      seen.push(await response.text());
      return response.status;
    };
    t.equal(await get('/status', 'wrong'), 401);
    for (const path of ['/status', '/metrics', '/sources', '/samples', '/connections/by-address', '/']) {
      t.equal(await get(path, read), 200);
    }
    const status = await runCommand(['status', '--control', server.controlUrl, '--control-token', read]);
    t.equal(status.code, 0, status.stderr);
    seen.push(status.stdout, status.stderr);
    const drop = ['drop', '--count', '1', '--budget', '1', '--control', server.controlUrl, '--control-token'];
    t.match((await runCommand([...drop, read])).stderr, /this control token may only read/);
    t.equal((await runCommand([...drop, operate])).code, 0);
    const load = [
      'load',
      '--target',
      `127.0.0.1:${server.port}`,
      '--connections',
      '2',
      '--qps',
      '20',
      '--duration',
      '1',
    ];
    const json = join(data, 'load.json');
    const more = ['--token-keys', data, '--verify', server.controlUrl, '--monitor', server.controlUrl, '--json', json];
    client.close();
    const loaded = await runCommand([...load, ...more, '--control-token', operate]);
    t.equal(loaded.code, 0, loaded.stdout + loaded.stderr);
    seen.push(loaded.stdout, loaded.stderr, readFileSync(json, 'utf8'));

    const { stdout, stderr } = await server.stop();
    seen.push(stdout, stderr);
    t.match(stderr, /made a key for tokens/);
    t.match(stderr, /the keys for tokens have changed: 2 in use/);
    for (const name of readdirSync(join(data, 'runs'))) seen.push(readFileSync(join(data, 'runs', name), 'utf8'));
    const text = seen.join('\n');
    t.ok(text.length > 10_000 && text.includes('"controlPort"'), 'there is something to look through');
    const signatures = [token, fresh, forged].map((each) => each.split('.')[4]);
    for (const secret of [...secrets, ...signatures, read, operate]) t.notOk(text.includes(secret), 'not shown');
    for (const secret of secrets)
      t.notOk(text.includes(Buffer.from(secret, 'base64url').toString('hex')), 'nor in hex');
  },
);

t.test('what a token cannot be is refused in one line', async (t) => {
  const data = makeDataDirectory();
  await (await start(t, { auth: 'token', data })).stop();
  const cases = [
    [[], /say --user ID for a token, or --rotate/],
    [['--user', '2147483648'], /--user must be a whole number from 0 to 2147483647/],
    [['--user', '1', '--ttl', '367d'], /--ttl must be 1 second to 366 days/],
    [['--user', '1', '--ttl', '1w'], /--ttl must be/],
    [['--retire', 'unknown1'], /there is no key unknown1/],
  ] as const;
  const outcomes = await Promise.all(cases.map(([args]) => runCommand(['token', ...args, '--data', data])));
  for (const [i, { code, stdout, stderr }] of outcomes.entries()) {
    t.equal(code, 1);
    t.equal(stdout, '');
    t.match(stderr, cases[i][1]);
    t.equal(stderr.trim().split('\n').length, 1);
  }
  t.equal((await runCommand(['token', '--user', '2147483647', '--ttl', '366d', '--data', data])).code, 0);
});
