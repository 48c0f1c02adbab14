// Lays out rows of words and numbers as a plain text table: the first column to the left, the others to the right.

/** The table as lines, without a newline at the end. @param rows the first row is the heading */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}

/** A whole number with commas: 1234567 as 1,234,567. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Cents as yuan, exactly: 1234567 as 12,345.67. */
export function formatCents(cents: number): string {
  const sign = cents < 0 ? '-' : '';
  const whole = Math.floor(Math.abs(cents) / 100);
  return `${sign}${formatCount(whole)}.${String(Math.abs(cents) % 100).padStart(2, '0')}`;
}

/** Microseconds as milliseconds with three decimals. */
export function formatMs(us: number): string {
  return (us / 1000).toFixed(3);
}
