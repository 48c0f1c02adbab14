// Tries the sender against a monitor that works, is down, refuses, or never answers.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Sample } from '../../lib/monitor/sample.ts';
import { SampleSender } from '../../lib/monitor/sample-sender.ts';
import { waitFor } from '../net/raw-client.ts';
import { makeSample } from './make-samples.ts';

/** A monitor that answers as it is told; `port` 0 takes a free one. */
async function openMonitor(t: Test, port = 0) {
  const state = { status: 200, isSilent: false };
  const taken: Sample[] = [];
  const server: Server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (state.isSilent) return;
    if (state.status === 200) taken.push(...JSON.parse(body));
    response.writeHead(state.status).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  t.teardown(close);
  return { state, taken, close, port: (server.address() as AddressInfo).port };
}

function openSender(port: number) {
  const errors: string[] = [];
  const sender = new SampleSender(new URL(`http://127.0.0.1:${port}`), ({ message }) => errors.push(message));
  return { sender, errors };
}

t.test('samples arrive in order, each once', async (t) => {
  const monitor = await openMonitor(t);
  const { sender, errors } = openSender(monitor.port);
  for (let sequence = 0; sequence < 250; sequence++) sender.send(makeSample({ sequence }));
  await waitFor('all samples', () => monitor.taken.length >= 250);
  sender.send(makeSample({ sequence: 250, isLast: true }));
  await sender.close();
  t.strictSame(
    monitor.taken.map(({ sequence }) => sequence),
    Array.from({ length: 251 }, (_, i) => i),
  );
  t.strictSame(errors, []);
});

t.test(
  'a monitor that is down is told of once, waited for by nobody, and gets what was kept when it is back',
  async (t) => {
    const first = await openMonitor(t);
    await first.close();
    const { sender, errors } = openSender(first.port);
    for (let sequence = 0; sequence < 700; sequence++) sender.send(makeSample({ sequence }));
    await waitFor('an error', () => errors.length > 0);
    await sleep(2100);
    sender.send(makeSample({ sequence: 700 }));
    await sleep(200);
    t.equal(errors.length, 1, 'once');
    t.match(errors[0], /takes no samples: .*ECONNREFUSED/);
    const again = await openMonitor(t, first.port);
    await sleep(2100);
    sender.send(makeSample({ sequence: 701 }));
    await waitFor('what was kept', () => again.taken.length >= 600);
    await sender.close();
    t.equal(again.taken.length, 600, 'ten minutes of it');
    t.equal(again.taken.at(-1)!.sequence, 701);
  },
);

t.test('a monitor that refuses is told of with its status', async (t) => {
  const monitor = await openMonitor(t);
  monitor.state.status = 500;
  const { sender, errors } = openSender(monitor.port);
  sender.send(makeSample());
  await waitFor('an error', () => errors.length > 0);
  t.match(errors[0], /it answered 500/);
  await sender.close();
});

t.test('a monitor that never answers does not hold the end up', async (t) => {
  const monitor = await openMonitor(t);
  monitor.state.isSilent = true;
  const { sender } = openSender(monitor.port);
  sender.send(makeSample());
  const startedAt = performance.now();
  await sender.close();
  t.ok(performance.now() - startedAt < 4000, 'within its bound');
});
