// The control of a running load client: what it says, what it accepts, and that a change holds from a whole second on.

import t, { type Test } from 'tap';
import { startLoadControl } from '../../clients/load/load-control.ts';
import { LoadSteering, type RateChange } from '../../clients/load/load-steering.ts';
import { emptyTotals } from '../../clients/load/load-totals.ts';
import { runLoad } from '../../clients/load/run-load.ts';
import { FakeServer } from './fake-server.ts';
import { optionsFor } from './load-request.ts';

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

async function control(t: Test, steering: LoadSteering) {
  const app = await startLoadControl(steering, 0);
  t.teardown(() => app.close());
  const ask = async (method: string, path: string, body?: string, type = 'application/json'): Promise<Answer> => {
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': type };
    const response = await fetch(`${app.listeningOrigin}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { ask, put: (body: unknown) => ask('PUT', '/qps', JSON.stringify(body)) };
}

t.test('a test whose rate is changed while it runs sends each second at its own rate', async (t) => {
  const server = await FakeServer.start(t);
  const options = optionsFor(server, { qps: 50, durationSeconds: 4, threads: 2 });
  const steering = new LoadSteering(options);
  const { ask, put } = await control(t, steering);
  let startMs = 0;
  let change: RateChange | undefined;
  const running = runLoad(
    options,
    (phase) => {
      if (phase !== 'shaking' || startMs > 0) return;
      startMs = Date.now();
      put({ qps: 200 }).then((answer) => {
        change = answer.body as unknown as RateChange;
      });
    },
    undefined,
    steering,
  );
  const { totals, isDrained } = await running;
  t.ok(isDrained);
  t.equal(change!.qps, 200);
  t.equal(change!.fromMs % 1000, 0);
  t.same(
    steering.rates.map(({ qps }) => qps),
    [50, 200],
  );
  // The change comes within the first or the second second after the start, so two seconds at least have the new rate.
  t.ok(totals.sent >= 2 * 200 + 50 && totals.sent <= 4 * 200, `${totals.sent} sent`);
  t.equal(totals.answered, totals.sent);
  t.match((await ask('GET', '/status')).body, { phase: 'draining', qps: 200, totals: { sent: totals.sent } });
  t.match(await put({ qps: 1 }), { status: 409, body: { code: 'over' } });
});

t.test('status tells the rate, and the change that is to come', async (t) => {
  const server = await FakeServer.start(t);
  const nowMs = 1_000_100;
  const steering = new LoadSteering(optionsFor(server), () => nowMs);
  const { ask, put } = await control(t, steering);
  const passed: RateChange[] = [];
  steering.attach(
    (change) => passed.push(change),
    () => {},
  );
  steering.observe('shaking', { ...emptyTotals(), sent: 5 });
  t.match((await ask('GET', '/status')).body, {
    phase: 'shaking',
    users: [0, 9],
    closed: false,
    qps: 100,
    totals: { sent: 5 },
  });
  t.match(await put({ qps: 7, fromMs: 1_003_500 }), { status: 200, body: { qps: 7, fromMs: 1_004_000 } });
  t.match((await ask('GET', '/status')).body, { qps: 100, next: { qps: 7, fromMs: 1_004_000 } });
  t.match(await put({ qps: 8 }), { status: 200, body: { qps: 8, fromMs: 1_001_000 } }, 'an earlier one replaces it');
  t.match((await ask('GET', '/status')).body, { qps: 100, next: { qps: 8, fromMs: 1_001_000 } });
  t.same(
    passed.map(({ qps }) => qps),
    [7, 8],
  );
});

t.test('a second that is too near is left out', (t) => {
  let nowMs = 1_000_949;
  const options = { ...optionsFor({ port: 1 } as FakeServer) };
  const steering = new LoadSteering(options, () => nowMs);
  t.equal(steering.setQps(5).fromMs, 1_001_000);
  nowMs = 1_000_951;
  t.equal(steering.setQps(5).fromMs, 1_002_000);
  t.end();
});

t.test('bad requests are refused with a sentence, and change nothing', async (t) => {
  const server = await FakeServer.start(t);
  const steering = new LoadSteering(optionsFor(server));
  const { ask, put } = await control(t, steering);
  const qps = /^qps must be a whole number from 0 to 1000000$/;
  for (const bad of [{}, { qps: -1 }, { qps: 1.5 }, { qps: 1_000_001 }, { qps: '5' }, { qps: null }]) {
    t.match(await put(bad), { status: 400, body: { code: 'bad_request', message: qps } }, JSON.stringify(bad));
  }
  for (const bad of [[], 5, null, { qps: 5, extra: 1 }]) {
    t.match(await put(bad), { status: 400, body: { message: /^the body must be a JSON object/ } }, JSON.stringify(bad));
  }
  for (const fromMs of [-1, '5', Date.now() + 4_000_000]) {
    t.match(await put({ qps: 5, fromMs }), { status: 400, body: { message: /^fromMs must be/ } }, `${fromMs}`);
  }
  t.match(await ask('PUT', '/qps', '{'), { status: 400 });
  t.match(await ask('PUT', '/qps', 'qps=5', 'application/x-www-form-urlencoded'), { status: 415 });
  t.match(await ask('PUT', '/qps', JSON.stringify({ qps: 'x'.repeat(5000) })), { status: 413 });
  t.match(await ask('POST', '/qps'), { status: 404, body: { message: 'there is no POST /qps' } });
  t.equal(steering.rates.length, 1);
});

t.test('a closed loop has no rate to change', async (t) => {
  const server = await FakeServer.start(t);
  const { ask, put } = await control(t, new LoadSteering(optionsFor(server, { closed: true })));
  t.match(await put({ qps: 5 }), { status: 409, body: { code: 'closed_loop' } });
  t.match((await ask('GET', '/status')).body, { closed: true, qps: 0 });
});
