// `hongbao qps` against load clients that run: all change at the same second, and what cannot be reached is said.

import t from 'tap';
import { startLoadControl } from '../../clients/load/load-control.ts';
import { LoadSteering } from '../../clients/load/load-steering.ts';
import type { FakeServer } from '../clients/fake-server.ts';
import { optionsFor } from '../clients/load-request.ts';
import { runCommand } from '../server-process.ts';

async function startClient(isClosed = false) {
  const steering = new LoadSteering(optionsFor({ port: 1 } as FakeServer, { closed: isClosed }));
  const app = await startLoadControl(steering, 0);
  t.teardown(() => app.close());
  return { steering, name: new URL(app.listeningOrigin).host };
}

t.test('several clients get the rate from the same second on', async (t) => {
  const clients = [await startClient(), await startClient(), await startClient()];
  const [a, b, c] = clients.map(({ name }) => name);
  const { code, stdout } = await runCommand(['qps', '600', '--clients', `${a},${b}`, c]);
  t.equal(code, 0, stdout);
  t.equal(stdout.match(/: 600\/s from [0-9T:.-]+Z on$/gm)?.length, 3);
  const rates = clients.map(({ steering }) => steering.rates[1]);
  t.equal(rates[0].qps, 600);
  t.same(rates[1], rates[0]);
  t.same(rates[2], rates[0]);
});

t.test('a client that cannot be reached, or has no rate, is named; the others change', async (t) => {
  const { steering, name } = await startClient();
  const closed = await startClient(true);
  const { code, stdout } = await runCommand(['qps', '0', '--clients', `127.0.0.1:1,${closed.name},${name}`]);
  t.equal(code, 1);
  t.match(stdout, /^127\.0\.0\.1:1: FAILED: cannot reach/m);
  t.match(stdout, new RegExp(`^${closed.name}: FAILED: this client runs a closed loop`, 'm'));
  t.equal(steering.rates[1].qps, 0);
});
