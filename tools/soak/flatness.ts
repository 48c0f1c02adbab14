// Whether something that was sampled over time stays flat: a straight line through the second half of the samples, and the
// largest step between neighbouring parts of that half. The first half is warm-up: caches, pools and compiled code fill.

/** A value at a moment. */
export interface Point {
  atSeconds: number;
  value: number;
}

/** What counts as flat. */
export interface FlatRule {
  /** How much the line may rise in an hour, as a share of the mean: 0.1 is a tenth. */
  perHour: number;
  /** How much it may rise over the second half in any case: what the values swing by themselves. In their unit. */
  slack: number;
  /** How much one part may lie above the part before it. In the unit of the values. */
  step: number;
}

/** What was found. All in the unit of the values, but `risePerHour`, which is a share of the mean. */
export interface Flatness {
  mean: number;
  highest: number;
  /** What the line rises from the first to the last sample of the second half, and what it may. */
  rise: number;
  mayRise: number;
  risePerHour: number;
  largestStep: number;
  isFlat: boolean;
}

/** Parts of the second half that are compared for a step. */
const PARTS = 6;

/** Samples that a verdict takes at the least. */
export const LEAST_POINTS = 2 * PARTS;

const HOUR_SECONDS = 3600;

/** Judges samples in the order of their time. @throws {Error} if there are fewer than LEAST_POINTS */
export function judgeFlat(points: readonly Point[], { perHour, slack, step }: FlatRule): Flatness {
  if (points.length < LEAST_POINTS) throw new Error(`${points.length} samples are too few: run for longer`);
  const half = points.slice(Math.floor(points.length / 2));
  const seconds = half.at(-1)!.atSeconds - half[0].atSeconds;
  const mean = meanOf(half);
  const slope = slopeOf(half);
  const rise = slope * seconds;
  const mayRise = Math.max(slack, (mean * perHour * seconds) / HOUR_SECONDS);
  const largestStep = findLargestStep(half);
  return {
    mean,
    highest: Math.max(...points.map(({ value }) => value)),
    rise,
    mayRise,
    risePerHour: mean === 0 ? 0 : (slope * HOUR_SECONDS) / mean,
    largestStep,
    isFlat: rise <= mayRise && largestStep <= step,
  };
}

function meanOf(points: readonly Point[]): number {
  return points.reduce((sum, { value }) => sum + value, 0) / points.length;
}

/** The slope of the line of least squares, in units of the value a second; 0 for samples of one moment. */
function slopeOf(points: readonly Point[]): number {
  const middle = points.reduce((sum, { atSeconds }) => sum + atSeconds, 0) / points.length;
  const mean = meanOf(points);
  let above = 0;
  let below = 0;
  for (const { atSeconds, value } of points) {
    above += (atSeconds - middle) * (value - mean);
    below += (atSeconds - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** By how much the mean of a part lies above that of the part before it, at the most; 0 if none does. */
function findLargestStep(points: readonly Point[]): number {
  let largest = 0;
  let last = Number.POSITIVE_INFINITY;
  for (let part = 0; part < PARTS; part++) {
    const from = Math.floor((points.length * part) / PARTS);
    const mean = meanOf(points.slice(from, Math.floor((points.length * (part + 1)) / PARTS)));
    largest = Math.max(largest, mean - last);
    last = mean;
  }
  return largest;
}
