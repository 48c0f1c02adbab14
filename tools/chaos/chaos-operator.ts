// The operator of the server: tops up and withdraws, starts drops and sends, closes drops, and looks at packets, over HTTP.
//
// What has a key is repeated with it until it is answered, however often the server is killed meanwhile.

import type { ChaosLife } from './chaos-life.ts';
import type { ChaosRandom } from './chaos-plan.ts';
import { EXPIRY_SECONDS, FIRST_USER, MOST_SHARE_CENTS, MOST_SHARES } from './chaos-user.ts';

/** Requests under way at once. */
const LOOPS = 16;

const PAUSE_MS = 8;
const TIMEOUT_MS = 20_000;

/** Drops that are open at the most, as far as the operator knows. */
const MOST_DROPS = 6;

/** Packets that wait to be looked at, at the most: the newest are kept. */
const MOST_PACKETS = 10_000;

/** When a packet is looked at that says nothing of its expiry, or is still open. */
const LOOK_AFTER_SECONDS = 1;

const MOST_TOP_UP_CENTS = 20_000;
const MOST_WITHDRAWAL_CENTS = 800;

const BUSY = 503;
const CONFLICT = 409;
const NOT_FOUND = 404;

interface Transfer {
  kind: 'topup' | 'withdraw';
  userId: number;
  key: string;
  cents: number;
}

/** What the API answers, as far as it is needed. */
interface Answer {
  status: number;
  body: {
    id?: number;
    state?: string;
    code?: string;
    message?: string;
    refundedCents?: number;
    grabs?: { userId: number; amountCents: number }[];
  };
}

export class ChaosOperator {
  readonly #random: ChaosRandom;
  readonly #users: number;
  /** Transfers that have no answer yet. */
  readonly #transfers: Transfer[] = [];
  readonly #openDrops = new Set<number>();
  /** Packets that may be open, or not looked at since, and the Unix second at which they may be looked at. */
  readonly #packets = new Map<number, number>();
  #keys = 0;
  #underWay = 0;

  constructor(users: number, random: ChaosRandom) {
    this.#users = users;
    this.#random = random;
  }

  /** Whether nothing of it is under way, and every drop it knows of is closed. */
  get isIdle(): boolean {
    return this.#transfers.length === 0 && this.#openDrops.size === 0 && this.#underWay === 0;
  }

  /** Hears of a packet that somebody was told of. */
  notePacket(packetId: number, expiresAt = nowSecond() + LOOK_AFTER_SECONDS): void {
    this.#packets.set(packetId, expiresAt);
    if (this.#packets.size <= MOST_PACKETS) return;
    for (const oldest of this.#packets.keys()) {
      this.#packets.delete(oldest);
      return;
    }
  }

  /** Uses a server until it is gone. */
  async live(life: ChaosLife): Promise<void> {
    await Promise.all(Array.from({ length: LOOPS }, () => this.#loop(life)));
  }

  /** Takes drops over that were started, whether or not anybody was told: they are to be closed. */
  adoptDrops(dropIds: Iterable<number>): void {
    for (const dropId of dropIds) this.#openDrops.add(dropId);
  }

  /** Looks once at every packet that is waiting for that. */
  async lookAtAll(life: ChaosLife): Promise<void> {
    const packetIds = [...this.#packets.keys()];
    const loop = async () => {
      for (let packetId = packetIds.pop(); packetId !== undefined; packetId = packetIds.pop()) {
        await this.#look(life, packetId);
      }
    };
    await Promise.all(Array.from({ length: LOOPS }, loop));
  }

  async #loop(life: ChaosLife): Promise<void> {
    while (!life.isOver) {
      this.#underWay++;
      try {
        if (life.isLoading) await this.#act(life);
        else await this.#finish(life);
      } catch (error) {
        life.report(`the control API: ${describe(error as Error)}`);
      }
      this.#underWay--;
      await life.pause(this.#random.between(1, PAUSE_MS));
    }
  }

  async #act(life: ChaosLife): Promise<void> {
    const random = this.#random;
    const repeated = this.#transfers.shift();
    if (repeated !== undefined) return this.#transfer(life, repeated);
    switch (random.between(0, 9)) {
      case 0:
        if (this.#openDrops.size < MOST_DROPS) return this.#startDrop(life);
        return this.#closeDrop(life, random.pick([...this.#openDrops]));
      case 1:
        return this.#startSend(life);
      case 2:
      case 3:
        return this.#lookAtDue(life);
      default:
        return this.#transfer(life, this.#drawTransfer());
    }
  }

  /** Brings what is under way to its end. */
  async #finish(life: ChaosLife): Promise<void> {
    const transfer = this.#transfers.shift();
    if (transfer !== undefined) return this.#transfer(life, transfer);
    for (const dropId of this.#openDrops) return this.#closeDrop(life, dropId);
  }

  #drawTransfer(): Transfer {
    const random = this.#random;
    const kind = random.oneIn(4) ? 'withdraw' : 'topup';
    const userId = FIRST_USER + random.between(0, this.#users - 1);
    const cents = random.between(1, kind === 'topup' ? MOST_TOP_UP_CENTS : MOST_WITHDRAWAL_CENTS);
    return { kind, userId, key: `operator ${++this.#keys}`, cents };
  }

  async #transfer(life: ChaosLife, transfer: Transfer): Promise<void> {
    const { kind, userId, key, cents } = transfer;
    let answer: Answer;
    try {
      answer = await call(life, 'POST', `/users/${userId}/${kind}`, { cents, key });
    } catch (error) {
      this.#transfers.push(transfer);
      throw error;
    }
    const { status, body } = answer;
    if (status === 200) life.acks.add({ kind, userId, key, cents });
    else if (status === BUSY) this.#transfers.push(transfer);
    else if (body.code === 'insufficient') life.acks.add({ kind: 'refused', userId, key });
    else life.report(`${kind} with the key ${key} is answered ${status} ${body.message}`);
  }

  async #startDrop(life: ChaosLife): Promise<void> {
    const random = this.#random;
    const count = random.between(20, 400);
    const cents = random.between(count, count * MOST_SHARE_CENTS);
    const request = { count, rate: random.between(100, 2000), budget: cents };
    const limited = random.oneIn(2) ? { ...request, winsPerUser: random.between(1, 5) } : request;
    const { status, body } = await call(life, 'POST', '/drops', limited);
    if (status !== 201) return this.#refused(life, 'a drop', status, body);
    const dropId = body.id!;
    life.acks.add({ kind: 'drop', dropId, count, cents });
    this.#openDrops.add(dropId);
  }

  async #closeDrop(life: ChaosLife, dropId: number): Promise<void> {
    const how = this.#random.oneIn(3) || !life.isLoading ? 'POST' : 'GET';
    const path = how === 'POST' ? `/drops/${dropId}/close` : `/drops/${dropId}`;
    const { status, body } = await call(life, how, path);
    // A drop that was closed in an earlier life is not known any more.
    if (status === NOT_FOUND) this.#openDrops.delete(dropId);
    else if (status !== 200) this.#refused(life, `drop ${dropId}`, status, body);
    else if (body.state === 'closed') {
      life.acks.add({ kind: 'drop-refund', dropId, cents: body.refundedCents! });
      this.#openDrops.delete(dropId);
    }
  }

  async #startSend(life: ChaosLife): Promise<void> {
    const random = this.#random;
    const count = random.between(1, 60);
    const shares = random.between(1, MOST_SHARES);
    const low = random.between(shares, shares * MOST_SHARE_CENTS);
    const { status, body } = await call(life, 'POST', '/sends', {
      count,
      rate: random.between(20, 400),
      shares,
      total: random.oneIn(2) ? low : [low, random.between(low, shares * MOST_SHARE_CENTS)],
      users: [FIRST_USER, FIRST_USER + this.#users - 1],
      expiresInSeconds: random.pick(EXPIRY_SECONDS),
    });
    if (status !== 201) return this.#refused(life, 'a send', status, body);
    life.acks.add({ kind: 'send', sendId: body.id!, count, shares });
  }

  /** Looks at the first packet that may have expired. */
  async #lookAtDue(life: ChaosLife): Promise<void> {
    const now = nowSecond();
    for (const [packetId, dueAt] of this.#packets) if (dueAt <= now) return this.#look(life, packetId);
  }

  /** Looks at a packet: who has grabbed, and what has gone back. One that is open is looked at again later. */
  async #look(life: ChaosLife, packetId: number): Promise<void> {
    const { status, body } = await call(life, 'GET', `/packets/${packetId}`);
    this.#packets.delete(packetId);
    if (status === NOT_FOUND) return life.report(`packet ${packetId} was told of, and is not known`);
    if (status !== 200) return this.#refused(life, `packet ${packetId}`, status, body);
    for (const { userId, amountCents } of body.grabs!) {
      life.acks.add({ kind: 'grab', userId, packetId, cents: amountCents });
    }
    if (body.state === 'expired') life.acks.add({ kind: 'refund', packetId, cents: body.refundedCents! });
    else if (body.state === 'open') this.notePacket(packetId);
  }

  #refused(life: ChaosLife, what: string, status: number, body: Answer['body']): void {
    if (status !== BUSY && !(status === CONFLICT && body.code === 'no_room')) {
      life.report(`${what} is answered ${status} ${body.message}`);
    }
  }
}

function nowSecond(): number {
  return Math.floor(Date.now() / 1000);
}

/** Calls the control API. @throws {Error} if it cannot be reached, or the answer does not come */
async function call(life: ChaosLife, method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
  const response = await fetch(life.controlUrl + path, {
    method,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

function describe(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
