// GET /metrics of a running server: the same counts as its status, in a form that Prometheus reads, and buckets that add up.

import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Server } from '../../lib/server.ts';
import { waitFor } from '../net/raw-client.ts';
import { call, join, serve } from '../net/test-server.ts';

/** The samples of a scrape, by name and labels. @throws {Error} for a line that is none of the format's */
async function scrape(server: Server): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${server.controlPort}/metrics`);
  t.equal(response.status, 200);
  t.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const samples = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of (await response.text()).split('\n')) {
    if (line === '') continue;
    const type = /^# TYPE ([a-z_][a-z_0-9]*) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) typed.add(type[1]);
    if (line.startsWith('#')) continue;
    const sample = /^(([a-z_][a-z_0-9]*)(?:\{[a-z_A-Z]+="[^"]*"(?:,[a-z_A-Z]+="[^"]*")*\})?) (\S+)$/.exec(line);
    // The mean of a delay that was not measured yet is no number.
    const isNumber = sample !== null && (!Number.isNaN(Number(sample[3])) || sample[2].startsWith('nodejs_eventloop'));
    if (!isNumber) throw new Error(`not a sample: ${line}`);
    const family = sample[2].replace(/_(bucket|sum|count)$/, '');
    if (!typed.has(sample[2]) && !typed.has(family)) throw new Error(`a sample without a type: ${line}`);
    if (samples.has(sample[1])) throw new Error(`twice: ${line}`);
    samples.set(sample[1], Number(sample[3]));
  }
  return samples;
}

t.test('what was counted is there, scrape after scrape', async (t) => {
  const server = await serve(t, { sets: 16 });
  const client = await join(t, server, 7);
  for (let i = 0; i < 20; i++) await client.shake();
  await call(server, 'POST', '/users/7/topup', { cents: 500, key: 'a' });
  await waitFor('the latencies', async () => (await server.status()).latency.shake.count === 20);
  for (let i = 0; i < 2; i++) {
    const samples = await scrape(server);
    t.equal(samples.get('hongbao_requests_total{opcode="shake"}'), 20);
    t.equal(samples.get('hongbao_shakes_total{result="none"}'), 20);
    t.equal(samples.get('hongbao_connections'), 1);
    t.equal(samples.get('hongbao_connections_closed_total{reason="peer"}'), 0, 'also what has not happened yet');
    t.equal(samples.get('hongbao_sessions'), 1);
    t.equal(samples.get('hongbao_money_cents{account="difference"}'), 0);
    t.equal(samples.get('hongbao_journal_records_total'), (await server.status()).journal.records);
    t.ok(samples.get('hongbao_journal_sync_seconds_total')! > 0);
    t.equal(samples.get('hongbao_request_seconds_count{request="shake"}'), 20);
    t.equal(samples.get('hongbao_request_seconds_bucket{le="+Inf",request="shake"}'), 20);
    t.ok(samples.has('process_resident_memory_bytes'), "and Node's own");
  }
});

t.test('buckets only grow with their bound, and two scrapes at a time do not disturb each other', async (t) => {
  const server = await serve(t, { sets: 16 });
  const client = await join(t, server, 7);
  for (let i = 0; i < 50; i++) await client.shake();
  await waitFor('the latencies', async () => (await server.status()).latency.shake.count === 50);
  for (const samples of await Promise.all([scrape(server), scrape(server), scrape(server)])) {
    const buckets = [...samples]
      .filter(([name]) => /_bucket\{.*request="shake"\}/.test(name))
      .map(([, value]) => value);
    t.equal(buckets.length, 17);
    t.same(
      buckets,
      buckets.toSorted((a, b) => a - b),
    );
    t.equal(samples.get('hongbao_requests_total{opcode="shake"}'), 50);
  }
});

interface Panel {
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { expr: string }[];
}

t.test('the dashboard for Grafana asks only for what is there, and its panels do not overlap', async (t) => {
  const server = await serve(t, { sets: 16 });
  const client = await join(t, server, 7);
  await client.close();
  await waitFor('the close to be counted', async () => (await server.status()).connections.open === 0);
  const samples = [...(await scrape(server)).keys()];
  const file = new URL('../../tools/grafana/dashboard.json', import.meta.url);
  const { panels } = JSON.parse(readFileSync(file, 'utf8')) as { panels: Panel[] };
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      for (const [, name, labels] of expr.matchAll(
        /((?:hongbao|process|nodejs)_[a-z_]+)\{instance=~"\$instance",?([^}]*)\}/g,
      )) {
        const isThere = samples.some((sample) => sample.split('{')[0] === name && sample.includes(labels));
        t.ok(isThere, `${title}: ${name} ${labels}`);
      }
      t.match(expr, /instance=~/, `${title} follows the choice of servers`);
    }
  }
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  t.equal(new Set(cells).size, cells.length);
});
