// Where the axes of charts have their ticks, and what stands at them.

/** Steps of a time axis, in seconds. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200];
const MOST_TIME_TICKS = 12;
const DAY_SECONDS = 86_400;

/** Ticks within one decade of a log axis. */
const LOG_STEPS = [1, 2, 5];

/** Decades from which on a log axis has ticks at the powers of ten alone. */
const WIDE_DECADES = 4;

/** Numbers from here on are shortened, such as 12.5M. */
const LONG_NUMBER = 1e7;

/** Seconds as m:ss, from an hour on as h:mm:ss. */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const twoDigits = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${twoDigits(m)}:${twoDigits(s)}` : `${m}:${twoDigits(s)}`;
}

/** Ticks from 0 on, at round times. */
export function timeTicks(lengthSeconds: number): number[] {
  const least = lengthSeconds / MOST_TIME_TICKS;
  const step = TIME_STEPS.find((seconds) => seconds >= least) ?? Math.ceil(least / DAY_SECONDS) * DAY_SECONDS;
  return Array.from({ length: Math.floor(lengthSeconds / step) + 1 }, (_, i) => i * step);
}

/** Powers of ten by 1, 2 and 5 around the values: the first is not above `least`, the last not below `most`. */
export function logTicks(least: number, most: number): number[] {
  const decades = Math.ceil(Math.log10(most)) - Math.floor(Math.log10(least));
  const steps = decades >= WIDE_DECADES ? [1] : LOG_STEPS;
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); ; power++) {
    for (const step of steps) {
      // The other way round 5 * 10 ** -1 is not 0.5.
      const tick = power < 0 ? step / 10 ** -power : step * 10 ** power;
      if (tick <= least) ticks.length = 0;
      ticks.push(tick);
      if (tick >= most && ticks.length > 1) return ticks;
    }
  }
}

/** Numbers of an axis. @param locale such as en-US */
export function formatAxisNumber(value: number, locale: string): string {
  const isLong = Math.abs(value) >= LONG_NUMBER;
  return new Intl.NumberFormat(locale, {
    maximumFractionDigits: isLong ? 2 : 3,
    ...(isLong ? { notation: 'compact' } : {}),
  }).format(value);
}
