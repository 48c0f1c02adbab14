// Sends samples to a monitor somewhere else. A monitor that is down or slow is never waited for: samples wait here, in
// bounded number, and the oldest are dropped: the monitor sees from their numbers that they are missing.

import type { Sample } from './sample.ts';

/** Samples that wait at the most: ten minutes. */
const MOST_WAITING = 600;

/** Samples in one request. */
const AT_ONCE = 100;

/** How long the monitor may take, and how long a failed delivery is left alone, in milliseconds. */
const TIMEOUT_MS = 5000;
const RETRY_MS = 2000;

/** How long the end waits for the last samples to be delivered, in milliseconds. */
const CLOSE_MS = 1500;

export class SampleSender {
  readonly #url: URL;
  readonly #onError: (error: Error) => void;
  readonly #headers: Record<string, string>;
  #waiting: Sample[] = [];
  #sending: Promise<void> | undefined;
  #isDown = false;
  #notBeforeMs = 0;

  /**
   * @param monitor address of the monitor, such as http://127.0.0.1:8989
   * @param onError told when deliveries begin to fail: once until they work again
   * @param token the control token that the monitor asks for; '' for none
   */
  constructor(monitor: URL, onError: (error: Error) => void, token = '') {
    this.#headers = {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    };
    this.#url = new URL('/samples', monitor);
    this.#onError = onError;
  }

  send(sample: Sample): void {
    this.#waiting.push(sample);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    if (performance.now() >= this.#notBeforeMs) this.#sending ??= this.#deliver();
  }

  /** Delivers what is left, if the monitor takes it soon. */
  async close(): Promise<void> {
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
    const rest = async () => {
      await this.#sending;
      if (this.#waiting.length > 0 && !this.#isDown) await this.#deliver();
    };
    await Promise.race([rest(), deadline]);
    this.#waiting = [];
  }

  async #deliver(): Promise<void> {
    while (this.#waiting.length > 0) {
      const samples = this.#waiting.slice(0, AT_ONCE);
      try {
        const response = await fetch(this.#url, {
          method: 'POST',
          headers: this.#headers,
          body: JSON.stringify(samples),
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        await response.body?.cancel();
        if (!response.ok) throw new Error(`it answered ${response.status}`);
      } catch (error) {
        this.#fail(error as Error);
        break;
      }
      this.#isDown = false;
      // Some of them may have been dropped meanwhile.
      const sent = new Set(samples);
      this.#waiting = this.#waiting.filter((sample) => !sent.has(sample));
    }
    this.#sending = undefined;
  }

  #fail(error: Error): void {
    this.#notBeforeMs = performance.now() + RETRY_MS;
    if (this.#isDown) return;
    this.#isDown = true;
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    this.#onError(new Error(`the monitor at ${this.#url.origin} takes no samples: ${error.message}${cause}`));
  }
}
