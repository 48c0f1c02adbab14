// The users of the simulation, and the acceptors between them and a server: they put requests into the rings, and read
// every reply against the books.
//
// What an answer says must be on the disk by then, must be true, and must not contradict any answer before it, also one
// from before a crash.

import assert from 'node:assert/strict';
import type { Send, Sent } from '../../lib/protocol/extended.ts';
import { unpackBody } from '../../lib/protocol/message-pack.ts';
import { GrabStatus, LoginResult, SEND_STATUS_NAMES, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { encodeSend } from '../../lib/protocol/send-words.ts';
import {
  joinWords,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_SENDER,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORKER,
  REQUEST_BODY,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
  TransferResult,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { Producer } from '../../lib/ring/producer.ts';
import type { Books } from './books.ts';
import type { SimServer } from './sim-server.ts';

/** A place where a user is connected. */
export interface Connection {
  acceptor: number;
  index: number;
  generation: number;
  userId: number;
}

interface Request {
  kind: RequestKind;
  connection: Connection;
  packetId: number;
  send: Send | undefined;
  /** Whether by then somebody had been told of the packet, and the user that he has a share. */
  isKnown: boolean;
  isGrabbed: boolean;
  /** Whether by then its key had taken effect. */
  isUsed: boolean;
}

/** One way from an acceptor to a worker. */
interface Link {
  ring: Producer;
  inFlight: number;
}

interface Inbox {
  acceptor: number;
  ring: Consumer;
}

/** What was told, over all runs of the server. */
export interface Told {
  wins: Map<number, number>;
  /** Cents by packet and user. */
  grabs: Map<string, number>;
  /** Those that were answered WON. */
  won: Set<string>;
  /** Packets by user and key, and those that were answered SENT. */
  sends: Map<string, number>;
  sent: Set<string>;
}

export function nothingTold(): Told {
  return { wins: new Map(), grabs: new Map(), won: new Set(), sends: new Map(), sent: new Set() };
}

const NO_BODY = new Int32Array(0);

/** Lives as long as one server; `told` lives on. */
export class SimClients {
  /** Those that are open, by what the acceptors know. */
  readonly connections: Connection[] = [];
  /** Packets that somebody was told of, and by connection those that it was told of. */
  readonly knownPackets: Set<number>;
  readonly notices = new Map<Connection, number[]>();
  /** The last answer to WALLET of each user. */
  readonly wallets = new Map<number, { balance: number; held: number }>();
  readonly #server: SimServer;
  readonly #books: Books;
  readonly #told: Told;
  readonly #readNowMs: () => number;
  readonly #links: Link[][];
  readonly #inboxes: Inbox[];
  readonly #requests = new Map<number, Request>();
  /** By acceptor: the generation of each place in its table of connections. */
  readonly #generations: number[][];
  #nextStamp = 1;

  constructor(server: SimServer, books: Books, told: Told, knownPackets: Set<number>, readNowMs: () => number) {
    const { memory } = server;
    this.#server = server;
    this.#books = books;
    this.#told = told;
    this.knownPackets = knownPackets;
    this.#readNowMs = readNowMs;
    this.#links = memory.requests.map((rings) => rings.map((ring) => ({ ring: new Producer(ring), inFlight: 0 })));
    this.#inboxes = memory.replies.flatMap((rings, acceptor) =>
      [...rings, memory.durableReplies[acceptor], memory.sideReplies[acceptor]].map((ring) => ({
        acceptor,
        ring: new Consumer(ring),
      })),
    );
    this.#generations = memory.requests.map(() => []);
  }

  /** Requests without an answer. */
  get waitingCount(): number {
    return this.#requests.size;
  }

  /** A new connection, which logs in. Undefined if there is no room for its request. */
  connect(acceptor: number, userId: number): Connection | undefined {
    const generations = this.#generations[acceptor];
    const isFree = (index: number) =>
      !this.connections.some((other) => other.acceptor === acceptor && other.index === index);
    let index = 0;
    while (index < generations.length && !isFree(index)) index++;
    generations[index] = (generations[index] ?? 0) + 1;
    const connection = { acceptor, index, generation: generations[index], userId };
    if (!this.#request(RequestKind.LOGIN, connection)) return undefined;
    this.connections.push(connection);
    this.notices.set(connection, []);
    return connection;
  }

  /** The connection is gone; its worker is told if there is room, else nothing happens. */
  disconnect(connection: Connection): void {
    const { ring } = this.#linkOf(connection);
    const slot = ring.claim();
    if (slot < 0) return;
    this.#fill(ring, slot, RequestKind.DISCONNECT, connection, 0, 0, NO_BODY);
    ring.publish();
    this.connections.splice(this.connections.indexOf(connection), 1);
  }

  shake(connection: Connection): boolean {
    return this.#request(RequestKind.SHAKE, connection);
  }

  grab(connection: Connection, packetId: number): boolean {
    return this.#request(RequestKind.GRAB, connection, packetId);
  }

  askWallet(connection: Connection): boolean {
    return this.#request(RequestKind.WALLET, connection);
  }

  askRecords(connection: Connection): boolean {
    return this.#request(RequestKind.RECORDS, connection);
  }

  send(connection: Connection, send: Send): boolean {
    return this.#request(RequestKind.SEND, connection, 0, send);
  }

  /** How many ways replies come. */
  get inboxCount(): number {
    return this.#inboxes.length;
  }

  /** Reads up to `most` replies that came one way. Returns how many. */
  read(inbox: number, most: number): number {
    const { acceptor, ring } = this.#inboxes[inbox];
    const available = ring.available();
    const answers: Link[] = [];
    let slots = 0;
    let count = 0;
    for (; slots < available && count < most; count++) {
      const slot = ring.slotAt(slots);
      const bodyWords = ring.words[slot + REPLY_BODY];
      const body = ring.copyBody(slots, bodyWords);
      slots += 1 + ring.countBodySlots(bodyWords);
      if (ring.words[slot + REPLY_KIND] < ReplyKind.NOTICE)
        answers.push(this.#links[acceptor][ring.words[slot + REPLY_WORKER]]);
      this.#take(acceptor, ring.words.slice(slot, slot + 32), body);
    }
    if (slots > 0) ring.release(slots);
    for (const link of answers) link.inFlight--;
    return count;
  }

  #request(kind: RequestKind, connection: Connection, packetId = 0, send?: Send): boolean {
    const link = this.#linkOf(connection);
    const body = send === undefined ? NO_BODY : encodeSend(send);
    if (link.inFlight >= this.#server.shape.maxInFlight) return false;
    if (!link.ring.hasRoom(1 + link.ring.countBodySlots(body.length))) return false;
    const isKnown = this.knownPackets.has(packetId);
    const isGrabbed = this.#told.grabs.has(`${packetId}:${connection.userId}`);
    const isUsed = send !== undefined && this.#books.keyOf(connection.userId, send.key) !== undefined;
    const stamp = this.#nextStamp++;
    this.#requests.set(stamp, { kind, connection, packetId, send, isKnown, isGrabbed, isUsed });
    this.#fill(link.ring, link.ring.claim(), kind, connection, packetId, stamp, body);
    link.ring.publish();
    link.inFlight++;
    return true;
  }

  #fill(
    ring: Producer,
    slot: number,
    kind: RequestKind,
    { index, generation, userId }: Connection,
    packetId: number,
    stamp: number,
    body: Int32Array,
  ): void {
    const { words } = ring;
    words.fill(-1, slot, slot + REQUEST_WORDS);
    words[slot + REQUEST_KIND] = kind;
    words[slot + REQUEST_CONNECTION] = index;
    words[slot + REQUEST_GENERATION] = generation;
    words[slot + REQUEST_USER] = userId;
    words[slot + REQUEST_PACKET] = packetId;
    words[slot + REQUEST_STAMP_LOW] = stamp;
    words[slot + REQUEST_RICH] = kind === RequestKind.LOGIN ? stamp & 1 : 10;
    words[slot + REQUEST_BODY] = body.length;
    ring.claimBody(body);
  }

  #linkOf({ acceptor, userId }: Connection): Link {
    const { sets, workers } = this.#server.shape;
    return this.#links[acceptor][(userId % sets) % workers];
  }

  #take(acceptor: number, words: Int32Array, body: Int32Array): void {
    const kind = words[REPLY_KIND];
    if (kind === ReplyKind.NOTICE) {
      this.#takeNotice(acceptor, words, body);
    } else if (kind === ReplyKind.REPLACED) {
      const connection = this.#find(acceptor, words);
      if (connection !== undefined) this.disconnect(connection);
    } else {
      const request = this.#requests.get(words[REPLY_STAMP_LOW]);
      assert(request !== undefined, 'a reply answers a request that waits for it');
      this.#requests.delete(words[REPLY_STAMP_LOW]);
      const { connection } = request;
      assert.deepEqual(
        [acceptor, words[REPLY_CONNECTION], words[REPLY_GENERATION], words[REPLY_USER]],
        [connection.acceptor, connection.index, connection.generation, connection.userId],
        'a reply goes to where its request came from',
      );
      this.#takeAnswer(kind, request, words, body);
    }
  }

  #takeAnswer(kind: number, request: Request, words: Int32Array, body: Int32Array): void {
    const { connection } = request;
    const isFailing = this.#server.failure !== undefined;
    if (kind === ReplyKind.NOT_LOGGED_IN) {
      assert(request.kind !== RequestKind.LOGIN, 'a login is not told to log in');
      if (this.connections.includes(connection)) this.disconnect(connection);
      return;
    }
    switch (request.kind) {
      case RequestKind.LOGIN:
        assert.deepEqual([kind, words[REPLY_RESULT]], [ReplyKind.LOGIN, LoginResult.OK], 'a login succeeds');
        break;
      case RequestKind.SHAKE:
        assert.equal(kind, ReplyKind.SHAKE);
        this.#takeShake(connection.userId, words, isFailing);
        break;
      case RequestKind.GRAB:
        assert.equal(kind, ReplyKind.GRAB);
        this.#takeGrab(request, words, isFailing);
        break;
      case RequestKind.WALLET: {
        assert.equal(kind, ReplyKind.WALLET);
        assert(words[REPLY_RESULT] === TransferResult.DONE || isFailing, 'a balance is lost only with the disk');
        const balance = joinWords(words[REPLY_CENTS_LOW], words[REPLY_CENTS_HIGH]);
        const held = joinWords(words[REPLY_HELD_LOW], words[REPLY_HELD_HIGH]);
        assert(held >= 0 && held <= balance, `${held} of ${balance} cents can be held`);
        this.wallets.set(connection.userId, { balance, held });
        break;
      }
      case RequestKind.SEND:
        assert.equal(kind, ReplyKind.SENT);
        this.#takeSent(request, words, body);
        break;
      default:
        assert.equal(kind, ReplyKind.RECORDS);
    }
  }

  #takeShake(userId: number, words: Int32Array, isFailing: boolean): void {
    const packetId = words[REPLY_PACKET] >>> 0;
    const cents = words[REPLY_AMOUNT];
    if (words[REPLY_RESULT] !== ShakeResult.WON) {
      assert(words[REPLY_RESULT] === ShakeResult.NONE || isFailing, 'a shake is shed only when the disk has failed');
      assert.equal(cents, 0, 'no win, no cents');
      return;
    }
    assert.deepEqual(this.#books.wins.get(packetId), { userId, cents }, `the win of packet ${packetId} is on the disk`);
    assert(!this.#told.wins.has(packetId), `packet ${packetId} is won once`);
    this.#told.wins.set(packetId, userId);
  }

  #takeGrab({ connection, packetId, isKnown, isGrabbed }: Request, words: Int32Array, isFailing: boolean): void {
    const { userId } = connection;
    const status = words[REPLY_RESULT];
    const cents = words[REPLY_AMOUNT];
    const packet = this.#books.packets.get(packetId);
    const told = this.#told.grabs.get(`${packetId}:${userId}`);
    assert.equal(words[REPLY_PACKET], packetId, 'the answer is about the packet that was grabbed at');
    if (status === GrabStatus.WON || status === GrabStatus.REPEAT) {
      assert.equal(cents, this.#books.grabOf(packetId, userId), `the grab of ${userId} at ${packetId} is on the disk`);
      assert(told === undefined || told === cents, 'a repeat gives the same amount');
      const place = `${packetId}:${userId}`;
      assert(status === GrabStatus.REPEAT || !this.#told.won.has(place), 'a share is won once');
      if (status === GrabStatus.WON) this.#told.won.add(place);
      this.#told.grabs.set(place, cents);
      return;
    }
    assert.equal(cents, 0, 'no share, no cents');
    if (status === GrabStatus.BUSY) {
      assert(isFailing, 'a grab is lost only when the disk has failed');
    } else if (status === GrabStatus.NOT_FOUND) {
      // What is over may have lost its slot, even before the last grab of it is on the disk.
      const isThere = isKnown && this.#server.table.isOpen(packetId);
      assert(!isThere, `packet ${packetId} is there`);
    } else {
      assert(!isGrabbed, `user ${userId} keeps his share of ${packetId}`);
      assert(packet !== undefined, `packet ${packetId} is on the disk`);
      if (status === GrabStatus.NOT_INVITED) assert(!packet.invited.includes(userId), `user ${userId} was invited`);
      if (status === GrabStatus.EXPIRED)
        assert(this.#readNowMs() >= 1000 * packet.expiresAt, `packet ${packetId} has not expired`);
    }
  }

  #takeSent({ connection, send, isUsed }: Request, words: Int32Array, body: Int32Array): void {
    assert(send !== undefined);
    const { userId } = connection;
    const place = `${userId}:${send.key}`;
    const answer = readSent(words, body);
    const use = this.#books.keyOf(userId, send.key);
    const told = this.#told.sends.get(place);
    const { packet } = use ?? {};
    const isThis =
      packet !== undefined &&
      packet.total === send.totalCents &&
      packet.shares === send.shares &&
      packet.mode === send.mode &&
      packet.note === send.note &&
      packet.invited.join() === send.users.join() &&
      packet.expiresAt - packet.createdAt === send.expiresInSeconds;
    switch (answer.status) {
      case 'SENT':
      case 'REPEAT': {
        assert(isThis, `the send ${place} is on the disk`);
        assert.equal(answer.packetId, packet.id, 'the answer names the packet');
        assert(told === undefined || told === packet.id, 'a key has one packet');
        assert(answer.status === 'REPEAT' || !this.#told.sent.has(place), 'a send is carried out once');
        if (answer.status === 'SENT') this.#told.sent.add(place);
        this.#told.sends.set(place, packet.id);
        this.knownPackets.add(packet.id);
        break;
      }
      case 'KEY_REUSED':
        assert(!isUsed || !isThis, `the key ${place} was used for this very send`);
        break;
      case 'INSUFFICIENT':
        assert(!isUsed, `the send ${place} was carried out`);
        break;
      default:
        assert.equal(answer.status, 'BUSY', 'a send that can be carried out is not a bad request');
    }
  }

  #takeNotice(acceptor: number, words: Int32Array, body: Int32Array): void {
    const packet = this.#books.packets.get(words[REPLY_PACKET]);
    assert(packet !== undefined, 'a packet is told of once it is on the disk');
    const note = Buffer.from(body.buffer, 0, words[REPLY_RESULT]).toString('utf8');
    assert.deepEqual(
      [words[REPLY_AMOUNT], words[REPLY_COUNT], words[REPLY_SENDER], note],
      [packet.total, packet.shares, packet.sender, packet.note],
      'a notice says what the packet is',
    );
    assert(packet.invited.includes(words[REPLY_USER]), `user ${words[REPLY_USER]} was invited`);
    this.knownPackets.add(packet.id);
    const connection = this.#find(acceptor, words);
    if (connection !== undefined) this.notices.get(connection)!.push(packet.id);
  }

  #find(acceptor: number, words: Int32Array): Connection | undefined {
    return this.connections.find(
      (one) =>
        one.acceptor === acceptor &&
        one.index === words[REPLY_CONNECTION] &&
        one.generation === words[REPLY_GENERATION],
    );
  }
}

/** The answer to a SEND: from main as a whole frame, from a worker in words. */
function readSent(words: Int32Array, body: Int32Array): Sent {
  if (body.length === 0) return { status: SEND_STATUS_NAMES[words[REPLY_RESULT]], packetId: words[REPLY_PACKET] };
  const frame = new Uint8Array(body.buffer, 0, words[REPLY_COUNT]);
  return unpackBody(frame, 0, frame.length) as Sent;
}
