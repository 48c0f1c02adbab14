// Tries the layout of tables, and that amounts and counts are printed exactly.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { formatCents, formatCount, formatMs, formatTable } from '../../lib/monitor/text-table.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

t.test('the first column is on the left, the others on the right, and no line ends with spaces', (t) => {
  t.strictSame(
    formatTable([
      ['', 'count', 'yuan'],
      ['shakes', '1,000', ''],
      ['  won', '5', '12.34'],
    ]),
    [
      '        count   yuan', //
      'shakes  1,000',
      '  won       5  12.34',
    ],
  );
  t.strictSame(formatTable([['one']]), ['one']);
  t.end();
});

t.test('cents are printed as yuan, to the cent', (t) => {
  const amounts: [number, string][] = [
    [0, '0.00'],
    [1, '0.01'],
    [99, '0.99'],
    [100, '1.00'],
    [101, '1.01'],
    [99_999, '999.99'],
    [100_000, '1,000.00'],
    [123_456_789, '1,234,567.89'],
    [-1, '-0.01'],
    [-99, '-0.99'],
    [-100, '-1.00'],
    [-100_005, '-1,000.05'],
    [Number.MAX_SAFE_INTEGER, '90,071,992,547,409.91'],
    [Number.MIN_SAFE_INTEGER, '-90,071,992,547,409.91'],
  ];
  for (const [cents, text] of amounts) t.equal(formatCents(cents), text);
  t.end();
});

t.test('every amount can be read back from what is printed', (t) =>
  checkProperty(
    t,
    'the printed text names the amount exactly',
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -2000, max: 2000 })), (cents) => {
      const text = formatCents(cents);
      assert.match(text, /^-?\d{1,3}(,\d{3})*\.\d{2}$/);
      assert.equal(BigInt(text.replace(/[,.]/g, '')), BigInt(cents));
    }),
    2000,
  ),
);

t.test('counts have commas, and rates are rounded', (t) => {
  const counts: [number, string][] = [
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
    [-1234, '-1,234'],
    [1999.5, '2,000'],
    [0.4, '0'],
    [Number.MAX_SAFE_INTEGER, '9,007,199,254,740,991'],
  ];
  for (const [count, text] of counts) t.equal(formatCount(count), text);
  t.end();
});

t.test('microseconds are printed as milliseconds with three decimals', (t) => {
  t.strictSame([0, 1, 999, 1000, 1234, 60_000_000].map(formatMs), [
    '0.000',
    '0.001',
    '0.999',
    '1.000',
    '1.234',
    '60000.000',
  ]);
  t.end();
});
