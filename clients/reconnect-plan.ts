// When and where a client connects again: after waits that grow, or when and where a server that went away said.

import type { GoingAway } from '../lib/protocol/extended.ts';
import { readTarget, type Target } from '../lib/protocol/target.ts';
import type { ClientOptions } from './client-options.ts';

export class ReconnectPlan {
  readonly #options: ClientOptions;
  /** Where the options say, and behind that where the last server that went away said. */
  #targets: Target[];
  /** Which of them is tried next, or was reached. */
  #at = 0;
  #tries = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#targets = [{ host: options.host, port: options.port }];
  }

  get target(): Target {
    return this.#targets[this.#at];
  }

  /**
   * Plans the next try; returns how long to wait for it, in milliseconds: a random while, longer each time, so that a restarted
   * server is not met by everybody at once, and no sooner than the server asked, up to twice as late.
   * @param goingAway what the server said, if it went away in good order
   */
  plan(goingAway?: GoingAway): number {
    const { reconnectMinMs, reconnectMaxMs, followTarget } = this.#options;
    const { reconnectAfterSeconds = 0, target } = goingAway ?? {};
    if (followTarget && target !== undefined) {
      this.#targets = [this.#targets[0], readTarget(target)!];
      this.#at = 1;
    }
    const longest = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** this.#tries++);
    return longest * (0.5 + Math.random() / 2) + reconnectAfterSeconds * 1000 * (1 + Math.random());
  }

  /** A try has failed: the next one goes to the other place, if there are two. */
  fail(): void {
    this.#at = (this.#at + 1) % this.#targets.length;
  }

  /** Connected and logged in: waits are short again. */
  succeed(): void {
    this.#tries = 0;
  }
}
