// The rule that says whether costs stay flat along an axis, and the middle and the spread of a few runs.

/** The most that a point may cost, in terms of the first one. */
const MOST_GROWTH = 1.2;

export interface Spread {
  median: number;
  least: number;
  most: number;
}

/** @param values at least one */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const median = (sorted[Math.floor(half)] + sorted[Math.ceil(half) - 1]) / 2;
  return { median, least: sorted[0], most: sorted.at(-1)! };
}

/** What a request costs at a point of an axis. */
export interface PointCost {
  label: string;
  cost: number;
}

export interface Flatness {
  isFlat: boolean;
  sentence: string;
}

/**
 * Flat: no point costs more than the first by above a fifth. That later points cost less is no fault.
 * @param points in the order of the axis; at least one
 */
export function judgeFlatness(points: readonly PointCost[]): Flatness {
  const [first] = points;
  const dearest = points.reduce((most, point) => (point.cost > most.cost ? point : most));
  const cheapest = points.reduce((least, point) => (point.cost < least.cost ? point : least));
  const isFlat = dearest.cost <= first.cost * MOST_GROWTH;
  const overFirst = `${timesOf(dearest.cost, first.cost)} the first (${first.label})`;
  const overCheapest = `${timesOf(dearest.cost, cheapest.cost)} the cheapest (${cheapest.label})`;
  return {
    isFlat,
    sentence: `${isFlat ? 'flat' : 'NOT FLAT'}: the dearest (${dearest.label}) is ${overFirst}, ${overCheapest}`,
  };
}

function timesOf(cost: number, base: number): string {
  return `${(base === 0 ? 1 : cost / base).toFixed(2)} times`;
}
