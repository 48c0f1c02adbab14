// Judges whether counts agree with the chances they should follow.

/** Chance of a false alarm of one judgement: about 1 in 3.5 million (five standard deviations). */
const DEVIATIONS = 5;

/**
 * Pearson's chi-square. Returns undefined if the counts agree with the chances, else what is wrong with them.
 * Every place should expect at least five.
 */
export function findBadFit(counts: readonly number[], chances: readonly number[]): string | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let statistic = 0;
  for (let i = 0; i < counts.length; i++) {
    const expected = total * chances[i];
    if (expected < 5) return `place ${i} expects only ${expected}: too few draws to judge`;
    statistic += (counts[i] - expected) ** 2 / expected;
  }
  const limit = criticalChiSquare(counts.length - 1);
  return statistic <= limit ? undefined : `chi-square ${statistic.toFixed(1)} is above ${limit.toFixed(1)}`;
}

/** The same with equal chances. */
export function findUneven(counts: readonly number[]): string | undefined {
  return findBadFit(
    counts,
    counts.map(() => 1 / counts.length),
  );
}

/** Tells whether the mean of samples with this sum and sum of squares differs from what it should be. */
export function findBadMean(mean: number, count: number, sum: number, sumOfSquares: number): string | undefined {
  const found = sum / count;
  const deviation = Math.sqrt((sumOfSquares / count - found ** 2) / count);
  if (Math.abs(found - mean) <= DEVIATIONS * deviation) return undefined;
  return `mean ${found.toFixed(2)} instead of ${mean.toFixed(2)} (deviation ${deviation.toFixed(2)})`;
}

/** The upper quantile of chi-square by Wilson and Hilferty's approximation, good to a percent from 1 degree on. */
function criticalChiSquare(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + DEVIATIONS * Math.sqrt(spread)) ** 3;
}
