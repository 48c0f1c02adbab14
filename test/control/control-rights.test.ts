// Who may do what at a guarded control API: every route, without a token, with the one to read, and with the one to operate.

import t from 'tap';
import { ControlGate } from '../../lib/access/control-tokens.ts';
import { buildControlServer, type ControlTarget } from '../../lib/control/control-server.ts';
import { buildMonitorServer } from '../../lib/control/monitor-server.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';

const TOKENS = { read: 'r'.repeat(43), operate: 'o'.repeat(43) };
const gate = new ControlGate(TOKENS);

/** A target that answers everything, and counts how often it is asked. */
function makeTarget(count: () => void): ControlTarget {
  const own: Partial<ControlTarget> = {
    monitor: new Monitor(),
    hello: { program: 'hongbao test' },
    host: 'Packets.Example',
  };
  return new Proxy(own as ControlTarget, {
    get: (target, name) =>
      target[name as keyof ControlTarget] ??
      (() => {
        count();
        return name === 'metrics' ? Promise.resolve('up 1\n') : Promise.resolve({});
      }),
  });
}

let asked = 0;
const target = makeTarget(() => asked++);
const listed: { method: string; url: string }[] = [];
const app = buildControlServer(target, (error) => t.fail(error.message), gate);
t.teardown(() => app.close());

/** All routes, as Fastify prints them. */
function listRoutes(): { method: string; url: string }[] {
  const stack: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)[├└]── (\S*) \((.*)\)$/.exec(line);
    if (match === null) continue;
    const depth = match[1].length / 4;
    stack.length = depth;
    stack[depth] = match[2];
    const url = stack.join('');
    for (const method of match[3].split(', ')) listed.push({ method, url });
  }
  return listed;
}

const bodies: Record<string, object> = {
  '/drops': { count: 1, rate: 1, budget: 1 },
  '/sends': { count: 1, rate: 1, shares: 1, total: 1, users: [1, 1] },
  '/users/:id/topup': { cents: 1, key: 'k' },
  '/users/:id/withdraw': { cents: 1, key: 'k' },
  '/clients/qps': { qps: 1 },
  '/samples': [],
  '/level': { level: 1 },
};

const ask = async (method: string, url: string, token?: string, more: Record<string, string> = {}) => {
  const payload = method === 'GET' || method === 'HEAD' ? undefined : (bodies[url] ?? {});
  return app.inject({
    method: method as 'GET',
    url: url.replace(':id', '5'),
    headers: { host: 'localhost:8989', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...more },
    ...(payload === undefined ? {} : { payload }),
  });
};

t.test('every route asks for the right it should, and does nothing without it', async (t) => {
  await app.ready();
  const routes = listRoutes();
  t.ok(routes.length > 60, `${routes.length} routes`);
  for (const path of [
    '/status',
    '/drops/:id/close',
    '/users/:id/topup',
    '/clients/qps',
    '/live',
    '/samples',
    '/page/main.js',
  ]) {
    t.ok(
      routes.some(({ url }) => url === path),
      path,
    );
  }
  for (const { method, url } of routes) {
    const what = `${method} ${url}`;
    const isPage = url === '/' || url.startsWith('/page/');
    const isReading = method === 'GET' || method === 'HEAD';
    const before = asked;
    const none = await ask(method, url);
    t.equal(none.statusCode, isPage ? 200 : 401, `${what} without a token`);
    if (!isPage) t.equal(none.headers['www-authenticate'], 'Bearer', what);
    const wrong = await ask(method, url, 'x'.repeat(43));
    t.equal(wrong.statusCode, isPage ? 200 : 401, `${what} with a wrong token`);
    if (!isReading) t.equal((await ask(method, url, TOKENS.read)).statusCode, 403, `${what} to read`);
    t.equal(asked, before, `${what} asked nothing of the server`);
    // The stream of /live has no end.
    if (url === '/live') continue;
    const good = [200, 201];
    if (isReading) t.ok(good.includes((await ask(method, url, TOKENS.read)).statusCode), `${what} to read`);
    t.ok(good.includes((await ask(method, url, TOKENS.operate)).statusCode), `${what} to operate`);
  }
});

t.test('/live is a stream for who may read', async (t) => {
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  for (const token of Object.values(TOKENS)) {
    const response = await fetch(`${url}/live`, { headers: { authorization: `Bearer ${token}` } });
    t.equal(response.status, 200);
    t.match(response.headers.get('content-type'), /event-stream/);
    await response.body?.cancel();
  }
});

t.test('what is not there is not told without a token', async (t) => {
  for (const url of ['/none', '/page/none.js', '/page/../status'])
    t.equal((await ask('GET', url)).statusCode, 401, url);
  t.equal((await ask('GET', '/none', TOKENS.read)).statusCode, 404);
  t.equal((await ask('OPTIONS', '/drops')).statusCode, 401);
  t.equal((await ask('DELETE', '/drops', TOKENS.read)).statusCode, 403);
});

t.test(
  'a token does not let in pages of other origins, nor names that are not ours; the configured name is',
  async (t) => {
    const at = (headers: Record<string, string>) => ask('GET', '/status', TOKENS.operate, headers);
    t.equal((await at({ origin: 'http://evil.example' })).statusCode, 403);
    t.equal((await at({ host: 'evil.example' })).statusCode, 403);
    t.equal((await at({ host: 'packets.example:8989', origin: 'http://packets.example:8989' })).statusCode, 200);
  },
);

t.test('without a gate nothing is asked for, and a monitor is guarded alike', async (t) => {
  const open = buildControlServer(target, () => {});
  const get = { method: 'GET', url: '/status', headers: { host: 'localhost' } } as const;
  t.equal((await open.inject(get)).statusCode, 200);
  const monitor = buildMonitorServer(new Monitor(), 'test', '0.0.0.0', () => {}, gate);
  t.teardown(() => Promise.all([open.close(), monitor.close()]));
  t.equal((await monitor.inject({ ...get, url: '/sources' })).statusCode, 401);
  t.equal((await monitor.inject({ ...get, url: '/' })).statusCode, 200);
  const send = { ...get, method: 'POST', url: '/samples', payload: [] } as const;
  const headers = (token: string) => ({ host: 'localhost', authorization: `Bearer ${token}` });
  t.equal((await monitor.inject({ ...send, headers: headers(TOKENS.read) })).statusCode, 403);
  t.equal((await monitor.inject({ ...send, headers: headers(TOKENS.operate) })).statusCode, 200);
});
