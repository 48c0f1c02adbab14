// The parts of the dashboard that need no browser: money as text, the seconds it keeps, its buckets, its texts, its files.

import { readdirSync, readFileSync } from 'node:fs';
import Fastify from 'fastify';
import t from 'tap';
import { bucketEndMs, bucketOf } from '../../lib/control/page/heat-buckets.ts';
import { formatYuan, parseYuan } from '../../lib/control/page/money-text.ts';
import { KEPT_SECONDS, SecondStore } from '../../lib/control/page/second-store.ts';
import { TEXTS } from '../../lib/control/page/texts.ts';
import { addPage } from '../../lib/control/page-files.ts';
import { HEAT_BUCKETS, heatBoundUs } from '../../lib/monitor/latency-log.ts';
import type { LiveSecond } from '../../lib/monitor/live.ts';

const PAGE = new URL('../../lib/control/page/', import.meta.url);

t.test('yuan become cents exactly, or nothing', async (t) => {
  for (const [text, cents] of [
    ['4000', 400_000],
    ['0.29', 29],
    ['1.1', 110],
    ['1.15', 115],
    ['8.2', 820],
    [' 4,000.00 ', 400_000],
    ['１２．５', 1250],
    ['0', 0],
    ['90071992547409.91', Number.MAX_SAFE_INTEGER],
    ['90071992547409.92', undefined],
    ['', undefined],
    ['.5', undefined],
    ['5.', undefined],
    ['1.234', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['4,00', undefined],
    ['0x10', undefined],
  ] as const) {
    t.equal(parseYuan(text), cents, JSON.stringify(text));
  }
  for (let cents = 0; cents < 20_000; cents++) {
    const text = `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
    if (parseYuan(text) !== cents) t.fail(`${text} became ${parseYuan(text)}`);
  }
});

t.test('cents become yuan with two decimals', async (t) => {
  for (const [cents, text] of [
    [0, '¥0.00'],
    [29, '¥0.29'],
    [400_005, '¥4,000.05'],
    [-7, '−¥0.07'],
    [Number.MAX_SAFE_INTEGER, '¥90,071,992,547,409.91'],
  ] as const) {
    t.equal(formatYuan(cents), text);
  }
});

const second = (at: number, sent?: number): LiveSecond => ({
  second: at,
  ...(sent === undefined ? {} : { client: { sources: 1, rates: { sent }, gauges: {}, latency: {} } }),
});

t.test('a second that never came is a gap, and one that comes again replaces itself', async (t) => {
  const store = new SecondStore({ sent: ({ client }) => client?.rates.sent }, {});
  for (const [at, sent] of [
    [1000, 5],
    [1001, 6],
    [1003, undefined],
    [1004, 8],
    [1001, 7],
  ] as const) {
    store.put(second(at, sent));
  }
  t.equal(store.latest, 1004);
  t.strictSame(store.column('sent', 1005, 7), [null, 5, 7, null, null, 8, null]);
});

t.test('the oldest seconds make room for new ones', async (t) => {
  const row = { first: 3, counts: [1] };
  const store = new SecondStore({ sent: ({ client }) => client?.rates.sent }, { heat: () => row });
  for (let at = 5000; at < 5000 + KEPT_SECONDS + 2; at++) store.put(second(at, at));
  const kept = store.column('sent', store.latest, KEPT_SECONDS);
  t.equal(kept[0], 5002);
  t.equal(kept.at(-1), 5000 + KEPT_SECONDS + 1);
  t.strictSame(store.column('sent', 5002, 3), [null, null, 5002]);
  t.strictSame(store.heat('heat', 5002, 3), [null, null, row]);
});

t.test('the buckets of the heat map are those of the monitor', async (t) => {
  for (let bucket = 0; bucket < HEAT_BUCKETS; bucket++) {
    t.ok(Math.abs((bucketEndMs(bucket) * 1000) / heatBoundUs(bucket) - 1) < 1e-9);
    t.equal(bucketOf(bucketEndMs(bucket) * 0.99), bucket);
  }
  t.equal(bucketOf(0.000_1), 0);
});

t.test(
  'the texts in the markup are the English ones, and every text has the same values in both languages',
  async (t) => {
    const html = readFileSync(new URL('index.html', PAGE), 'utf8');
    const texts: Record<string, readonly [string, string]> = TEXTS;
    const words = [...html.matchAll(/ data-word="([^"]+)"[^>]*>([^<]*)</g)].map(([, key, text]) => [key, text]);
    t.ok(words.length > 50);
    t.strictSame(
      words,
      words.map(([key]) => [key, texts[key]?.[0]]),
    );
    for (const [, key] of html.matchAll(/ data-label-word="([^"]+)"/g)) t.ok(texts[key], key);
    const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    const differing = Object.entries(texts).filter(([, [en, zh]]) => values(en).join() !== values(zh).join());
    t.strictSame(differing, []);
  },
);

t.test('every file of the page is served with its type and the strict headers, and no other', async (t) => {
  const app = Fastify();
  t.teardown(() => app.close());
  addPage(app);
  const files = readdirSync(PAGE).filter((name) => !/^(index\.html|tsconfig\.json|.*\.d\.ts)$/.test(name));
  const paths = files.map((name) => `/page/${name === 'main.ts' ? 'main.js' : name}`);
  for (const path of ['/', '/page/uplot.js', '/page/uplot.css', ...paths]) {
    const { statusCode, headers } = await app.inject(path);
    t.equal(statusCode, 200, path);
    const type = {
      js: 'text/javascript',
      ts: 'text/javascript',
      css: 'text/css',
      svg: 'image/svg+xml',
      '/': 'text/html',
    };
    t.match(headers['content-type'], type[path.split('.').at(-1) as keyof typeof type]);
    t.match(headers, {
      'content-security-policy': /^default-src 'self';.* frame-ancestors 'none'$/,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    });
    t.notMatch(headers['content-security-policy'], 'unsafe');
  }
  for (const path of [
    '/page/',
    '/page/tsconfig.json',
    '/page/uplot.d.ts',
    '/page/..%2fschemas.ts',
    '/page/../schemas.ts',
  ]) {
    t.equal((await app.inject(path)).statusCode, 404, path);
  }
  const { body } = await app.inject('/page/money-text.ts');
  t.notMatch(body, 'text: string', 'the types are gone');
});
