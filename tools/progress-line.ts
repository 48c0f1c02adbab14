// How far a long command is, on stderr: on a terminal a bar that moves in place, else a line now and again. Work that is
// over before the first line is due prints nothing where there is no terminal: logs keep only what took long.

import { formatCount } from '../lib/monitor/text-table.ts';

/** How often it is printed, in milliseconds. */
const TERMINAL_MS = 250;
const LINES_MS = 5000;

/** Cells of the bar. */
const BAR_CELLS = 20;

/** How far the work is. */
export interface Progress {
  phase: string;
  /** How much is done, and of how much, where that is known. */
  done?: number;
  total?: number;
  /** Says how much is done; without it both numbers are shown. */
  how?: string;
}

/** Where it is printed: what is used of process.stderr. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class ProgressLine {
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #isTerminal: boolean;
  #phase = '';
  #printedAt: number;
  /** Whether there is a bar on the terminal. */
  #isShown = false;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(output: ProgressOutput = process.stderr, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
    this.#isTerminal = output.isTTY === true;
    this.#printedAt = now();
  }

  /** Whether it is time to print: now and again, on a terminal also when a phase begins. */
  isDue(phase: string): boolean {
    const now = this.#now();
    const isNew = this.#isTerminal && phase !== this.#phase;
    if (!isNew && now - this.#printedAt < (this.#isTerminal ? TERMINAL_MS : LINES_MS)) return false;
    this.#phase = phase;
    this.#printedAt = now;
    return true;
  }

  print(progress: Progress): void {
    const line = formatProgressLine(progress, this.#isTerminal ? BAR_CELLS : 0);
    this.#isShown = this.#isTerminal;
    if (!this.#isTerminal) this.#output.write(`${line}\n`);
    // A line that wraps could not be taken back.
    else this.#output.write(`\r\x1b[K${line.slice(0, (this.#output.columns || 80) - 1)}`);
  }

  /** Prints it if it is time. */
  show(progress: Progress): void {
    if (this.isDue(progress.phase)) this.print(progress);
  }

  /** Leaves a clean line, at the end or for something else that is printed. */
  end(): void {
    if (this.#isShown) this.#output.write('\r\x1b[K');
    this.#isShown = false;
  }
}

/** Progress as a line: `connecting  [#########-----------]  45%  4,500 of 10,000`. @param cells of the bar; 0 for none */
export function formatProgressLine(progress: Progress, cells: number): string {
  const { phase, done, total, how } = progress;
  const parts = [phase];
  if (done !== undefined && total !== undefined) {
    if (cells > 0) parts.push(`${formatBar(done, total, cells)} ${formatPercent(done, total)}`);
    else parts.push(formatPercent(done, total).trimStart());
  }
  if (how !== undefined) parts.push(how);
  else if (done !== undefined) {
    parts.push(total === undefined ? formatCount(done) : `${formatCount(done)} of ${formatCount(total)}`);
  }
  return parts.join('  ');
}

/**
 * A bar of `#` and `-` in brackets. It is full only when all is done: of nothing, all is done; of a total that is not
 * known, none of it is. @param cells between the brackets
 */
export function formatBar(done: number, total: number | undefined, cells: number): string {
  const full = Math.floor(shareOf(done, total) * cells);
  return `[${'#'.repeat(full)}${'-'.repeat(cells - full)}]`;
}

/** Whole percent in four characters, rounded down: 100% says that all is done; `   ?` where the total is not known. */
export function formatPercent(done: number, total: number | undefined): string {
  if (!isKnown(total)) return '   ?';
  return `${Math.floor(shareOf(done, total) * 100)}%`.padStart(4);
}

/** What is done as a share of the total, 0 to 1. */
function shareOf(done: number, total: number | undefined): number {
  if (!isKnown(total) || !(done >= 0)) return 0;
  return done >= total ? 1 : done / total;
}

function isKnown(total: number | undefined): total is number {
  return total !== undefined && Number.isFinite(total) && total >= 0;
}
