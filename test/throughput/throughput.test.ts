// Throughput tests: a real server process under the real load client. They assert that every request was answered exactly
// once and that both ends agree in counts and cents; the rates and percentiles reached are printed, never asserted.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeDataDirectory } from '../data-directory.ts';
import { runCommand, ServerProcess } from '../server-process.ts';

interface LoadJson {
  totals: Record<string, number>;
  answeredPerSecond: number;
  latency: Record<'shake' | 'grab', Record<string, number>>;
  comparisons: { what: string; client: number; server: number }[];
  faults: string[];
}

interface Scenario {
  name: string;
  serve?: string[];
  load: string[];
  drop?: { count: number; rate: number; budget: number };
  send?: { count: number; rate: number; shares: number; total: number; users: number[] };
  /** Shakes that the open loop sends exactly. */
  shakes?: number;
}

const scenarios: Scenario[] = [
  {
    name: 'open loop with a drop and a send running',
    load: ['--connections', '2000', '--qps', '10000', '--duration', '6'],
    drop: { count: 800, rate: 200, budget: 80_000 },
    send: { count: 400, rate: 200, shares: 3, total: 300, users: [0, 1999] },
    shakes: 60_000,
  },
  {
    name: 'closed loop, 100 connections',
    load: ['--closed', '--connections', '100', '--duration', '3'],
  },
  {
    name: 'closed loop, 100 connections, 32 deep, with a drop running',
    load: ['--closed', '--connections', '100', '--pipeline', '32', '--duration', '4'],
    drop: { count: 1000, rate: 500, budget: 500_000 },
  },
  {
    name: 'closed loop with every shake crossing the rings',
    serve: ['--losing-shake', 'worker', '--workers', '2', '--acceptors', '2'],
    load: ['--closed', '--connections', '100', '--pipeline', '8', '--duration', '3'],
    drop: { count: 500, rate: 500, budget: 50_000 },
  },
  {
    name: 'two threads of clients, more shakes than the server is likely to answer at once',
    load: ['--threads', '2', '--connections', '3000', '--qps', '40000', '--duration', '4', '--drain', '30'],
    drop: { count: 400, rate: 200, budget: 40_000 },
    send: { count: 200, rate: 200, shares: 3, total: 30, users: [0, 2999] },
    shakes: 160_000,
  },
];

for (const scenario of scenarios) {
  t.test(`${scenario.name}: everything is answered once and both ends agree`, async (t) => {
    const server = await ServerProcess.start(['--report-seconds', '1', ...(scenario.serve ?? [])]);
    t.teardown(() => server.signal('SIGKILL'));
    const result = await runLoadBeside(server, scenario);

    t.strictSame(result.faults, [], 'the load client found nothing wrong');
    t.equal(result.totals.answered, result.totals.sent, 'every shake was answered once');
    t.ok(result.totals.sent > 0, 'there was load');
    if (scenario.shakes !== undefined)
      t.equal(result.totals.sent, scenario.shakes, 'the open loop sent what was asked');
    for (const { what, client, server } of result.comparisons) t.equal(client, server, `both ends agree: ${what}`);
    await checkCampaigns(t, server, scenario, result);
    printReached(t, result);

    const { code, stdout } = await server.stop();
    t.equal(code, 0, 'the server stopped in good order');
    t.match(stdout, /p99\.9/, 'and had printed its latency histograms');
  });
}

/** Runs the load client, and starts the drop and the send while it shakes. */
async function runLoadBeside(server: ServerProcess, scenario: Scenario): Promise<LoadJson> {
  const file = join(makeDataDirectory(), 'load.json');
  const load = runCommand([
    'load',
    ...['--target', `127.0.0.1:${server.port}`, '--verify', server.controlUrl, '--json', file],
    ...scenario.load,
  ]);
  await untilShaking(server);
  if (scenario.drop !== undefined) await server.call('POST', '/drops', scenario.drop);
  if (scenario.send !== undefined) await server.call('POST', '/sends', scenario.send);
  const { stderr } = await load;
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new Error(`the load client wrote no result: ${stderr}`);
  }
}

async function untilShaking(server: ServerProcess): Promise<void> {
  for (;;) {
    const { requests } = (await server.call('GET', '/status')) as { requests: { shake: number } };
    if (requests.shake > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function checkCampaigns(t: Test, server: ServerProcess, scenario: Scenario, result: LoadJson): Promise<void> {
  const { drop, send } = scenario;
  if (drop !== undefined) {
    t.match(
      await server.call('GET', '/drops/1'),
      { released: drop.count, claimed: drop.count, claimedCents: drop.budget, refundedCents: 0, state: 'closed' },
      'every packet of the drop was won, and its budget used to the cent',
    );
    t.equal(result.totals.won, drop.count);
    t.equal(result.totals.wonCents, drop.budget);
  }
  if (send !== undefined) {
    const shares = send.count * send.shares;
    const cents = send.count * send.total;
    t.match(
      await server.call('GET', '/sends/1'),
      { created: send.count, grabbedShares: shares, totalCents: cents, claimedCents: cents, state: 'closed' },
      'every share of the send was grabbed',
    );
    t.equal(result.totals.grabsWon, shares);
    t.equal(result.totals.grabCents, cents);
  }
}

function printReached(t: Test, { answeredPerSecond, latency, totals }: LoadJson): void {
  const ms = (us: number) => (us / 1000).toFixed(3);
  for (const [kind, s] of Object.entries(latency)) {
    if (s.count === 0) continue;
    t.comment(
      `${kind}: p50 ${ms(s.p50Us)} p90 ${ms(s.p90Us)} p99 ${ms(s.p99Us)} p99.9 ${ms(s.p999Us)} max ${ms(s.maxUs)} ms`,
    );
  }
  t.comment(`${Math.round(answeredPerSecond)} shakes/s answered, ${totals.overload} of ${totals.sent} shed`);
}
