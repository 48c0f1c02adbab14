// Numbers and times as the page writes them; the same in every language.

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const digitFormats = [0, 1, 2, 3].map(
  (digits) => new Intl.NumberFormat('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits }),
);

/** 1234567.8 is 1,234,568; numbers below 100 keep what digits they need. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return digitFormats[digits].format(value);
}

/** For an axis: 20000 is 20k. */
export function formatShort(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)}G`;
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}

/** Milliseconds to three significant digits or so. */
export function formatMs(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return digitFormats[digits].format(value);
}

/** The time of day of a Unix second, where the viewer is. */
export function formatClock(second: number): string {
  return clockFormat.format(second * 1000);
}

/** The same without its seconds. */
export function formatMinute(second: number): string {
  return formatClock(second).slice(0, 5);
}

/** Six digits at the most, and no zeros at the end. */
function trim(value: number): string {
  return String(Number(value.toPrecision(6)));
}
