// The control API with a stand-in for the server behind it: what it passes on, what it refuses, how it answers.

import t from 'tap';
import { buildControlServer, type ControlTarget } from '../../lib/control/control-server.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';
import { CampaignError } from '../../lib/packets/campaign-error.ts';
import { TransferError } from '../../lib/sets/transfers.ts';

/** A target that writes down every call, and answers with what was asked; `fail` makes the next call throw. */
function open() {
  const calls: unknown[] = [];
  const logged: Error[] = [];
  const state = { isServing: true, failure: undefined as Error | undefined };
  const answer = (...call: unknown[]): object => {
    calls.push(call);
    if (state.failure !== undefined) throw state.failure;
    return { asked: call[0] };
  };
  const target: ControlTarget = {
    monitor: new Monitor(),
    hello: { program: 'hongbao test', server: 'server:1' },
    host: 'packets.example',
    isServing: () => state.isServing,
    metrics: async () => 'up 1\n',
    status: async () => answer('status'),
    createDrop: async (body) => answer('createDrop', body),
    drop: async (id) => answer('drop', id),
    closeDrop: async (id) => answer('closeDrop', id),
    drops: async () => answer('drops'),
    pauseDrop: async (id) => answer('pauseDrop', id),
    resumeDrop: async (id) => answer('resumeDrop', id),
    campaigns: async () => ({}),
    addresses: async () => answer('addresses'),
    level: async () => answer('level'),
    forceLevel: async (body) => answer('forceLevel', body),
    releaseLevel: async () => answer('releaseLevel'),
    createSend: async (body) => answer('createSend', body),
    send: async (id) => answer('send', id),
    sends: async () => answer('sends'),
    sendPackets: async (id) => answer('sendPackets', id),
    pauseSend: async (id) => answer('pauseSend', id),
    resumeSend: async (id) => answer('resumeSend', id),
    closeSend: async (id) => answer('closeSend', id),
    halted: async () => answer('halted'),
    halt: async () => answer('halt'),
    endHalt: async () => answer('endHalt'),
    packet: async (id) => answer('packet', id),
    packetRecords: async (id) => answer('packetRecords', id),
    user: async (id, query) => answer('user', id, query),
    topUp: async (id, body) => answer('topUp', id, body),
    withdraw: async (id, body) => answer('withdraw', id, body),
    ledger: async () => answer('ledger'),
  };
  const app = buildControlServer(target, (error) => logged.push(error));
  const ask = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    payload?: object | string,
    type = 'application/json',
    more: Record<string, string> = {},
  ) => {
    const headers = { host: 'localhost:8989', ...(payload === undefined ? {} : { 'content-type': type }), ...more };
    const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
    return { status: response.statusCode, body: response.json() };
  };
  return { ask, calls, logged, state };
}

const drop = { count: 10, rate: 5, budget: 1000 };
const transfer = { cents: 100, key: 'order 1' };
const send = { count: 2, rate: 0.5, shares: 3, total: 300, users: [1, 3] };

t.test('each route asks for one thing, and answers with it', async (t) => {
  const { ask, calls, logged } = open();
  const full = { ...drop, min: 10, max: 200, winsPerUser: 1 };
  const ranged = { ...send, total: [300, 600], mode: 'line', expiresInSeconds: 60 };
  for (const [method, url, body, status, call] of [
    ['GET', '/status', undefined, 200, ['status']],
    ['POST', '/drops', drop, 201, ['createDrop', drop]],
    ['POST', '/drops', full, 201, ['createDrop', full]],
    ['GET', '/drops/7', undefined, 200, ['drop', 7]],
    ['GET', '/drops', undefined, 200, ['drops']],
    ['POST', '/drops/7/pause', undefined, 200, ['pauseDrop', 7]],
    ['POST', '/drops/7/resume', undefined, 200, ['resumeDrop', 7]],
    ['POST', '/drops/7/close', undefined, 200, ['closeDrop', 7]],
    ['POST', '/sends', send, 201, ['createSend', send]],
    ['POST', '/sends', ranged, 201, ['createSend', ranged]],
    ['GET', '/sends/0', undefined, 200, ['send', 0]],
    ['GET', '/sends', undefined, 200, ['sends']],
    ['GET', '/sends/7/packets', undefined, 200, ['sendPackets', 7]],
    ['POST', '/sends/7/pause', undefined, 200, ['pauseSend', 7]],
    ['POST', '/sends/7/resume', undefined, 200, ['resumeSend', 7]],
    ['POST', '/sends/7/close', undefined, 200, ['closeSend', 7]],
    ['GET', '/halt', undefined, 200, ['halted']],
    ['POST', '/halt', undefined, 200, ['halt']],
    ['DELETE', '/halt', undefined, 200, ['endHalt']],
    ['POST', '/drops', { ...drop, dryRun: true }, 200, ['createDrop', { ...drop, dryRun: true }]],
    ['POST', '/sends', { ...send, dryRun: true, cap: 900 }, 200, ['createSend', { ...send, dryRun: true, cap: 900 }]],
    ['GET', '/level', undefined, 200, ['level']],
    ['PUT', '/level', { level: 3 }, 200, ['forceLevel', { level: 3 }]],
    ['DELETE', '/level', undefined, 200, ['releaseLevel']],
    ['GET', '/connections/by-address', undefined, 200, ['addresses']],
    ['GET', '/packets/4294967295', undefined, 200, ['packet', 4_294_967_295]],
    ['GET', '/packets/5/records', undefined, 200, ['packetRecords', 5]],
    ['GET', '/users/2147483647', undefined, 200, ['user', 2_147_483_647, {}]],
    ['GET', '/users/0?limit=100&before=9', undefined, 200, ['user', 0, { limit: 100, before: 9 }]],
    ['POST', '/users/3/topup', transfer, 200, ['topUp', 3, transfer]],
    ['POST', '/users/3/withdraw', transfer, 200, ['withdraw', 3, transfer]],
    ['GET', '/ledger', undefined, 200, ['ledger']],
  ] as const) {
    t.strictSame(await ask(method, url, body), { status, body: { asked: call[0] } }, `${method} ${url}`);
    t.strictSame(calls.pop(), call);
  }
  t.same([calls, logged], [[], []], 'and for nothing else');
});

t.test('healthz says whether the server serves, and 503 once it is stopping', async (t) => {
  const { ask, state } = open();
  t.strictSame(await ask('GET', '/healthz'), { status: 200, body: { ok: true } });
  state.isServing = false;
  t.strictSame(await ask('GET', '/healthz'), {
    status: 503,
    body: { code: 'stopping', message: 'the server is stopping' },
  });
});

t.test('what the server says no to is answered with its code and its sentence', async (t) => {
  const { ask, logged, state } = open();
  for (const [code, status] of [
    ['bad_request', 400],
    ['not_found', 404],
    ['no_room', 409],
  ] as const) {
    state.failure = new CampaignError(code, `because of ${code}`);
    const expected = { status, body: { code, message: `because of ${code}` } };
    t.strictSame(await ask('POST', '/drops', drop), expected, 'from a promise');
    t.strictSame(await ask('POST', '/sends', send), expected, 'and thrown');
    t.strictSame(await ask('GET', '/packets/1'), expected);
  }
  t.same(logged, []);
});

t.test('what the server says no to for a transfer has a status of its own', async (t) => {
  const { ask, logged, state } = open();
  for (const [code, status] of [
    ['insufficient', 409],
    ['key_reused', 409],
    ['no_room', 409],
    ['busy', 503],
  ] as const) {
    state.failure = new TransferError(code, `because of ${code}`);
    const expected = { status, body: { code, message: `because of ${code}` } };
    t.strictSame(await ask('POST', '/users/1/withdraw', transfer), expected);
  }
  t.same(logged, []);
});

t.test('users, their pages and their transfers are checked before anybody sees them', async (t) => {
  const { ask, calls } = open();
  const userError = 'the user id must be a whole number from 0 to 2147483647';
  const centsError = 'cents must be a whole number from 1 to 900000000000000';
  const keyError = 'key must be a string of 1 to 64 bytes';
  for (const [method, url, body, message] of [
    ['GET', '/users/2147483648', undefined, userError],
    ['GET', '/users/x', undefined, userError],
    ['POST', '/users/-1/topup', transfer, userError],
    ['GET', '/users/1?limit=0', undefined, 'limit must be a whole number from 1 to 100'],
    ['GET', '/users/1?limit=101', undefined, 'limit must be a whole number from 1 to 100'],
    ['GET', '/users/1?before=x', undefined, 'before must be a whole number from 1 to 9007199254740991'],
    ['GET', '/users/1?after=1', undefined, 'unknown field: after'],
    ['POST', '/users/1/topup', { ...transfer, cents: 0 }, centsError],
    ['POST', '/users/1/topup', { ...transfer, cents: 1.5 }, centsError],
    ['POST', '/users/1/topup', { ...transfer, cents: '1' }, centsError],
    ['POST', '/users/1/topup', { ...transfer, cents: 900_000_000_000_001 }, centsError],
    ['POST', '/users/1/withdraw', { cents: 1 }, keyError],
    ['POST', '/users/1/withdraw', { ...transfer, key: '' }, keyError],
    ['POST', '/users/1/withdraw', { ...transfer, key: 'x'.repeat(65) }, keyError],
    ['POST', '/users/1/withdraw', { ...transfer, key: '红'.repeat(22) }, keyError],
    ['POST', '/users/1/withdraw', { ...transfer, more: 1 }, 'unknown field: more'],
  ] as const) {
    t.strictSame(
      await ask(method, url, body),
      { status: 400, body: { code: 'bad_request', message } },
      `${method} ${url}`,
    );
  }
  t.same(calls, []);
});

t.test(
  'an error that no request is to blame for is answered 500, says nothing outside, and goes into the log',
  async (t) => {
    const { ask, logged, state } = open();
    const body = { code: 'internal', message: 'the server failed; its log says more' };
    for (const failure of [new TypeError('a secret'), Object.assign(new Error('a secret'), { code: 'EACCES' })]) {
      state.failure = failure;
      t.strictSame(await ask('GET', '/status'), { status: 500, body });
      t.equal(logged.pop(), failure);
    }
  },
);

t.test('what is not there is 404, with the method and the path', async (t) => {
  const { ask, calls } = open();
  for (const [method, url] of [
    ['GET', '/nowhere'],
    ['GET', '/drop'],
    ['POST', '/status'],
    ['GET', '/drops/1/close'],
    ['POST', '/packets/1'],
  ] as const) {
    const { status, body } = await ask(method, url);
    t.strictSame([status, body], [404, { code: 'not_found', message: `there is no ${method} ${url}` }]);
  }
  t.same(calls, []);
});

t.test('ids are whole numbers of 32 bits', async (t) => {
  const { ask, calls } = open();
  const message = 'the id must be a whole number from 0 to 4294967295';
  for (const id of ['x', '-1', '1.5', '1e3', '0x10', '4294967296', '4296015872', '99999999999', '%20', 'null']) {
    for (const [method, url] of [
      ['GET', `/drops/${id}`],
      ['POST', `/drops/${id}/close`],
      ['GET', `/sends/${id}`],
      ['GET', `/packets/${id}`],
    ] as const) {
      t.strictSame(await ask(method, url), { status: 400, body: { code: 'bad_request', message } }, `${method} ${url}`);
    }
  }
  t.same(calls, []);
});

t.test('a path that cannot be read, or is too long, is refused like everything else', async (t) => {
  const { ask, calls } = open();
  for (const [url, expected] of [
    ['/drops/%zz', 400],
    [`/drops/${'1'.repeat(200)}`, 414],
  ] as const) {
    const { status, body } = await ask('GET', url);
    t.equal(status, expected);
    t.strictSame([Object.keys(body), body.code], [['code', 'message'], 'bad_request']);
  }
  t.same(calls, []);
});

t.test('a body that is no JSON object is refused with a sentence that says so', async (t) => {
  const { ask, calls, logged } = open();
  const anObject = 'the body must be a JSON object';
  for (const url of ['/drops', '/sends']) {
    for (const [what, payload, type, status, message] of [
      ['nothing', undefined, undefined, 400, anObject],
      ['an empty body', '', 'application/json', 400, anObject],
      ['half an object', '{"count":', 'application/json', 400, anObject],
      ['null', 'null', 'application/json', 400, anObject],
      ['a list', '[1,2]', 'application/json', 400, anObject],
      ['a number', '5', 'application/json', 400, anObject],
      ['a prototype', '{"__proto__":{"count":1}}', 'application/json', 400, anObject],
      ['text', 'count=1', 'text/plain', 400, anObject],
      ['a form', 'count=1', 'application/x-www-form-urlencoded', 415, 'the body must be of type application/json'],
      ['too much', `"${'x'.repeat(65_536)}"`, 'application/json', 413, 'the body must be at most 65536 bytes long'],
    ] as const) {
      t.strictSame(await ask('POST', url, payload, type), { status, body: { code: 'bad_request', message } }, what);
    }
  }
  t.same([calls, logged], [[], []]);
});

const whole = (name: string, low: number, high: number) => `${name} must be a whole number from ${low} to ${high}`;
const MOST = 2 ** 31 - 1;
const MOST_CENTS = Number.MAX_SAFE_INTEGER;
const RATE = 'rate must be a number above 0 and at most 1000000';
const TOTAL = 'total must be cents, or [low, high] in cents: whole numbers from 1';
const USERS = `users must be [first, last]: user ids from 0 to ${MOST}`;

/** Not whole numbers from 1 on, in all the ways that JSON knows. */
const unwhole = [0, -1, 1.5, 1e308, '5', '', null, true, [], [5], {}, undefined];

t.test('a field that is not what it has to be is refused with a sentence that says what is allowed', async (t) => {
  const { ask, calls } = open();
  const refuse = async (url: string, body: object, message: string) =>
    t.strictSame(
      await ask('POST', url, body),
      { status: 400, body: { code: 'bad_request', message } },
      JSON.stringify(body),
    );
  for (const value of unwhole) {
    await refuse('/drops', { ...drop, count: value }, whole('count', 1, MOST));
    await refuse('/drops', { ...drop, budget: value }, whole('budget (cents)', 1, MOST_CENTS));
    await refuse('/sends', { ...send, count: value }, whole('count', 1, MOST));
    await refuse('/sends', { ...send, shares: value }, whole('shares', 1, MOST));
    if (value === undefined) continue;
    await refuse('/drops', { ...drop, min: value }, whole('min (cents)', 1, MOST_CENTS));
    await refuse('/drops', { ...drop, max: value }, whole('max (cents)', 1, MOST_CENTS));
    await refuse('/drops', { ...drop, winsPerUser: value }, whole('winsPerUser', 1, MOST));
    await refuse('/sends', { ...send, expiresInSeconds: value }, whole('expiresInSeconds', 1, 2_592_000));
  }
  await refuse('/drops', { ...drop, count: MOST + 1 }, whole('count', 1, MOST));
  await refuse('/drops', { ...drop, budget: MOST_CENTS + 1 }, whole('budget (cents)', 1, MOST_CENTS));
  await refuse('/sends', { ...send, expiresInSeconds: 2_592_001 }, whole('expiresInSeconds', 1, 2_592_000));
  for (const rate of [0, -1, 1_000_001, 1e308, '5', null, [], undefined]) {
    await refuse('/drops', { ...drop, rate }, RATE);
    await refuse('/sends', { ...send, rate }, RATE);
  }
  for (const total of ['x', null, {}, [], [300], [300, 400, 500], [1.5, 2], ['1', 2], 1.5, undefined]) {
    await refuse('/sends', { ...send, total }, TOTAL);
  }
  for (const total of [0, -1, [1, -2]])
    await refuse('/sends', { ...send, total }, whole('total (cents)', 1, MOST_CENTS));
  for (const users of ['x', null, {}, [], [1], [1, 2, 3], 5, undefined])
    await refuse('/sends', { ...send, users }, USERS);
  for (const user of [-1, 1.5, MOST + 1, '1', null]) {
    await refuse('/sends', { ...send, users: [user, 5] }, whole('users[0]', 0, MOST));
    await refuse('/sends', { ...send, users: [5, user] }, whole('users[1]', 0, MOST));
  }
  for (const mode of ['random', '', null, 1]) {
    await refuse('/sends', { ...send, mode }, "mode must be 'lucky', 'line' or 'equal'");
  }
  await refuse('/drops', { ...drop, total: 5 }, 'unknown field: total');
  await refuse('/sends', { ...send, budget: 5, Mode: 'line' }, 'unknown field: budget, Mode');
  t.same(calls, [], 'and nobody is asked');
});

t.test('the bounds themselves are allowed', async (t) => {
  const { ask } = open();
  for (const [url, body] of [
    ['/drops', { ...drop, count: 1, budget: 1, min: 1, max: 1, winsPerUser: 1, rate: 1e-6 }],
    ['/drops', { count: MOST, budget: MOST_CENTS, min: MOST_CENTS, max: MOST_CENTS, winsPerUser: MOST, rate: 1e6 }],
    ['/sends', { ...send, count: MOST, shares: MOST, total: [1, MOST_CENTS], users: [0, MOST] }],
    ['/sends', { ...send, total: MOST_CENTS, users: [MOST, MOST], mode: 'equal', expiresInSeconds: 2_592_000 }],
  ] as const) {
    t.equal((await ask('POST', url, body)).status, 201, JSON.stringify(body));
  }
});

t.test('a page of another origin is refused, and so is a name that is not ours; nothing is asked for it', async (t) => {
  const { ask, calls } = open();
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { origin: 'https://localhost:8989' },
    { origin: 'http://localhost:9000' },
    { host: 'evil.example' },
    { host: 'evil.example:8989', origin: 'http://evil.example:8989' },
    { host: '127.0.0.1.evil.example' },
  ]) {
    for (const [method, url, body] of [
      ['POST', '/drops', drop],
      ['GET', '/status', undefined],
      ['PUT', '/clients/qps', { qps: 1 }],
    ] as const) {
      const { status, body: answer } = await ask(method, url, body, 'application/json', headers);
      t.equal(status, 403, `${method} ${url} with ${JSON.stringify(headers)}`);
      t.equal((answer as { code: string }).code, 'forbidden');
    }
  }
  t.same(calls, []);
  for (const headers of [
    { origin: 'http://localhost:8989' },
    { host: '127.0.0.1:8989', origin: 'http://127.0.0.1:8989' },
    { host: '[::1]:8989', origin: 'http://[::1]:8989' },
    { host: 'packets.example:8989' },
    { host: 'Packets.Example' },
    { host: '192.0.2.7:8989' },
  ]) {
    t.equal((await ask('POST', '/drops', drop, 'application/json', headers)).status, 201, JSON.stringify(headers));
  }
});
