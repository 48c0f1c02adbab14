// Tries the slot rule: load clients that do not talk to each other send exactly Q requests a second, everybody in turn.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { partOf } from '../../clients/load/load-options.ts';
import { dueMs, firstNumberAt, type Population, userOf } from '../../clients/load/slot-rule.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

const population = fc.record({
  first: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 31 - 1_000_000 })),
  users: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20_000 })),
  qps: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 3000 }), fc.constantFrom(1000, 3000)),
});

/** Seconds since 1970: now, and as long as this may run. */
const second = fc.integer({ min: 1_700_000_000, max: 4_000_000_000 });

/** The numbers of the requests that are due in [fromMs, untilMs). */
function numbersIn(rule: Population, fromMs: number, untilMs: number): number[] {
  const first = firstNumberAt(rule, fromMs);
  return Array.from({ length: firstNumberAt(rule, untilMs) - first }, (_, i) => first + i);
}

t.test('however the users are spread over clients and threads, each second has exactly Q requests', (t) =>
  checkProperty(
    t,
    'the parts add up to Q in every whole second, and no part sends for another',
    fc.property(
      population,
      second,
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
      (rule, second, clients) => {
        const all = [rule.first, rule.first + rule.users - 1] as const;
        // Each client has a part of the users, and each of its threads a part of that.
        const parts = clients.flatMap((threads, client) => {
          const ofClient = partOf(all, client, clients.length);
          return Array.from({ length: threads }, (_, thread) => partOf(ofClient, thread, threads));
        });
        const sent = parts.map(([first, last]) =>
          numbersIn(rule, second * 1000, (second + 3) * 1000).filter((number) => {
            const user = userOf(rule, number);
            return user >= first && user <= last;
          }),
        );
        for (let s = second; s < second + 3; s++) {
          const ofSecond = sent.flat().filter((number) => {
            const due = dueMs(rule, number);
            return due >= s * 1000 && due < (s + 1) * 1000;
          });
          assert.equal(ofSecond.length, rule.qps);
        }
        assert.equal(new Set(sent.flat()).size, 3 * rule.qps, 'no request is sent by two');
      },
    ),
    300,
  ),
);

t.test('everybody shakes once before anybody shakes twice, from whatever moment on', (t) =>
  checkProperty(
    t,
    'any N requests in a row belong to N users, also across seconds',
    fc.property(
      population,
      fc.integer({ min: 1, max: 200 }),
      second,
      fc.integer({ min: 0, max: 999 }),
      (anyRule, users, second, ms) => {
        const rule = { ...anyRule, users };
        const first = firstNumberAt(rule, second * 1000 + ms);
        const sequence = Array.from({ length: 3 * users }, (_, i) => userOf(rule, first + i));
        const round = new Set(sequence.slice(0, users));
        assert.equal(round.size, users);
        for (const user of round) assert(user >= rule.first && user < rule.first + users);
        for (let i = users; i < sequence.length; i++)
          assert.equal(sequence[i], sequence[i - users], 'and in one order');
      },
    ),
    300,
  ),
);

t.test('numbers and due times go up together, in even steps', (t) =>
  checkProperty(
    t,
    'the next request is due 1/Q later',
    fc.property(population, second, fc.nat(10_000), (rule, second, skip) => {
      const first = second * rule.qps + (skip % rule.qps);
      for (let number = first; number < first + 50; number++) {
        const step = dueMs(rule, number + 1) - dueMs(rule, number);
        assert(Math.abs(step - 1000 / rule.qps) < 0.001, `a step of ${step} ms at ${rule.qps}/s`);
      }
    }),
    300,
  ),
);

t.test('the first request of a moment is the first that is not due before it', (t) =>
  checkProperty(
    t,
    'the request before is due before, this one is not',
    fc.property(population, second, fc.integer({ min: 0, max: 999 }), (rule, second, ms) => {
      const at = second * 1000 + ms;
      const number = firstNumberAt(rule, at);
      assert(dueMs(rule, number) >= at, 'due then or later');
      assert(dueMs(rule, number - 1) < at, 'the one before was due earlier');
    }),
    3000,
  ),
);

t.test('two stretches of time that meet share no request and miss none', (t) =>
  checkProperty(
    t,
    'the requests up to a moment and those from it on are all there are',
    fc.property(population, second, fc.tuple(fc.nat(5000), fc.nat(5000)), (rule, second, offsets) => {
      const [fromMs, cutMs, untilMs] = [0, ...offsets.sort((a, b) => a - b)].map((ms) => second * 1000 + ms);
      assert.deepEqual(
        [...numbersIn(rule, fromMs, cutMs), ...numbersIn(rule, cutMs, untilMs)],
        numbersIn(rule, fromMs, untilMs),
      );
      if ((untilMs - fromMs) % 1000 === 0) {
        assert.equal(numbersIn(rule, fromMs, untilMs).length, ((untilMs - fromMs) / 1000) * rule.qps);
      }
    }),
    1000,
  ),
);

t.test('a duration of whole seconds from any millisecond has exactly Q requests for each', (t) => {
  const wrong: string[] = [];
  for (const qps of [1, 3, 7, 100, 1000, 3000, 30_000, 60_000, 1_000_000]) {
    const rule = { first: 0, users: 10_000, qps };
    for (let ms = 0; ms < 1000; ms++) {
      const from = 1_800_000_000_000 + ms;
      const count = firstNumberAt(rule, from + 2000) - firstNumberAt(rule, from);
      const exact = Number((BigInt(from) * BigInt(qps) + 999n) / 1000n);
      if (count !== 2 * qps || firstNumberAt(rule, from) !== exact) wrong.push(`${qps}/s from ${ms} ms`);
    }
  }
  t.strictSame(wrong, []);
  t.end();
});
