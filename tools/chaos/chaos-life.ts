// One life of the server, as its users and the operator see it: where it is, whether it is to be gone, what went wrong.

import type { ServeProcess } from '../serve-process.ts';
import type { AckLog } from './ack-log.ts';

/** `draining`: nothing new is begun, everything under way is brought to its end. `over`: it was or is being killed. */
export type LifeState = 'loading' | 'draining' | 'over';

/** Things that went wrong that are kept. */
const MOST_TROUBLES = 50;

/** What is wrong without a look into the journal: an answer that may not be, a connection that broke by itself. */
export class TroubleList {
  readonly kept: string[] = [];
  count = 0;

  add(text: string): void {
    this.count++;
    if (this.kept.length < MOST_TROUBLES) this.kept.push(text);
  }
}

export class ChaosLife {
  readonly port: number;
  readonly controlUrl: string;
  readonly acks: AckLog;
  readonly #troubles: TroubleList;
  readonly #round: number;
  #state: LifeState = 'loading';
  #onOver: () => void = () => {};
  /** Resolves when the life is over. */
  readonly whenOver = new Promise<void>((resolve) => {
    this.#onOver = resolve;
  });

  constructor(server: ServeProcess, acks: AckLog, troubles: TroubleList, round: number) {
    this.port = server.port;
    this.controlUrl = server.controlUrl;
    this.acks = acks;
    this.#troubles = troubles;
    this.#round = round;
  }

  get isLoading(): boolean {
    return this.#state === 'loading';
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  drain(): void {
    this.#state = 'draining';
  }

  /** To be called before the server is told to go: from then on nothing is expected of it. */
  end(): void {
    this.#state = 'over';
    this.#onOver();
  }

  /** Tells of something that is wrong, unless the server is to be gone. */
  report(text: string): void {
    if (!this.isOver) this.#troubles.add(`round ${this.#round}: ${text}`);
  }

  /** Waits, at most until the life is over. */
  async pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([waited, this.whenOver]);
    clearTimeout(timer);
  }
}
