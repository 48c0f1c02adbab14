// What a split must fulfil, as a checker that takes any implementation and says what it gets wrong.
//
// split.test.ts gives it ours, which must have no findings, and splits that are known to be wrong, which must have some:
// so the checker itself is tried.

import fc from 'fast-check';
import { MAX_AMOUNT_CENTS } from '../../lib/packets/limits.ts';
import type { SplitMode, SplitRequest, split } from '../../lib/packets/split.ts';
import { seedBytes } from './seed.ts';
import { findBadFit, findBadMean, findUneven } from './statistics.ts';

export type SplitFunction = typeof split;

/** What can be wrong with a split. */
export type SplitFault =
  | 'does not split'
  | 'writes elsewhere'
  | 'does not add up'
  | 'leaves the bounds'
  | 'does not repeat'
  | 'ignores the seed'
  | 'is not equal'
  | 'favours places'
  | 'has another distribution';

export interface SplitFinding {
  fault: SplitFault;
  detail: string;
}

export interface SplitSeeds {
  /** For fast-check. */
  seed: number;
  /** For the statistics. */
  fixedSeed: number;
}

const GUARD_WORDS = 3;
const UNTOUCHED = -77;
const ONCE_RUNS = 1000;
const SAMPLES = 6_000;

/** Everything that is wrong with an implementation in one mode, each fault once. */
export function findSplitFaults(splitFunction: SplitFunction, mode: SplitMode, seeds: SplitSeeds): SplitFinding[] {
  const found = new Map<SplitFault, string>();
  const cases = fc.tuple(requests(mode), fc.uint8Array({ minLength: 32, maxLength: 32 }));
  const onceFaults = new Set<SplitFault>();
  const look = fc.property(cases, ([request, seed]) => {
    for (const { fault } of checkOnce(splitFunction, request, seed)) onceFaults.add(fault);
  });
  fc.assert(look, { seed: seeds.seed, numRuns: ONCE_RUNS, examples: listSmallCases(mode) });
  for (const fault of onceFaults) found.set(fault, shrink(splitFunction, fault, mode, cases, seeds.seed));
  for (const { fault, detail } of checkSpread(splitFunction, mode, seeds.fixedSeed)) {
    if (!found.has(fault)) found.set(fault, detail);
    // Nothing else can be found by now.
    if (found.has('favours places') && found.has('has another distribution')) break;
  }
  return [...found].map(([fault, detail]) => ({ fault, detail }));
}

/** The smallest case that fast-check finds for a fault. */
function shrink(
  splitFunction: SplitFunction,
  fault: SplitFault,
  mode: SplitMode,
  cases: fc.Arbitrary<[SplitRequest, Uint8Array]>,
  seed: number,
): string {
  let smallest = '';
  let runs = 0;
  const property = fc.property(cases, ([request, splitSeed]) => {
    // Some faults have no end of smaller cases.
    if (runs++ > 2 * ONCE_RUNS) return true;
    for (const finding of checkOnce(splitFunction, request, splitSeed)) {
      if (finding.fault !== fault) continue;
      smallest = finding.detail;
      return false;
    }
    return true;
  });
  fc.check(property, { seed, numRuns: ONCE_RUNS, examples: listSmallCases(mode) });
  return smallest;
}

/** Every split of a few cents, whatever the seed of the run. */
function listSmallCases(mode: SplitMode): [[SplitRequest, Uint8Array]][] {
  const cases: [[SplitRequest, Uint8Array]][] = [];
  for (let shares = 1; shares <= 8; shares++) {
    for (let totalCents = shares; totalCents <= 20; totalCents++) {
      const request = { mode, totalCents, shares, minCents: 1, maxCents: totalCents };
      cases.push([[request, seedBytes(shares, totalCents)]]);
    }
  }
  return cases;
}

/** All that can be split: shares at their bounds, totals at both ends, and everything between. */
export function requests(mode: SplitMode): fc.Arbitrary<SplitRequest> {
  // The total of a sent packet lies in one Int32 word; only a drop's budget (lucky) goes past it.
  const most = mode === 'line' ? MAX_AMOUNT_CENTS : Number.MAX_SAFE_INTEGER;
  const cents = fc.oneof(
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 1, max: 20_000 }),
    fc.integer({ min: 1, max: MAX_AMOUNT_CENTS }),
  );
  const shares = fc.oneof(
    { weight: 1, arbitrary: fc.constant(1) },
    { weight: 4, arbitrary: fc.integer({ min: 2, max: 10 }) },
    { weight: 2, arbitrary: fc.integer({ min: 11, max: 300 }) },
  );
  return fc
    .tuple(shares, cents, cents, fc.constantFrom(0, 0, 1, 2), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([shares, oneBound, otherBound, end, between]) => {
      const minCents = Math.min(oneBound, otherBound, Math.floor(most / shares));
      const maxCents = Math.max(oneBound, otherBound);
      const low = shares * minCents;
      const high = Math.min(shares * maxCents, most);
      const middle = low + Math.floor(between * (high - low));
      // At an end, or up to two cents from it.
      const nearEnd = between < 0.5 ? Math.min(low + Math.floor(between * 6), high) : Math.max(high - 2, low);
      const totalCents = end === 0 ? middle : end === 1 ? nearEnd : between < 0.5 ? low : high;
      return { mode, totalCents, shares, minCents, maxCents };
    });
}

/** What one split shows. */
export function* checkOnce(splitFunction: SplitFunction, request: SplitRequest, seed: Uint8Array) {
  const detail = JSON.stringify({ ...request, seed: Buffer.from(seed).toString('hex') });
  const { shares, totalCents, minCents, maxCents } = request;
  const into = new Int32Array(shares + 2 * GUARD_WORDS).fill(UNTOUCHED);
  const again = new Int32Array(shares).fill(UNTOUCHED);
  try {
    splitFunction(request, seed, into, GUARD_WORDS);
    splitFunction(request, seed, again);
  } catch (error) {
    yield { fault: 'does not split', detail: `${detail}: ${error}` } as const;
    return;
  }
  const split = into.subarray(GUARD_WORDS, GUARD_WORDS + shares);
  const guards = [...into.subarray(0, GUARD_WORDS), ...into.subarray(GUARD_WORDS + shares)];
  if (split.includes(UNTOUCHED) || guards.some((word) => word !== UNTOUCHED)) {
    yield { fault: 'writes elsewhere', detail } as const;
  }
  if (split.reduce((sum, cents) => sum + cents, 0) !== totalCents) yield { fault: 'does not add up', detail } as const;
  if (split.some((cents) => cents < minCents || cents > maxCents))
    yield { fault: 'leaves the bounds', detail } as const;
  if (split.some((cents, i) => cents !== again[i])) yield { fault: 'does not repeat', detail } as const;
  if (request.mode !== 'equal') return;
  const base = Math.floor(totalCents / shares);
  if (split.some((cents, i) => cents !== base + (i < totalCents % shares ? 1 : 0))) {
    yield { fault: 'is not equal', detail } as const;
  }
}

/** What many splits show. */
function* checkSpread(splitFunction: SplitFunction, mode: SplitMode, seed: number): Generator<SplitFinding> {
  if (mode === 'equal') return;
  const wide = { mode, totalCents: 100_000, shares: 10, minCents: 1, maxCents: 100_000 };
  const outcomes = new Set<string>();
  for (let i = 0; i < 100; i++) outcomes.add(splitOnce(splitFunction, wide, seedBytes(seed, i)).join());
  if (outcomes.size < 100) yield { fault: 'ignores the seed', detail: `${outcomes.size} outcomes of 100 seeds` };
  for (const request of [
    wide,
    { mode, totalCents: 10, shares: 3, minCents: 1, maxCents: 20_000 },
    { mode, totalCents: 9000, shares: 5, minCents: 500, maxCents: 2500 },
    { mode, totalCents: 1900, shares: 4, minCents: 1, maxCents: 500 },
  ]) {
    yield* checkPlaces(splitFunction, request, seed);
  }
  for (const request of [
    // Two shares: lucky is uniform on [m, R - m] whichever place, and in the bounds that the maximum leaves.
    { mode, totalCents: 30, shares: 2, minCents: 3, maxCents: 27 },
    { mode, totalCents: 31, shares: 2, minCents: 1, maxCents: mode === 'line' ? 31 : 20 },
    { mode, totalCents: 11, shares: 3, minCents: 1, maxCents: 11 },
    { mode, totalCents: 20, shares: 3, minCents: 4, maxCents: mode === 'line' ? 20 : 9 },
  ]) {
    yield* checkDistribution(splitFunction, request, seed);
  }
}

/** Every place has the same mean, and the largest share is as often at each. */
function* checkPlaces(splitFunction: SplitFunction, request: SplitRequest, seed: number): Generator<SplitFinding> {
  const { shares, totalCents } = request;
  const sums = new Array<number>(shares).fill(0);
  const squares = new Array<number>(shares).fill(0);
  const largestAt = new Array<number>(shares).fill(0);
  for (let i = 0; i < SAMPLES; i++) {
    const split = splitOnce(splitFunction, request, seedBytes(seed, i));
    for (let place = 0; place < shares; place++) {
      sums[place] += split[place];
      squares[place] += split[place] ** 2;
    }
    const largest = Math.max(...split);
    if (split.indexOf(largest) === split.lastIndexOf(largest)) largestAt[split.indexOf(largest)]++;
  }
  const about = JSON.stringify(request);
  for (let place = 0; place < shares; place++) {
    const wrong = findBadMean(totalCents / shares, SAMPLES, sums[place], squares[place]);
    if (wrong) yield { fault: 'favours places', detail: `${about}: place ${place}: ${wrong}` };
  }
  const uneven = findUneven(largestAt);
  if (uneven) yield { fault: 'favours places', detail: `${about}: the largest is at ${largestAt}: ${uneven}` };
}

/** Every outcome is as likely as it should be. */
function* checkDistribution(
  splitFunction: SplitFunction,
  request: SplitRequest,
  seed: number,
): Generator<SplitFinding> {
  const chances = request.mode === 'lucky' ? listLuckyChances(request) : listLineChances(request);
  const counts = new Map<string, number>([...chances.keys()].map((outcome) => [outcome, 0]));
  const about = JSON.stringify(request);
  for (let i = 0; i < SAMPLES; i++) {
    const outcome = splitOnce(splitFunction, request, seedBytes(seed, i)).join();
    const count = counts.get(outcome);
    if (count === undefined) {
      yield { fault: 'has another distribution', detail: `${about}: ${outcome} cannot be` };
      return;
    }
    counts.set(outcome, count + 1);
  }
  const wrong = findBadFit([...counts.values()], [...chances.values()]);
  if (wrong) yield { fault: 'has another distribution', detail: `${about}: ${wrong}` };
}

/** The chance of every outcome of `lucky`: all draws within the bounds of DESIGN.md section 4, in all orders. */
export function listLuckyChances({ totalCents, shares, minCents, maxCents }: SplitRequest): Map<string, number> {
  const chances = new Map<string, number>();
  const orders = listOrders(shares);
  const draw = (drawn: number[], restCents: number, chance: number) => {
    const left = shares - drawn.length;
    if (left === 1) {
      const all = [...drawn, restCents];
      for (const order of orders) {
        const outcome = order.map((i) => all[i]).join();
        chances.set(outcome, (chances.get(outcome) ?? 0) + chance / orders.length);
      }
      return;
    }
    const low = Math.max(minCents, restCents - (left - 1) * maxCents);
    const high = Math.min(Math.floor((2 * restCents) / left) - minCents, maxCents, restCents - (left - 1) * minCents);
    for (let cents = low; cents <= high; cents++) draw([...drawn, cents], restCents - cents, chance / (high - low + 1));
  };
  draw([], totalCents, 1);
  return chances;
}

/** The chance of every outcome of `line` where the maximum does not bind: all compositions alike. */
export function listLineChances({ totalCents, shares, minCents }: SplitRequest): Map<string, number> {
  const outcomes: string[] = [];
  const add = (parts: number[], restCents: number) => {
    if (parts.length === shares - 1) {
      outcomes.push([...parts, restCents].join());
      return;
    }
    const high = restCents - (shares - parts.length - 1) * minCents;
    for (let cents = minCents; cents <= high; cents++) add([...parts, cents], restCents - cents);
  };
  add([], totalCents);
  return new Map(outcomes.map((outcome) => [outcome, 1 / outcomes.length]));
}

function listOrders(count: number): number[][] {
  if (count === 0) return [[]];
  return listOrders(count - 1).flatMap((order) =>
    Array.from({ length: count }, (_, at) => [...order.slice(0, at), count - 1, ...order.slice(at)]),
  );
}

function splitOnce(splitFunction: SplitFunction, request: SplitRequest, seed: Uint8Array): number[] {
  const into = new Int32Array(request.shares);
  splitFunction(request, seed, into);
  return [...into];
}
