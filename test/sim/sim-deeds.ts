// What users and operators do in the simulation: random requests, many of them again, and what their answers must be.

import assert from 'node:assert/strict';
import type { Send } from '../../lib/protocol/extended.ts';
import type { TestRandom } from '../packets/seed.ts';
import { listUntold } from './agreement.ts';
import type { Books } from './books.ts';
import type { Connection, SimClients } from './sim-clients.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimServer } from './sim-server.ts';

export interface SimDeedsParts {
  random: TestRandom;
  books: Books;
  clock: SimClock;
  users: readonly number[];
  packetSlots: number;
  /** Sends may have more packets for one user than he is told of. */
  isFlood: boolean;
  /** Whether the machine is off: nobody hears what main promised. */
  isDead: () => boolean;
}

interface Transfer {
  kind: 'topUp' | 'withdraw';
  userId: number;
  cents: number;
  key: string;
}

/** What main may refuse. */
const REFUSALS = ['no_room', 'busy', 'insufficient', 'key_reused'];

/** Lives through all servers of a run. */
export class SimDeeds {
  /** Promises of main that are not settled. */
  promised = 0;
  /** What an answer of main has brought to light. */
  failure: unknown;
  /** Drops that were ended by hand. */
  readonly closedDrops = new Set<number>();
  readonly #parts: SimDeedsParts;
  /** Sends and transfers so far, to be repeated. */
  readonly #sends: { userId: number; send: Send }[] = [];
  readonly #transfers: Transfer[] = [];
  readonly #done = new Set<string>();
  #keys = 0;
  #server!: SimServer;
  #clients!: SimClients;
  /** Counts the servers; what an earlier one promised is forgotten. */
  #life = 0;

  constructor(parts: SimDeedsParts) {
    this.#parts = parts;
  }

  /** From here on there is another server. */
  begin(server: SimServer, clients: SimClients): void {
    this.#server = server;
    this.#clients = clients;
    this.#life++;
    this.promised = 0;
  }

  /** A user does something. */
  act(): void {
    const random = this.#parts.random;
    const { connections } = this.#clients;
    if (connections.length < 2 || random.below(10) === 0) {
      this.#clients.connect(random.below(this.#server.shape.acceptors), random.pick(this.#parts.users));
      return;
    }
    const connection = random.pick(connections);
    const luck = random.below(20);
    if (luck < 5) this.#clients.shake(connection);
    else if (luck < 7) this.#rush();
    else if (luck < 12) this.#clients.grab(connection, this.#drawPacketId(connection.userId));
    else if (luck < 16) this.#send(connection);
    else if (luck < 18) this.#clients.askWallet(connection);
    else if (luck < 19) this.#clients.askRecords(connection);
    else this.#clients.disconnect(connection);
  }

  /** Everybody grabs at one packet. */
  #rush(): void {
    const open = this.#parts.books.openPackets();
    if (open.length === 0) return;
    const packet = this.#parts.random.pick(open);
    for (const connection of this.#clients.connections) {
      if (packet.invited.includes(connection.userId)) this.#clients.grab(connection, packet.id);
    }
  }

  #drawPacketId(userId: number): number {
    const luck = this.#parts.random.below(10);
    const known = luck < 6 ? listUntold(this.#parts.books, userId) : [...this.#clients.knownPackets];
    if (known.length === 0 || luck === 9) return 2 ** 20 + this.#parts.random.below(this.#parts.packetSlots);
    return this.#parts.random.pick(known);
  }

  /** Sends a packet, or sends one again, perhaps with a change that makes it another. */
  #send(connection: Connection): void {
    const random = this.#parts.random;
    const { userId } = connection;
    const earlier = this.#sends.filter((one) => one.userId === userId);
    if (earlier.length > 0 && random.below(2) === 0) {
      const { send } = random.pick(earlier);
      this.#clients.send(connection, random.below(6) === 0 ? { ...send, totalCents: send.totalCents + 1 } : send);
      return;
    }
    const send = this.drawSend(1 + random.below(200));
    this.#sends.push({ userId, send });
    this.#clients.send(connection, send);
  }

  drawSend(cents: number): Send {
    const random = this.#parts.random;
    const shares = 1 + random.below(Math.min(4, cents));
    return {
      users: this.#parts.users
        .filter(() => random.below(2) === 0)
        .concat(random.below(4) === 0 ? 77_777 : [])
        .concat(88_888),
      totalCents: cents,
      shares,
      key: `send ${this.#keys++}`,
      mode: random.pick(['lucky', 'line', 'equal']),
      expiresInSeconds: random.pick([1, 5, 60]),
      note: random.pick(['', '', '恭喜发财']),
    };
  }

  /** Somebody asks the control API for something. */
  control(): void {
    const random = this.#parts.random;
    const luck = random.below(10);
    if (luck < 4) this.#transfer();
    else if (luck < 6) this.#createDrop();
    else if (luck < 7) this.#closeDrop();
    else this.#createSend();
  }

  #transfer(): void {
    const random = this.#parts.random;
    if (this.promised >= 2 * this.#server.shape.maxInFlight) return;
    let transfer: Transfer;
    if (this.#transfers.length > 0 && random.below(3) === 0) {
      transfer = random.pick(this.#transfers);
    } else {
      const kind = random.pick(['topUp', 'topUp', 'withdraw'] as const);
      transfer = {
        kind,
        userId: random.pick(this.#parts.users),
        cents: 1 + random.below(500),
        key: `transfer ${this.#keys++}`,
      };
      this.#transfers.push(transfer);
    }
    const { kind, userId, cents, key } = transfer;
    this.await(this.#server.work.transfers[kind](userId, cents, key), ({ repeated }) => {
      const use = this.#parts.books.keyOf(userId, key);
      assert.deepEqual([use?.kind, use?.cents], [kind.toLowerCase(), cents], `${key} is on the disk`);
      assert(repeated || !this.#done.has(key), `${key} takes effect once`);
      this.#done.add(key);
    });
  }

  #createDrop(): void {
    const random = this.#parts.random;
    const count = random.pick([1, 2, 3, 12]);
    const winsPerUser = random.below(2) === 0 ? { winsPerUser: 1 + random.below(2) } : {};
    const spec = { count, rate: random.pick([1, 10, 1000]), budget: count * (1 + random.below(50)), ...winsPerUser };
    this.await(this.#server.work.drops.create(spec, this.#parts.clock.readNowMs), ({ id }) => {
      assert(this.#parts.books.drops.has(id), `drop ${id} is on the disk`);
    });
  }

  /** Nobody can name a drop before main has answered for it, which comes behind its record. */
  #isKnown(dropId: number): boolean {
    try {
      this.#server.work.drops.status(dropId);
      return true;
    } catch {
      return false;
    }
  }

  #closeDrop(): void {
    const open = [...this.#parts.books.drops.values()].filter(({ id, isClosed }) => !isClosed && this.#isKnown(id));
    if (open.length === 0) return;
    const drop = this.#parts.random.pick(open).id;
    this.closedDrops.add(drop);
    this.await(this.#server.work.drops.close(drop), ({ id, state }) => {
      assert(state !== 'closed' || this.#parts.books.drops.get(id)!.isClosed, `the end of drop ${id} is on the disk`);
    });
  }

  #createSend(): void {
    const random = this.#parts.random;
    const shares = 1 + random.below(4);
    const low = shares + random.below(100);
    const from = random.pick(this.#parts.users);
    const spec = {
      count: 1 + random.below(5),
      rate: random.pick([1, 20, 1000]),
      shares,
      total: random.below(2) === 0 ? low : ([low, low + random.below(100)] as const),
      users: [from, from + random.below(6)] as const,
      mode: random.pick(['lucky', 'line', 'equal'] as const),
      expiresInSeconds: random.pick([1, 5, 60]),
    };
    const flood = { ...spec, count: 120, rate: 1000, shares: 1, users: [from, from] as const, expiresInSeconds: 600 };
    const isFlood = this.#parts.isFlood && random.below(2) === 0;
    this.await(this.#server.work.sends.create(isFlood ? flood : spec, this.#parts.clock.readNowMs), ({ id }) => {
      assert(this.#parts.books.sends.has(id), `send ${id} is on the disk`);
    });
  }

  /** Waits for what main has promised; a refusal is an answer as well. */
  await<T>(promise: Promise<T>, onDone: (value: T) => void): void {
    const life = this.#life;
    this.promised++;
    promise.then(
      (value) => {
        if (life !== this.#life || this.#parts.isDead()) return;
        this.promised--;
        this.#note(() => onDone(value));
      },
      (error: Error & { code?: string }) => {
        if (life !== this.#life || this.#parts.isDead()) return;
        this.promised--;
        this.#note(() => assert(REFUSALS.includes(error.code ?? ''), error));
      },
    );
  }

  #note(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.failure ??= error;
    }
  }
}
