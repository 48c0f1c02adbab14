// How far a long command is, on stderr: in place on a terminal, else as a line now and again.

/** How often it is printed, in milliseconds. */
const TERMINAL_MS = 250;
const LINES_MS = 5000;

export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #everyMs = this.#isTerminal ? TERMINAL_MS : LINES_MS;
  #phase = '';
  #printedAt = 0;

  /** Whether it is time for a line: when a phase begins, and then now and again. */
  isDue(phase: string): boolean {
    const now = performance.now();
    if (phase === this.#phase && now - this.#printedAt < this.#everyMs) return false;
    this.#phase = phase;
    this.#printedAt = now;
    return true;
  }

  print(line: string): void {
    process.stderr.write(this.#isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  }

  /** Leaves a clean line. */
  end(): void {
    if (this.#isTerminal) process.stderr.write('\r\x1b[K');
  }
}
