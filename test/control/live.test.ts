// The monitor over HTTP: samples come in, viewers look on, load clients get another rate, and nobody can do harm.

import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { startLoadControl } from '../../clients/load/load-control.ts';
import { LoadSteering } from '../../clients/load/load-steering.ts';
import { LiveStream, MOST_VIEWERS } from '../../lib/control/live-stream.ts';
import { buildMonitorServer } from '../../lib/control/monitor-server.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';
import { optionsFor } from '../clients/load-request.ts';
import { makeSample } from '../monitor/make-samples.ts';
import { waitFor, within } from '../net/raw-client.ts';

async function open(t: Test) {
  const monitor = new Monitor();
  const app = buildMonitorServer(monitor, 'hongbao test', '127.0.0.1', (error) => t.fail(error.message));
  t.teardown(async () => {
    await app.close();
    await monitor.close();
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const send = async (method: 'POST' | 'PUT', path: string, body: unknown) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { app, monitor, url, send };
}

interface Event {
  event: string;
  data: unknown;
}

/** Looks on until it is ended; `events` grows. */
async function look(t: Test, url: string) {
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const response = await fetch(url, { signal: abort.signal });
  const events: Event[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (text + chunk).split('\n\n');
      text = parts.pop()!;
      for (const part of parts) {
        const [event, data] = part.split('\n');
        events.push({ event: event.slice(7), data: JSON.parse(data.slice(6)) });
      }
    }
  };
  const ended = read().catch(() => {});
  return { response, events, ended, end: () => abort.abort() };
}

const nowSecond = () => Math.floor(Date.now() / 1000);

t.test('a viewer is told who it looks at, the past, each second as it comes, and the state every second', async (t) => {
  const { url, send } = await open(t);
  const second = nowSecond();
  t.strictSame(await send('POST', '/samples', [makeSample({ second: second - 2, counts: { won: 1 } }), 'rubbish']), {
    status: 200,
    body: { taken: 1, refused: 1 },
  });
  const { response, events } = await look(t, `${url}/live?seconds=60`);
  t.match(response.headers.get('content-type'), 'text/event-stream');
  await waitFor('the first events', () => events.length >= 3);
  t.match(events[0], { event: 'hello', data: { program: 'hongbao test' } });
  t.match(events[1], { event: 'seconds', data: [{ second: second - 2, server: { rates: { won: 1 } } }] });
  t.match(events[2], { event: 'state', data: { sources: [{ source: 'server:1' }], refused: { bad: 1 } } });
  t.notOk('money' in (events[2].data as object), 'a monitor that stands alone has no money');
  await send('POST', '/samples', makeSample({ sequence: 1, second, counts: { won: 5 } }));
  await waitFor('the second', () =>
    events.some(({ event, data }, i) => i > 2 && event === 'seconds' && Array.isArray(data)),
  );
  t.match(
    events.findLast(({ event }) => event === 'seconds'),
    { data: [{ second, server: { rates: { won: 5 } } }] },
  );
  await waitFor('another state', () => events.filter(({ event }) => event === 'state').length >= 2);
});

t.test('the same can be read without a stream', async (t) => {
  const { url, send } = await open(t);
  const second = nowSecond();
  await send('POST', '/samples', makeSample({ second }));
  t.match(await (await fetch(`${url}/samples?seconds=5`)).json(), { seconds: [{ second }] });
  t.match(await (await fetch(`${url}/sources`)).json(), { sources: [{ source: 'server:1', state: 'here' }] });
  for (const query of ['seconds=-1', 'seconds=3601', 'seconds=x', 'surplus=1']) {
    t.equal((await fetch(`${url}/samples?${query}`)).status, 400, query);
  }
});

t.test('viewers have a bound, and one that leaves makes room', async (t) => {
  const { url } = await open(t);
  const viewers = await Promise.all(Array.from({ length: MOST_VIEWERS }, () => look(t, `${url}/live?seconds=0`)));
  const refused = await fetch(`${url}/live`);
  t.equal(refused.status, 503);
  t.match(await refused.json(), { code: 'busy' });
  viewers[0].end();
  await viewers[0].ended;
  await waitFor('room', async () => {
    const { response, end } = await look(t, `${url}/live?seconds=0`);
    end();
    return response.status === 200;
  });
});

t.test('a server that stops ends every view at once', async (t) => {
  const { app, url } = await open(t);
  const { ended, events } = await look(t, `${url}/live`);
  await waitFor('an event', () => events.length > 0);
  await within(
    app.close().then(() => ended),
    'the end of the view',
  );
});

t.test('a body that is too large, or no JSON, is refused and costs nothing', async (t) => {
  const { send, monitor } = await open(t);
  t.equal((await send('POST', '/samples', '{"a":')).status, 400);
  t.equal((await send('POST', '/samples', `["${'x'.repeat(9 * 1024 * 1024)}"]`)).status, 413);
  t.match(
    await send(
      'POST',
      '/samples',
      Array.from({ length: 5000 }, () => 1),
    ),
    { body: { taken: 0, refused: 1000 } },
  );
  t.match(monitor.state().refused, { bad: 1000 });
});

t.test('every load client that the monitor knows gets another rate, from the same second on', async (t) => {
  const { send } = await open(t);
  const server = { port: 1 } as never;
  const steerings = [0, 1].map(() => new LoadSteering(optionsFor(server, { qps: 100 })));
  const ports: number[] = [];
  for (const steering of steerings) {
    const control = await startLoadControl(steering, 0);
    t.teardown(() => control.close());
    ports.push((control.server.address() as AddressInfo).port);
  }
  const second = nowSecond();
  const client = { role: 'client' as const, second };
  await send('POST', '/samples', [
    makeSample({ ...client, source: 'load:a', controlPort: ports[0], gauges: { qps: 100 } }),
    makeSample({ ...client, source: 'load:b', controlPort: ports[1], gauges: { qps: 100 } }),
    makeSample({ ...client, source: 'load:gone', controlPort: await findClosedPort(), gauges: { qps: 100 } }),
    makeSample({ ...client, source: 'load:closed' }),
  ]);
  const { status, body } = await send('PUT', '/clients/qps', { qps: 250 });
  t.equal(status, 200);
  t.match(body.clients, [
    { source: 'load:a', ok: true },
    { source: 'load:b', ok: true },
    { source: 'load:gone', ok: false, message: /ECONNREFUSED/ },
  ]);
  t.equal((body.clients as unknown[]).length, 3, 'a client without a control is left alone');
  for (const steering of steerings) {
    t.match(steering.rates.at(-1), { qps: 250, fromMs: body.fromMs as number });
  }
  t.equal((body.fromMs as number) % 1000, 0);
  for (const wrong of [{}, { qps: -1 }, { qps: 1.5 }, { qps: 2_000_000 }, { qps: 1, more: 2 }]) {
    t.equal((await send('PUT', '/clients/qps', wrong)).status, 400, JSON.stringify(wrong));
  }
});

/** A response that is never sent anywhere: what waits for its reader is set by the test. */
class FakeResponse extends EventEmitter {
  writableLength = 0;
  text = '';
  writeHead(): void {}
  write(text: string): void {
    this.text += text;
  }
  destroy(): void {
    this.emit('close');
  }
}

t.test('a viewer that does not read is let go, and the others go on', async (t) => {
  const monitor = new Monitor();
  t.teardown(() => monitor.close());
  const live = new LiveStream({
    monitor,
    hello: { program: 'hongbao test' },
    readOwn: async () => ({}),
    onError: (error) => t.fail(error.message),
  });
  const [slow, quick] = [new FakeResponse(), new FakeResponse()];
  for (const response of [slow, quick]) live.open(response as never, 0);
  let closed = 0;
  slow.once('close', () => closed++);
  slow.writableLength = 100 * 1024 * 1024;
  monitor.take(makeSample({ second: nowSecond(), counts: { won: 77 } }));
  await waitFor('the second to be told', () => quick.text.includes('"won":77'));
  t.equal(closed, 1);
  t.notOk(slow.text.includes('"won":77'));
  quick.destroy();
});

/** A port where nobody listens. */
async function findClosedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
