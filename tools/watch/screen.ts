// A terminal as a full-screen view: its other screen, without the cursor and with single keys; given back on every way out.

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J';
const LEAVE = '\x1b[?25h\x1b[?1049l';

/** How a process ends by itself. */
const WAYS_OUT = ['exit', 'uncaughtExceptionMonitor'] as const;

/** What Ctrl-C is while keys come one by one. */
const CTRL_C = '\x03';

/** What is used of process.stdout and process.stdin. */
export interface ScreenOutput {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

export interface ScreenInput {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (keys: Buffer) => void): unknown;
  off(event: 'data', listener: (keys: Buffer) => void): unknown;
}

export class Screen {
  readonly #output: ScreenOutput;
  readonly #input: ScreenInput;
  readonly #onResize: () => void;
  readonly #onKeys: (keys: Buffer) => void;
  readonly #onEnd = () => this.leave();
  #isEntered = false;

  /** @param onQuit called at q or Ctrl-C @param onResize called when the size has changed */
  constructor(output: ScreenOutput, input: ScreenInput, onQuit: () => void, onResize: () => void) {
    this.#output = output;
    this.#input = input;
    this.#onResize = onResize;
    this.#onKeys = (keys) => {
      if (/[qQ]/.test(keys.toString('latin1')) || keys.includes(CTRL_C)) onQuit();
    };
  }

  get columns(): number {
    return this.#output.columns || 80;
  }

  get rows(): number {
    return this.#output.rows || 24;
  }

  enter(): void {
    if (this.#isEntered) return;
    this.#isEntered = true;
    // Also before Node prints what nobody has caught: on the other screen it would be lost.
    for (const event of WAYS_OUT) process.on(event, this.#onEnd);
    this.#output.write(ENTER);
    this.#output.on('resize', this.#onResize);
    if (this.#input.isTTY !== true) return;
    this.#input.setRawMode?.(true);
    this.#input.on('data', this.#onKeys);
    this.#input.resume();
  }

  /** Draws over what is there. @param lines no more than there are rows, none wider than the columns */
  draw(lines: readonly string[]): void {
    // Each line is cleared before it is written: clearing the rest after a full one would take its last character.
    const text = lines.map((line) => `\x1b[K${line}`).join('\r\n');
    this.#output.write(`\x1b[H${text}${lines.length < this.rows ? '\r\n\x1b[J' : ''}`);
  }

  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    for (const event of WAYS_OUT) process.removeListener(event, this.#onEnd);
    this.#output.off('resize', this.#onResize);
    if (this.#input.isTTY === true) {
      this.#input.off('data', this.#onKeys);
      this.#input.setRawMode?.(false);
      this.#input.pause();
    }
    this.#output.write(LEAVE);
  }
}
