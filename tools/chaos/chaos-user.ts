// One user of the crowd: shakes, grabs every packet it is told of, sends packets of its own, and repeats what was not
// answered when the server comes back, as docs/PROTOCOL.md says a client should.

import { type ClientError, HongbaoClient, type Notice, type SendRequest } from '../../clients/index.ts';
import type { ChaosLife } from './chaos-life.ts';
import type { ChaosRandom } from './chaos-plan.ts';

/** Users are numbered from here on. */
export const FIRST_USER = 1000;

/** One user in so many sends packets. */
const SENDER_EVERY = 3;

/** One user in so many has a classic session. */
const CLASSIC_EVERY = 2;

/** One grab in so many is sent twice at once; after one in so many, an old one is repeated. */
const TWICE_EVERY = 10;
const REPEAT_EVERY = 10;

/** How long nothing may be answered before it counts as wrong, in milliseconds. */
const TIMEOUT_MS = 20_000;

const SHAKE_PAUSE_MS = 40;
const GRAB_PAUSE_MS = 10;
const SEND_PAUSE_MS = 200;

/** How long the packets of users live: most come back soon, some stay open over many kills. */
export const EXPIRY_SECONDS = [1, 1, 2, 3, 600];
export const MOST_SHARES = 8;
export const MOST_SHARE_CENTS = 400;

/** Grabs and sends that are remembered, to be repeated. */
const REMEMBERED = 50;

const MODES = ['lucky', 'line', 'equal'] as const;

type KeyedSend = SendRequest & { key: string };

/** Told of a packet, and at which Unix second it expires, if that is known. */
export type OnPacket = (packetId: number, expiresAt: number | undefined) => void;

export class ChaosUser {
  readonly userId: number;
  readonly #random: ChaosRandom;
  readonly #users: number;
  readonly #isClassic: boolean;
  readonly #isSender: boolean;
  readonly #onPacket: OnPacket;
  /** Packets that it was told of and has no answer about. */
  readonly #toGrab = new Set<number>();
  readonly #grabbed: { packetId: number; amountCents: number }[] = [];
  readonly #sent: KeyedSend[] = [];
  /** The send that has no answer yet. */
  #sending: KeyedSend | undefined;
  #keys = 0;
  #client: HongbaoClient | undefined;

  /** @param users how many there are  @param onPacket told of every packet that this user hears of */
  constructor(index: number, users: number, random: ChaosRandom, onPacket: OnPacket) {
    this.userId = FIRST_USER + index;
    this.#users = users;
    this.#random = random;
    this.#isClassic = index % CLASSIC_EVERY === 0;
    this.#isSender = index % SENDER_EVERY === 0;
    this.#onPacket = onPacket;
  }

  /** Whether nothing of it is under way. */
  get isIdle(): boolean {
    return this.#sending === undefined && this.#toGrab.size === 0;
  }

  /** Uses a server until it is gone. */
  async live(life: ChaosLife): Promise<void> {
    try {
      const { port } = life;
      const client = await HongbaoClient.connect({ port, reconnect: false, timeoutMs: TIMEOUT_MS });
      this.#client = client;
      client.on('notice', (notice) => this.#onNotice(life, notice));
      client.on('server-error', ({ code, message }) => life.report(`user ${this.userId} is told ${code}: ${message}`));
      if (this.#isClassic) await client.login(this.userId);
      else await client.hello(this.userId);
      const loops = [this.#shake(life, client), this.#grab(life, client)];
      if (this.#isSender) loops.push(this.#send(life, client));
      await Promise.all(loops);
    } catch (error) {
      const { code, message } = error as ClientError;
      if (code === undefined) throw error;
      life.report(`user ${this.userId} has lost the server: ${message}`);
    }
  }

  /** Asks for the balance, on the connection of this life. */
  async readBalance(life: ChaosLife): Promise<void> {
    const { balanceCents, reservedCents } = await this.#client!.wallet();
    if (reservedCents !== 0) life.report(`${reservedCents} cents of user ${this.userId} are reserved for nothing`);
    life.acks.add({ kind: 'balance', userId: this.userId, cents: balanceCents });
  }

  leave(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #onNotice(life: ChaosLife, { packetId, totalCents, shares, expiresAt }: Notice): void {
    life.acks.add({ kind: 'told', userId: this.userId, packetId, cents: totalCents, shares });
    this.#toGrab.add(packetId);
    this.#onPacket(packetId, expiresAt);
  }

  async #shake(life: ChaosLife, client: HongbaoClient): Promise<void> {
    while (life.isLoading) {
      const { result, packetId, amountCents } = await client.shake();
      if (result === 'won') life.acks.add({ kind: 'win', userId: this.userId, packetId, cents: amountCents });
      await life.pause(this.#random.between(1, SHAKE_PAUSE_MS));
    }
  }

  async #grab(life: ChaosLife, client: HongbaoClient): Promise<void> {
    while (!life.isOver) {
      for (const packetId of this.#toGrab) {
        const times = this.#random.oneIn(TWICE_EVERY) ? 2 : 1;
        await Promise.all(Array.from({ length: times }, () => this.#grabOnce(life, client, packetId)));
      }
      if (life.isLoading && this.#grabbed.length > 0 && this.#random.oneIn(REPEAT_EVERY)) {
        await this.#grabAgain(life, client);
      }
      await life.pause(this.#random.between(1, GRAB_PAUSE_MS));
    }
  }

  async #grabOnce(life: ChaosLife, client: HongbaoClient, packetId: number): Promise<void> {
    const { status, amountCents, retryAfterMs } = await client.grab(packetId);
    if (status === 'BUSY') return life.pause(retryAfterMs ?? GRAB_PAUSE_MS);
    if (status === 'NOT_INVITED' || status === 'BAD_REQUEST') {
      life.report(`user ${this.userId} was told of packet ${packetId}, and then ${status}`);
    }
    this.#toGrab.delete(packetId);
    if (amountCents === 0) return;
    life.acks.add({ kind: 'grab', userId: this.userId, packetId, cents: amountCents });
    remember(this.#grabbed, { packetId, amountCents });
  }

  /** Repeats a grab that was answered: it gives the same once more, as long as the packet is known. */
  async #grabAgain(life: ChaosLife, client: HongbaoClient): Promise<void> {
    const before = this.#random.pick(this.#grabbed);
    const { status, amountCents } = await client.grab(before.packetId);
    const what = `user ${this.userId} has ${before.amountCents} cents of packet ${before.packetId}, and grabs again`;
    if (amountCents > 0) {
      life.acks.add({ kind: 'grab', userId: this.userId, packetId: before.packetId, cents: amountCents });
      if (amountCents !== before.amountCents) life.report(`${what}: ${amountCents} cents`);
    }
    const isRight = status === undefined || status === 'REPEAT' || status === 'NOT_FOUND' || status === 'BUSY';
    if (!isRight) life.report(`${what}: ${status}`);
  }

  async #send(life: ChaosLife, client: HongbaoClient): Promise<void> {
    while (!life.isOver) {
      if (this.#sending !== undefined) await this.#sendOnce(life, client, this.#sending);
      else if (life.isLoading) {
        if (this.#sent.length > 0 && this.#random.oneIn(REPEAT_EVERY)) this.#sending = this.#random.pick(this.#sent);
        else this.#sending = this.#drawSend();
        continue;
      }
      await life.pause(this.#random.between(1, SEND_PAUSE_MS));
    }
  }

  async #sendOnce(life: ChaosLife, client: HongbaoClient, request: KeyedSend): Promise<void> {
    const { userId } = this;
    const { key, totalCents, shares } = request;
    const { status, packetId, expiresAt, message } = await client.send(request);
    if (status === 'BUSY') return;
    this.#sending = undefined;
    if (status === 'SENT' || status === 'REPEAT') {
      life.acks.add({ kind: 'sent', userId, packetId: packetId!, key, cents: totalCents, shares });
      this.#onPacket(packetId!, expiresAt);
      if (!this.#sent.includes(request)) remember(this.#sent, request);
    } else if (status === 'INSUFFICIENT') life.acks.add({ kind: 'refused', userId, key });
    else life.report(`user ${userId} sends with the key ${key}, and is answered ${status} ${message ?? ''}`);
  }

  #drawSend(): KeyedSend {
    const random = this.#random;
    const shares = random.between(1, MOST_SHARES);
    const first = random.between(0, this.#users - 1);
    const invited = Math.min(this.#users, random.between(1, MOST_SHARES));
    return {
      key: `${this.userId} sends ${++this.#keys}`,
      users: Array.from({ length: invited }, (_, i) => FIRST_USER + ((first + i) % this.#users)),
      totalCents: random.between(shares, shares * MOST_SHARE_CENTS),
      shares,
      mode: random.pick(MODES),
      expiresInSeconds: random.pick(EXPIRY_SECONDS),
      note: random.oneIn(2) ? '恭喜发财' : '',
    };
  }
}

/** Adds to a list that does not grow past what is remembered. */
function remember<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > REMEMBERED) list.shift();
}
