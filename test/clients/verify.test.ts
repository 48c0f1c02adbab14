// Tries the comparison of what a load client counted with what servers counted: agreement, every kind of difference, sums.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { addTotals, countUnanswered, emptyTotals, type LoadTotals } from '../../clients/load/load-totals.ts';
import { formatComparison } from '../../clients/load/print-result.ts';
import { compareCounts, compareWithServers, readServerCounts, type ServerCounts } from '../../clients/load/verify.ts';

const BEFORE: ServerCounts = {
  shakes: 1000,
  won: 100,
  none: 890,
  overload: 10,
  wonCents: 5000,
  notices: 7,
  grabs: 6,
  grabCents: 600,
  difference: 0,
};

const TOTALS: LoadTotals = {
  ...emptyTotals(),
  sent: 500,
  answered: 500,
  won: 40,
  none: 450,
  overload: 10,
  wonCents: 123_456,
  notices: 30,
  grabsSent: 30,
  grabsAnswered: 30,
  grabsWon: 29,
  grabsNothing: 1,
  grabCents: 99,
};

/** What a server counts if it saw just what the client did. */
const AFTER: ServerCounts = {
  shakes: 1500,
  won: 140,
  none: 1340,
  overload: 20,
  wonCents: 128_456,
  notices: 37,
  grabs: 36,
  grabCents: 699,
  difference: 0,
};

const differing = (after: ServerCounts, totals: LoadTotals) =>
  compareCounts(BEFORE, after, totals)
    .filter(({ client, server }) => client !== server)
    .map(({ what }) => what);

t.test('two ends that saw the same agree in every line', (t) => {
  t.strictSame(differing(AFTER, TOTALS), []);
  t.equal(compareCounts(BEFORE, AFTER, TOTALS).length, 11);
  t.end();
});

t.test('each count of the server that is off by one shows in its line', (t) => {
  const lines: Record<keyof ServerCounts, string[]> = {
    shakes: ['shakes', 'shakes answered'],
    won: ['won'],
    none: ['none'],
    overload: ['overload'],
    wonCents: ['won, yuan'],
    notices: ['notices'],
    grabs: ['grabs', 'grabs answered'],
    grabCents: ['grabbed, yuan'],
    difference: ['missing in the books, yuan'],
  };
  for (const [name, expected] of Object.entries(lines) as [keyof ServerCounts, string[]][]) {
    for (const by of [1, -1]) t.strictSame(differing({ ...AFTER, [name]: AFTER[name] + by }, TOTALS), expected, name);
  }
  t.end();
});

t.test('each count of the client that is off shows in its line', (t) => {
  const lines: Partial<Record<keyof LoadTotals, string>> = {
    sent: 'shakes',
    answered: 'shakes answered',
    won: 'won',
    none: 'none',
    overload: 'overload',
    wonCents: 'won, yuan',
    notices: 'notices',
    grabsSent: 'grabs',
    grabsAnswered: 'grabs answered',
    grabCents: 'grabbed, yuan',
  };
  for (const [name, line] of Object.entries(lines) as [keyof LoadTotals, string][]) {
    t.strictSame(differing(AFTER, { ...TOTALS, [name]: TOTALS[name] + 1 }), [line]);
  }
  t.end();
});

t.test('the comparison is printed with the difference, money in yuan', (t) => {
  const lines = formatComparison(compareCounts(BEFORE, { ...AFTER, won: 139, wonCents: 128_556 }, TOTALS));
  t.strictSame(lines.slice(0, 4).concat(lines[6]), [
    'both ends                     client    server',
    'shakes                           500       500           agree',
    'shakes answered                  500       500           agree',
    'won                               40        39    differ by -1',
    'won, yuan                   1,234.56  1,235.56  differ by 1.00',
  ]);
  t.end();
});

t.test('totals of threads add up, and what has no reply is counted', (t) => {
  const sum = addTotals([TOTALS, { ...TOTALS, sent: 510, lostConnections: 3 }, emptyTotals()]);
  t.match(sum, { sent: 1010, answered: 1000, lostConnections: 3, grabCents: 198, connected: 0 });
  t.equal(countUnanswered(sum), 10);
  t.equal(countUnanswered({ ...TOTALS, grabsSent: 35 }), 5);
  t.strictSame(addTotals([]), emptyTotals());
  t.end();
});

/** Serves GET /status with these counts, one after the other; the last stays. */
async function serveStatus(t: Test, counts: ServerCounts[]): Promise<string> {
  const server: Server = createServer((_request, response) => {
    const now = counts.length > 1 ? counts.shift()! : counts[0];
    response.end(
      JSON.stringify({
        requests: { shake: now.shakes, grab: now.grabs },
        shakes: { won: now.won, wonCents: now.wonCents, none: now.none, overload: now.overload },
        grabs: { wonCents: now.grabCents },
        notices: { sent: now.notices },
        money: { difference: now.difference },
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('the counts of several servers are added', async (t) => {
  const urls = await Promise.all([serveStatus(t, [BEFORE]), serveStatus(t, [AFTER])]);
  const sum = await readServerCounts(urls);
  t.strictSame(await readServerCounts(urls.slice(0, 1)), BEFORE);
  for (const name of Object.keys(BEFORE) as (keyof ServerCounts)[])
    t.equal(sum[name], BEFORE[name] + AFTER[name], name);
});

t.test('a server that is a moment late still agrees', async (t) => {
  const url = await serveStatus(t, [{ ...AFTER, notices: 36 }, { ...AFTER, grabs: 35 }, AFTER]);
  const comparisons = await compareWithServers([url], BEFORE, TOTALS);
  t.ok(comparisons.every(({ client, server }) => client === server));
});

t.test('a server that cannot be read is an error that names it', async (t) => {
  const url = await serveStatus(t, [AFTER]);
  await t.rejects(readServerCounts([url, 'http://127.0.0.1:1']));
  const server = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const bad = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await t.rejects(readServerCounts([bad]), { message: `${bad}/status answered 503` });
});
