// A client for one user: promises for requests, an event for packets, and a connection that comes back by itself.
//
//   const client = await HongbaoClient.connect({ port: 1025 });
//   await client.login(42);
//   client.on('notice', async ({ packetId }) => console.log(await client.grab(packetId)));
//   console.log(await client.shake());

import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import {
  type ChatMessage,
  ChatPush,
  FIRST_CHAT_OPCODE,
  type FriendEvent,
  type GroupEvent,
  type GroupPacket,
  isChatPush,
  type PresenceEvent,
} from '../lib/protocol/chat.ts';
import { readUint32, stampHighOf, writeGrab, writeLogin, writeShake } from '../lib/protocol/classic.ts';
import { BODY_OFFSET, GRAB_BYTES, LOGIN_BYTES, SHAKE_BYTES } from '../lib/protocol/classic-layout.ts';
import {
  ERROR_MESSAGES,
  type ErrorBody,
  type GoingAway,
  PROTOCOL_VERSION,
  type RecordsRequest,
  type RecordsResult,
  type RichNotice,
  readGoingAway,
  readRecords,
  readSend,
  readSlowDown,
  type Sent,
  type SlowDown,
  type WalletResult,
  type Welcome,
} from '../lib/protocol/extended.ts';
import { FrameReader } from '../lib/protocol/frame-reader.ts';
import { CLIENT_RULES, FrameFault } from '../lib/protocol/frame-rules.ts';
import { MAX_USER_ID } from '../lib/protocol/limits.ts';
import { packFrame, unpackBody } from '../lib/protocol/message-pack.ts';
import { FIRST_EXTENDED_OPCODE, LoginResult, Opcode, ShakeResult } from '../lib/protocol/opcodes.ts';
import { ClientChat } from './client-chat.ts';
import { ClientError } from './client-error.ts';
import { type ClientOptions, DEFAULT_CLIENT_OPTIONS } from './client-options.ts';
import type { GrabResult, SendRequest, SendResult, ShakeResultOf } from './client-results.ts';
import { PendingRequests } from './pending-requests.ts';
import { ReconnectPlan } from './reconnect-plan.ts';

/** A packet that this user may grab. The same packet may be told again after a new login, until it has been grabbed. */
export interface Notice {
  packetId: number;
  totalCents: number;
  shares: number;
  /** The first users it was sent to; only sessions opened with `login` are told. */
  users?: number[];
  /** Only sessions opened with `hello` are told these. */
  senderId?: number;
  expiresAt?: number;
  mode?: RichNotice['mode'];
  commitment?: Uint8Array;
  /** What the sender wrote to it. */
  note?: string;
}

export interface HongbaoClientEvents {
  notice: [Notice];
  /** The connection is lost; with `reconnect`, the client is already trying to get it back. */
  disconnect: [ClientError];
  /** Connected and logged in again. */
  reconnect: [];
  /**
   * The server stops. This client leaves once its requests are answered, and refuses new ones (`not-connected`); `disconnect`
   * follows. With `reconnect` it comes back as it was asked to. Only sessions opened with `hello` are told.
   */
  'going-away': [GoingAway];
  /** The server sent an ERROR that answers no request, such as that this connection was replaced by another. */
  'server-error': [ErrorBody];
  /** The server asks for patience; only sessions opened with `hello` are told. The client obeys by itself. */
  'slow-down': [SlowDown];
  /** What the chat service tells; see chat.ts. Only sessions opened with `hello` are told. */
  message: [ChatMessage];
  friend: [FriendEvent];
  group: [GroupEvent];
  'group-packet': [GroupPacket];
  presence: [PresenceEvent];
  /** Any frame that a chat service pushes, those above too. */
  'chat-push': [{ opcode: number; body: unknown }];
}

/** How the session was opened, to open it again. */
type Session = { kind: 'login'; userId: number } | { kind: 'hello'; userId: number; token: ClientOptions['token'] };

/** The longest classic frame that a client sends. */
const LONGEST_REQUEST = GRAB_BYTES;

export class HongbaoClient extends EventEmitter<HongbaoClientEvents> {
  /** Messages, friends and groups. */
  readonly chat = new ClientChat((opcode, body) => this.#requestExtended(opcode, body));
  readonly #options: ClientOptions;
  readonly #pending: PendingRequests;
  readonly #plan: ReconnectPlan;
  #socket: Socket | undefined;
  /** A socket that is not connected yet. */
  #connecting: Socket | undefined;
  #session: Session | undefined;
  #isClosed = false;
  #reconnectTimer: NodeJS.Timeout | undefined;
  /** Asked for by the server: no shake before, on the clock of performance.now(), and the least time between two. */
  #quietUntilMs = 0;
  #intervalMs = 0;
  /** Where the server closes who is silent: says something in time. */
  #lifeSigns: NodeJS.Timeout | undefined;
  /** What the server said when it began to go away; until the connection is closed. */
  #goingAway: GoingAway | undefined;

  private constructor(options: ClientOptions) {
    super();
    this.#options = options;
    this.#plan = new ReconnectPlan(options);
    this.#pending = new PendingRequests(options.timeoutMs);
  }

  /** Connects. @throws {ClientError} connect */
  static async connect(options: Partial<ClientOptions> = {}): Promise<HongbaoClient> {
    const client = new HongbaoClient({ ...DEFAULT_CLIENT_OPTIONS, ...options });
    await client.#open();
    return client;
  }

  /** True while there is a connection. */
  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** Logs in as a user, as classic clients do. @throws {ClientError} login, and those of every request */
  async login(userId: number): Promise<void> {
    checkUserId(userId);
    const bytes = new Uint8Array(LOGIN_BYTES);
    const stamp = this.#pending.nextStamp();
    writeLogin(bytes, 0, stamp, userId);
    const result = (await this.#request(stamp, bytes)) as number;
    // It would be refused again each time.
    if (result === LoginResult.TOKEN_NEEDED) this.#isClosed = true;
    if (result !== LoginResult.OK) throw new ClientError('login', describeLoginResult(result));
    this.#session = { kind: 'login', userId };
  }

  /**
   * Logs in as a user with an extended session, which is told more.
   * @param token instead of that of the options
   * @throws {ClientError} login, server, and those of every request
   */
  async hello(userId: number, token: ClientOptions['token'] = this.#options.token): Promise<Welcome> {
    checkUserId(userId);
    const shown = typeof token === 'function' ? await token() : token;
    const body = { version: PROTOCOL_VERSION, userId, ...(shown === undefined ? {} : { token: shown }) };
    const welcome = (await this.#requestExtended(Opcode.HELLO, body)) as Welcome;
    this.#session = { kind: 'hello', userId, token };
    this.#giveLifeSigns(welcome.limits?.idleSeconds);
    return welcome;
  }

  /**
   * Shakes once. Not to be repeated blindly: each shake can win. While the server asks for patience it waits before it
   * shakes.
   */
  shake(): Promise<ShakeResultOf> {
    const waitMs = this.#takePatience();
    return waitMs > 0 ? sleep(waitMs).then(() => this.#shakeNow()) : this.#shakeNow();
  }

  #shakeNow(): Promise<ShakeResultOf> {
    const bytes = new Uint8Array(SHAKE_BYTES);
    const stamp = this.#pending.nextStamp();
    writeShake(bytes, 0, stamp, this.#session?.userId ?? 0);
    return this.#request(stamp, bytes) as Promise<ShakeResultOf>;
  }

  /** Grabs a share of a packet. Safe to repeat: a user who has a share is told the same amount again. */
  grab(packetId: number): Promise<GrabResult> {
    const bytes = new Uint8Array(LONGEST_REQUEST);
    const stamp = this.#pending.nextStamp();
    writeGrab(bytes, 0, stamp, this.#session?.userId ?? 0, packetId);
    return this.#request(stamp, bytes) as Promise<GrabResult>;
  }

  /**
   * Sends a packet to users, out of this user's balance. Repeating it with the same key and the same content is safe: it
   * happens once, as long as the key is among the last 256 of this user. The key is in the result, or in the error if
   * nothing is known of the outcome. Nothing is repeated by itself, not after a reconnect either.
   * @throws {ClientError} request, and those of every request
   */
  async send(request: SendRequest): Promise<SendResult> {
    const { key = randomUUID() } = request;
    const send = readSend({ ...request, key });
    if (send === undefined) throw new ClientError('request', 'a field of this send is missing or out of its bounds');
    try {
      return { ...((await this.#requestExtended(Opcode.SEND, send)) as Sent), key };
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      throw new ClientError(error.code, error.message, { cause: error, key });
    }
  }

  /** Asks for this user's balance. */
  wallet(): Promise<WalletResult> {
    return this.#requestExtended(Opcode.WALLET, null) as Promise<WalletResult>;
  }

  /**
   * Asks for this user's records, the newest ones or those before a sequence; with `packetId`, for that packet, which
   * this user must have sent, been invited to, or grabbed.
   * @throws {ClientError} request, and those of every request
   */
  async records(request: Partial<RecordsRequest> = {}): Promise<RecordsResult> {
    const asked = readRecords(request);
    if (asked === undefined)
      throw new ClientError('request', 'a field of this request for records is out of its bounds');
    return this.#requestExtended(Opcode.RECORDS, asked) as Promise<RecordsResult>;
  }

  /** Asks the server for a sign of life; resolves to the time it took, in milliseconds. */
  async ping(): Promise<number> {
    const startedAt = performance.now();
    await this.#requestExtended(Opcode.PING, null);
    return performance.now() - startedAt;
  }

  /** Closes the connection for good; requests under way fail with `closed`. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#reconnectTimer);
    this.#connecting?.destroy();
    this.#socket?.destroy();
    this.#lose(new ClientError('closed', 'the client was closed'));
  }

  /** How long to wait until the server wants another shake, each caller behind the one before; in milliseconds. */
  #takePatience(): number {
    const nowMs = performance.now();
    const waitMs = this.#quietUntilMs - nowMs;
    if (this.#intervalMs > 0) this.#quietUntilMs = Math.max(nowMs, this.#quietUntilMs) + this.#intervalMs;
    return waitMs;
  }

  /** Pings often enough that the server does not close who is silent. @param idleSeconds undefined where it never does */
  #giveLifeSigns(idleSeconds: number | undefined): void {
    clearInterval(this.#lifeSigns);
    // Its failure is that of the connection, which is told elsewhere.
    if (idleSeconds !== undefined) this.#lifeSigns = setInterval(() => this.ping().catch(() => {}), idleSeconds * 500);
  }

  #onSlowDown(slowDown: SlowDown): void {
    this.#quietUntilMs = performance.now() + slowDown.retryAfterMs;
    this.#intervalMs = slowDown.intervalMs ?? 0;
    this.emit('slow-down', slowDown);
  }

  #request(stamp: number, bytes: Uint8Array): Promise<unknown> {
    if (this.#socket === undefined || this.#goingAway !== undefined) {
      return Promise.reject(new ClientError('not-connected', 'there is no connection to the server at the moment'));
    }
    const reply = this.#pending.add(stamp);
    this.#socket.write(bytes);
    return reply;
  }

  #requestExtended(opcode: number, body: unknown): Promise<unknown> {
    const stamp = this.#pending.nextStamp();
    return this.#request(stamp, packFrame(opcode, stampHighOf(stamp), stamp, body));
  }

  #open(): Promise<void> {
    const { tls, timeoutMs } = this.#options;
    const { host, port } = this.#plan.target;
    return new Promise((resolve, reject) => {
      const address = { host, port };
      // An address is no name that a server could be asked for by.
      const names = isIP(host) === 0 ? { servername: host } : {};
      const isTls = tls !== false;
      const socket = isTls
        ? connectTls({ ...names, ...(tls === true ? {} : tls), ...address })
        : connectSocket(address);
      this.#connecting = socket;
      const fail = (error: Error) => {
        this.#connecting = undefined;
        socket.destroy();
        reject(new ClientError('connect', `cannot reach ${host}:${port}: ${error.message}`, { cause: error }));
      };
      socket.setTimeout(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)));
      socket.once('error', fail);
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        this.#connecting = undefined;
        socket.setNoDelay(true);
        socket.setTimeout(0);
        socket.removeListener('error', fail);
        this.#adopt(socket);
        resolve();
      });
    });
  }

  /** Makes a connected socket the one that this client speaks through. */
  #adopt(socket: Socket): void {
    this.#socket = socket;
    let cause: Error | undefined;
    const refuse = () => {
      cause = new ClientError('protocol', 'the server sent a frame that breaks the protocol');
      socket.destroy();
    };
    const reader = new FrameReader(CLIENT_RULES, {
      onFrame: (_connection, bytes, offset, length, opcode) => {
        if (!this.#onFrame(bytes, offset, length, opcode)) refuse();
        else if (this.#goingAway !== undefined && this.#pending.size === 0) socket.end();
        return !socket.destroyed;
      },
    });
    socket.on('data', (chunk: Buffer) => {
      if (reader.feed(0, chunk, chunk.length) !== FrameFault.NONE) refuse();
    });
    socket.on('error', (error) => {
      cause = error;
    });
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      const goingAway = this.#goingAway;
      this.#goingAway = undefined;
      const error =
        cause instanceof ClientError ? cause : new ClientError('closed', 'the connection was lost', { cause });
      this.#lose(error);
      if (!this.#isClosed && this.#options.reconnect) this.#planReconnect(goingAway);
    });
  }

  /** Returns false if the frame is not what its opcode promises. */
  #onFrame(bytes: Uint8Array, offset: number, length: number, opcode: number): boolean {
    if (opcode >= FIRST_EXTENDED_OPCODE) {
      return this.#onExtendedFrame(bytes, offset, opcode, unpackBody(bytes, offset, length));
    }
    const field = (index: number) => readUint32(bytes, offset + BODY_OFFSET + 4 * index);
    switch (opcode) {
      case Opcode.LOGIN_RESULT:
        if (!this.#pending.settle(bytes, offset, field(1)) && field(1) === LoginResult.REPLACED) this.#onReplaced();
        break;
      case Opcode.SHAKE_RESULT:
        this.#pending.settle(bytes, offset, {
          result: field(1) === ShakeResult.WON ? 'won' : field(1) === ShakeResult.NONE ? 'none' : 'overload',
          packetId: field(2),
          amountCents: field(3),
        } satisfies ShakeResultOf);
        break;
      case Opcode.GRAB_RESULT:
        this.#pending.settle(bytes, offset, { packetId: field(0), amountCents: field(1) } satisfies GrabResult);
        break;
      case Opcode.NOTICE: {
        const users = [field(3), field(4), field(5)];
        this.emit('notice', { packetId: field(0), totalCents: field(1), shares: field(2), users });
        break;
      }
    }
    return true;
  }

  /** @param body undefined if the frame had none, or one that is not well-formed */
  #onExtendedFrame(bytes: Uint8Array, offset: number, opcode: number, body: unknown): boolean {
    if (opcode === Opcode.PONG && body !== undefined) {
      this.#pending.settle(bytes, offset, body);
      return true;
    }
    if (opcode >= FIRST_CHAT_OPCODE && body !== undefined) {
      if (isChatPush(opcode)) this.#onPush(opcode, body);
      else this.#pending.settle(bytes, offset, body);
      return true;
    }
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
    if (opcode === Opcode.RICH_NOTICE) this.emit('notice', body as RichNotice);
    else if (opcode === Opcode.ERROR) this.#onError(bytes, offset, body as ErrorBody);
    else if (opcode === Opcode.SLOW_DOWN) {
      const slowDown = readSlowDown(body);
      if (slowDown === undefined) return false;
      this.#onSlowDown(slowDown);
    } else if (opcode === Opcode.GOING_AWAY) return this.#onGoingAway(readGoingAway(body));
    else this.#pending.settle(bytes, offset, body);
    return true;
  }

  #onPush(opcode: number, body: unknown): void {
    this.emit('chat-push', { opcode, body });
    if (opcode === ChatPush.MESSAGE) this.emit('message', body as ChatMessage);
    else if (opcode === ChatPush.FRIEND) this.emit('friend', body as FriendEvent);
    else if (opcode === ChatPush.GROUP) this.emit('group', body as GroupEvent);
    else if (opcode === ChatPush.PACKET) this.emit('group-packet', body as GroupPacket);
    else if (opcode === ChatPush.PRESENCE) this.emit('presence', body as PresenceEvent);
  }

  #onError(bytes: Uint8Array, offset: number, body: ErrorBody): void {
    const { code, message, retryAfterMs } = body;
    const error = new ClientError('server', `${code}: ${message}`, { serverCode: code, retryAfterMs });
    if (this.#pending.fail(bytes, offset, error)) return;
    if (body.code === 'auth') this.#onRefusedToken(body);
    else if (body.code === 'replaced') this.#onReplaced();
    else this.emit('server-error', body);
  }

  #onGoingAway(goingAway: GoingAway | undefined): boolean {
    if (goingAway === undefined) return false;
    this.#goingAway = goingAway;
    this.emit('going-away', goingAway);
    return true;
  }

  /** Another connection has this user now. Coming back would throw that one out in turn, so this client stays away. */
  #onReplaced(): void {
    this.#isClosed = true;
    this.emit('server-error', { code: 'replaced', message: ERROR_MESSAGES.replaced });
  }

  /** The token is not good, and would not be better the next time: this client stays away. */
  #onRefusedToken(body: ErrorBody): void {
    this.#isClosed = true;
    this.#pending.failAll(new ClientError('login', body.message));
    this.emit('server-error', body);
  }

  #lose(error: ClientError): void {
    const wasConnected = this.#socket !== undefined;
    this.#socket = undefined;
    clearInterval(this.#lifeSigns);
    this.#pending.failAll(error);
    if (wasConnected) this.emit('disconnect', error);
  }

  #planReconnect(goingAway?: GoingAway): void {
    this.#reconnectTimer = setTimeout(() => void this.#reconnect(), this.#plan.plan(goingAway));
  }

  async #reconnect(): Promise<void> {
    try {
      await this.#open();
    } catch {
      this.#plan.fail();
      if (!this.#isClosed) this.#planReconnect();
      return;
    }
    const socket = this.#socket;
    const session = this.#session;
    try {
      if (session?.kind === 'login') await this.login(session.userId);
      if (session?.kind === 'hello') await this.hello(session.userId, session.token);
    } catch {
      // A connection that did not take the login is given up; its close plans the next try, or has done so already.
      this.#plan.fail();
      socket?.destroy();
      return;
    }
    this.#plan.succeed();
    this.emit('reconnect');
  }
}

/** @throws {ClientError} login; on the wire a number that is no user id would be somebody else's */
function checkUserId(userId: number): void {
  if (Number.isInteger(userId) && userId >= 0 && userId <= MAX_USER_ID) return;
  throw new ClientError('login', describeLoginResult(LoginResult.BAD_USER));
}

function describeLoginResult(result: number): string {
  const reasons: Record<number, string> = {
    [LoginResult.BAD_USER]: 'the user id is out of range',
    [LoginResult.ALREADY_LOGGED_IN]: 'this connection is already logged in as another user',
    [LoginResult.REPLACED]: 'the same user logged in on another connection',
    [LoginResult.FULL]: 'the server holds as many users as it was set up for',
    [LoginResult.TOKEN_NEEDED]: 'the server asks for a token: use hello with one',
  };
  return reasons[result] ?? `the server refused the login with ${result}`;
}
