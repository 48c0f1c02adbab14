// Money as text: whole cents out of what somebody typed in yuan, and yuan out of cents. Exact: no fraction is ever a float.

const digits = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/**
 * The cents of an amount in yuan such as `4000`, `4,000.00` or `0.29`; full-width digits count as digits.
 * @returns undefined for anything else: no digits, a sign, a third decimal, or more than a number holds exactly
 */
export function parseYuan(text: string): number | undefined {
  const match = /^(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d{1,2}))?$/.exec(text.normalize('NFKC').trim());
  if (match === null) return undefined;
  const cents = BigInt(match[1].replaceAll(',', '') + (match[2] ?? '').padEnd(2, '0'));
  return cents <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(cents) : undefined;
}

/** Cents in yuan, with two decimals: 400029 is ¥4,000.29. */
export function formatYuan(cents: number): string {
  const size = Math.abs(cents);
  const yuan = digits.format(Math.trunc(size / 100));
  return `${cents < 0 ? '−' : ''}¥${yuan}.${String(size % 100).padStart(2, '0')}`;
}
