// One thread of the load client: holds its users' connections, shakes by the slot rule or in a closed loop, grabs.
//
// A request's intended time travels in its stamp, which the reply echoes; so nothing is kept per request, and the latency
// of the open loop counts from when the request was due, not from when it was sent: a server that stalls is not forgiven.

import { isIPv4 } from 'node:net';
import type { JsHistogram } from 'hdr-histogram-js';
import { signToken, type TokenKey } from '../../lib/access/token.ts';
import { encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds, MAX_MICROSECONDS } from '../../lib/monitor/microseconds.ts';
import { readStamp, readUint32, stampHighOf, writeGrab, writeLogin, writeShake } from '../../lib/protocol/classic.ts';
import { BODY_OFFSET, GRAB_BYTES, LOGIN_BYTES, SHAKE_BYTES } from '../../lib/protocol/classic-layout.ts';
import { PROTOCOL_VERSION, type RichGrabResult, type RichNotice, readSlowDown } from '../../lib/protocol/extended.ts';
import { FrameReader, type FrameSink } from '../../lib/protocol/frame-reader.ts';
import { CLIENT_RULES, FrameFault } from '../../lib/protocol/frame-rules.ts';
import { packFrame, unpackBody } from '../../lib/protocol/message-pack.ts';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { HandleLinks, type HandleLinksParts } from './handle-links.ts';
import type { LinkHandler, LoadLinks } from './load-links.ts';
import { countUsers, type LoadOptions, localAddressOf, type UserRange } from './load-options.ts';
import type { LoadLatency } from './load-sampler.ts';
import { emptyTotals, type LoadTotals } from './load-totals.ts';
import { NOBODY, ShakeSchedule } from './shake-schedule.ts';
import { SocketLinks } from './socket-links.ts';

/** Where a connection stands. READY: logged in. */
const State = { IDLE: 0, CONNECTING: 1, CONNECTED: 2, READY: 3 } as const;

/** Connections that are being made at one time. */
const CONNECTING_AT_ONCE = 256;

/** How long to wait before a lost or failed connection is made again, in milliseconds. */
const RETRY_MS = 1000;

/** How long the token of a login is good, in seconds: it is shown at once. */
const TOKEN_SECONDS = 3600;

/** Open loop: shakes that are sent, or passed over, before answers are taken again. */
const SHAKES_AT_ONCE = 256;

/** Bytes of requests written before the buffer is used again. */
const WRITE_BYTES = 64 * 1024;

/** What an engine may work with, where it is there. */
export interface LoadEngineParts {
  /** For connections that cost less than sockets. */
  links?: HandleLinksParts | undefined;
  /** See tokenKeys. */
  key?: TokenKey | undefined;
}

export class LoadEngine implements FrameSink, LinkHandler {
  readonly totals: LoadTotals = emptyTotals();
  /**
   * Microseconds from the intended time of a shake, or from the sending of a grab, to its reply; since takeLatency was last
   * called.
   */
  readonly shakeLatency: JsHistogram = buildMicroseconds();
  readonly grabLatency: JsHistogram = buildMicroseconds();
  /** When the last notice or reply came, in Unix milliseconds. */
  lastHeardMs = 0;
  /** When the last shake was answered, in Unix milliseconds. */
  lastAnswerMs = 0;
  readonly #options: LoadOptions;
  readonly #users: UserRange;
  /** What signs the users' tokens; undefined where none are asked for. */
  readonly #key: TokenKey | undefined;
  /** Open loop: whose shake is due when. */
  readonly #schedule: ShakeSchedule;
  readonly #links: LoadLinks;
  readonly #count: number;
  /** By connection: where it stands, and what is under way on it. */
  readonly #states: Uint8Array;
  readonly #shakesUnderWay: Int32Array;
  readonly #grabsUnderWay: Int32Array;
  readonly #reader = new FrameReader(CLIENT_RULES, this);
  #writeBuffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  #written = 0;
  /** Indexes that wait to be connected. */
  #toConnect: number[];
  #connecting = 0;
  /** By connection: asked for by the server. No shake before, in Unix milliseconds, and the least time between two. */
  readonly #quietUntilMs: Float64Array;
  readonly #intervalsMs: Float64Array;
  #isShaking = false;
  #isEnding = false;
  #pace: NodeJS.Timeout | undefined;
  /** When shakes were sent last, in Unix microseconds. */
  #pacedUs = 0;
  /** Whether more was due then than was sent. */
  #isBehind = false;
  #isCatchingUp = false;
  /** Closed loop: shakes to send when the present chunk has been read. */
  #shakesToSend = 0;

  /** When the present read came, in Unix microseconds. */
  #readUs = 0;
  /** Shakes in a row that took the same time: those of one read often do, and are recorded together. */
  #sameLatencyUs = 0;
  #sameLatencies = 0;

  /** @param users the part of the users that this thread has */
  constructor(options: LoadOptions, users: UserRange, { links, key }: LoadEngineParts = {}) {
    const count = countUsers(users);
    this.#key = key;
    const takesHandles =
      links !== undefined && options.tls === undefined && options.targets.every(({ host }) => isIPv4(host));
    this.#links = takesHandles ? new HandleLinks(this, links, count) : new SocketLinks(this, options.tls);
    this.#count = count;
    this.#options = { ...options };
    this.#users = users;
    const { population, qps } = options;
    this.#schedule = new ShakeSchedule({ first: population[0], users: countUsers(population), qps });
    this.#states = new Uint8Array(count);
    this.#shakesUnderWay = new Int32Array(count);
    this.#grabsUnderWay = new Int32Array(count);
    this.#quietUntilMs = new Float64Array(count);
    this.#intervalsMs = new Float64Array(count);
    this.#toConnect = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  /** Starts making the connections; `totals.connected` tells how far it is. */
  connectAll(): void {
    while (this.#connecting < CONNECTING_AT_ONCE && this.#toConnect.length > 0) this.#connect(this.#toConnect.pop()!);
  }

  /**
   * Starts shaking: the open loop sends what is due from `fromMs` on and before `untilMs`, in Unix milliseconds, the same
   * for all threads; the closed loop goes on until it is stopped.
   */
  startShaking(fromMs: number, untilMs: number): void {
    this.#isShaking = true;
    if (this.#options.closed) {
      for (let index = 0; index < this.#count; index++) this.#fillPipeline(index);
    } else {
      this.#schedule.start(fromMs, untilMs);
      if (this.#options.qps > 0) this.#keepPace();
    }
  }

  /** Open loop: another rate from `fromMs` on, a whole second in Unix milliseconds. @param qps over the whole population */
  changeQps(qps: number, fromMs: number): void {
    this.#schedule.change(qps, fromMs);
    this.#options.qps = qps;
    if (this.#isShaking) this.#keepPace();
  }

  /**
   * Stops shaking, once everything that was due before `untilMs` is sent, also if our clock is not there yet: the caller's
   * is. Replies and notices are still taken, and packets grabbed.
   */
  stopShaking(): void {
    if (this.#pace !== undefined) this.#shakeDue(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    clearInterval(this.#pace);
    this.#pace = undefined;
    this.#isShaking = false;
    this.#links.flush();
  }

  /** What was timed since the last call, encoded. */
  takeLatency(): LoadLatency {
    const { shakeLatency, grabLatency } = this;
    const latency = { shake: encodeLatency(shakeLatency), grab: encodeLatency(grabLatency) };
    shakeLatency.reset();
    grabLatency.reset();
    return latency;
  }

  /** Grabs one packet with every connection, whether it was told of it or not. */
  grabAll(packetId: number): void {
    for (let index = 0; index < this.#count; index++)
      if (this.#states[index] === State.READY) this.#grab(index, packetId);
  }

  /** Closes every connection. */
  end(): void {
    this.#isEnding = true;
    for (let index = 0; index < this.#count; index++) this.#links.destroy(index);
    this.#links.close();
  }

  // HOT
  onFrame(index: number, bytes: Uint8Array, offset: number, length: number, opcode: number): boolean {
    switch (opcode) {
      case Opcode.SHAKE_RESULT:
        this.#onShakeResult(index, bytes, offset);
        break;
      case Opcode.NOTICE:
        this.totals.notices++;
        if (this.#options.grab) this.#grab(index, readUint32(bytes, offset + BODY_OFFSET));
        break;
      case Opcode.GRAB_RESULT:
        this.#onGrabResult(index, bytes, offset, readUint32(bytes, offset + BODY_OFFSET + 4));
        break;
      case Opcode.LOGIN_RESULT:
        this.#onLoginResult(index, readUint32(bytes, offset + BODY_OFFSET + 4));
        break;
      default:
        this.#onExtended(index, bytes, offset, opcode, unpackBody(bytes, offset, length));
    }
    return true;
  }

  onConnect(index: number): void {
    this.#connecting--;
    this.#states[index] = State.CONNECTED;
    this.#login(index);
    this.connectAll();
  }

  onClose(index: number): void {
    const state = this.#states[index];
    if (state === State.CONNECTING) this.#connecting--;
    if (state === State.READY) this.totals.connected--;
    this.#states[index] = State.IDLE;
    this.#shakesUnderWay[index] = 0;
    this.#grabsUnderWay[index] = 0;
    this.#quietUntilMs[index] = 0;
    this.#intervalsMs[index] = 0;
    this.#reader.forget(index);
    if (this.#isEnding) return;
    if (state === State.READY) this.totals.lostConnections++;
    else this.totals.failedConnects++;
    setTimeout(() => {
      if (this.#isEnding) return;
      this.#toConnect.push(index);
      this.connectAll();
    }, RETRY_MS);
  }

  // HOT
  onData(index: number, bytes: Uint8Array, length: number): void {
    this.#readUs = nowUs();
    this.lastHeardMs = this.#readUs / 1000;
    this.#shakesToSend = 0;
    const fault = this.#reader.feed(index, bytes, length);
    this.#recordShakes();
    if (fault !== FrameFault.NONE) {
      this.totals.unexpected++;
      this.#links.destroy(index);
      return;
    }
    if (this.#shakesToSend > 0 && this.#quietUntilMs[index] === 0) this.#writeShakes(index, this.#shakesToSend);
  }

  /** While answers come the open loop shakes up to ten times in its pace: closer to when it is due, for little more. */
  // HOT
  onTurn(): boolean {
    if (this.#pace === undefined) return true;
    if (this.#isBehind || this.#readUs - this.#pacedUs >= this.#options.paceMs * 100) this.#shakeAFew();
    return !this.#isBehind;
  }

  #connect(index: number): void {
    const { targets, population, usersBefore = 0 } = this.#options;
    const { host, port } = targets[index % targets.length];
    this.#connecting++;
    this.#states[index] = State.CONNECTING;
    const number = usersBefore + this.#users[0] + index - population[0];
    const localAddress = host === '127.0.0.1' ? localAddressOf(number) : undefined;
    this.#links.connect(index, { host, port, localAddress });
  }

  #keepPace(): void {
    this.#pace ??= setInterval(this.#keepUp, this.#options.paceMs);
  }

  readonly #keepUp = (): void => {
    if (this.#pace === undefined) return;
    this.#shakeAFew();
    this.#links.flush();
  };

  readonly #catchUp = (): void => {
    this.#isCatchingUp = false;
    if (this.#isBehind) this.#keepUp();
  };

  /** Open loop: queues what is due by now; if that is much, answers are taken in between. */
  // HOT
  #shakeAFew(): void {
    this.#pacedUs = nowUs();
    this.#isBehind = this.#shakeDue(this.#pacedUs / 1000, SHAKES_AT_ONCE);
    if (!this.#isBehind || this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    setImmediate(this.#catchUp);
  }

  // HOT
  #recordShakes(): void {
    if (this.#sameLatencies === 0) return;
    this.shakeLatency.recordValueWithCount(this.#sameLatencyUs, this.#sameLatencies);
    this.#sameLatencies = 0;
  }

  // HOT
  #onShakeResult(index: number, bytes: Uint8Array, offset: number): void {
    const { totals } = this;
    if (this.#shakesUnderWay[index] === 0) {
      totals.unexpected++;
      return;
    }
    this.#shakesUnderWay[index]--;
    totals.answered++;
    this.lastAnswerMs = this.lastHeardMs;
    const latencyUs = clampUs(this.#readUs - readStamp(bytes, offset));
    if (latencyUs !== this.#sameLatencyUs) this.#recordShakes();
    this.#sameLatencyUs = latencyUs;
    this.#sameLatencies++;
    const result = readUint32(bytes, offset + BODY_OFFSET + 4);
    if (result === ShakeResult.NONE) {
      totals.none++;
    } else if (result === ShakeResult.WON) {
      totals.won++;
      totals.wonCents += readUint32(bytes, offset + BODY_OFFSET + 12);
    } else {
      totals.overload++;
    }
    if (this.#options.closed && this.#isShaking) this.#shakesToSend++;
  }

  /** What users hear who logged in with HELLO. */
  #onExtended(index: number, bytes: Uint8Array, offset: number, opcode: number, body: unknown): void {
    if (this.#key === undefined || typeof body !== 'object' || body === null) {
      this.totals.unexpected++;
      return;
    }
    switch (opcode) {
      case Opcode.RICH_NOTICE:
        this.totals.notices++;
        if (this.#options.grab) this.#grab(index, (body as RichNotice).packetId);
        break;
      case Opcode.RICH_GRAB_RESULT:
        this.#onGrabResult(index, bytes, offset, (body as RichGrabResult).amountCents);
        break;
      case Opcode.WELCOME:
        this.#onLoginResult(index, LoginResult.OK);
        break;
      case Opcode.SLOW_DOWN:
        this.#slowDown(index, body);
        break;
      case Opcode.GOING_AWAY:
        // It closes, and is tried again.
        break;
      case Opcode.ERROR:
        // Before the login it says why there is none; after it, why the server closes.
        if (this.#states[index] !== State.READY) this.#onLoginResult(index, LoginResult.TOKEN_NEEDED);
        break;
      default:
        this.totals.unexpected++;
    }
  }

  #slowDown(index: number, body: unknown): void {
    const slowDown = readSlowDown(body);
    if (slowDown === undefined) {
      this.totals.unexpected++;
      return;
    }
    this.#intervalsMs[index] = slowDown.intervalMs ?? 0;
    this.#beQuiet(index, nowUs() / 1000 + slowDown.retryAfterMs);
  }

  /** Shakes no more on a connection before a moment in Unix milliseconds. */
  #beQuiet(index: number, untilMs: number): void {
    this.#quietUntilMs[index] = untilMs;
    if (!this.#options.closed) return;
    setTimeout(
      () => {
        // Asked for something else meanwhile, or lost.
        if (this.#quietUntilMs[index] !== untilMs || !this.#isShaking) return;
        this.#quietUntilMs[index] = 0;
        if (this.#intervalsMs[index] === 0) this.#fillPipeline(index);
        else {
          if (this.#shakesUnderWay[index] < this.#options.pipeline) this.#writeShakes(index, 1);
          this.#beQuiet(index, nowUs() / 1000 + this.#intervalsMs[index]);
        }
      },
      Math.ceil(untilMs - nowUs() / 1000),
    );
  }

  /** Open loop: whether the server wants a shake of this connection now; then it counts as made. */
  // HOT
  #mayShake(index: number, nowMs: number): boolean {
    if (this.#quietUntilMs[index] === 0) return true;
    if (nowMs < this.#quietUntilMs[index]) return false;
    this.#quietUntilMs[index] = this.#intervalsMs[index] === 0 ? 0 : nowMs + this.#intervalsMs[index];
    return true;
  }

  #onGrabResult(index: number, bytes: Uint8Array, offset: number, amountCents: number): void {
    const { totals } = this;
    if (this.#grabsUnderWay[index] === 0) {
      totals.unexpected++;
      return;
    }
    this.#grabsUnderWay[index]--;
    totals.grabsAnswered++;
    this.grabLatency.recordValue(clampUs(this.#readUs - readStamp(bytes, offset)));
    if (amountCents === 0) totals.grabsNothing++;
    else totals.grabsWon++;
    totals.grabCents += amountCents;
  }

  #onLoginResult(index: number, result: number): void {
    if (result !== LoginResult.OK) {
      this.totals.refusedLogins++;
      this.#links.destroy(index);
      return;
    }
    if (this.#states[index] === State.READY) {
      this.totals.unexpected++;
      return;
    }
    this.#states[index] = State.READY;
    this.totals.connected++;
    if (this.#options.closed && this.#isShaking) this.#fillPipeline(index);
  }

  #login(index: number): void {
    const userId = this.#users[0] + index;
    const stamp = nowUs();
    let place: number;
    if (this.#key === undefined) {
      place = this.#reserve(LOGIN_BYTES);
      writeLogin(this.#writeBuffer, place, stamp, userId);
    } else {
      const token = signToken(this.#key, userId, Math.floor(Date.now() / 1000) + TOKEN_SECONDS);
      const body = { version: PROTOCOL_VERSION, userId, token };
      const hello = packFrame(Opcode.HELLO, stampHighOf(stamp), stamp, body);
      place = this.#reserve(hello.length);
      this.#writeBuffer.set(hello, place);
    }
    this.#write(index, place);
  }

  #grab(index: number, packetId: number): void {
    const place = this.#reserve(GRAB_BYTES);
    writeGrab(this.#writeBuffer, place, nowUs(), this.#users[0] + index, packetId);
    this.#grabsUnderWay[index]++;
    this.totals.grabsSent++;
    this.#write(index, place);
  }

  #fillPipeline(index: number): void {
    if (this.#states[index] === State.READY)
      this.#writeShakes(index, this.#options.pipeline - this.#shakesUnderWay[index]);
  }

  /** Closed loop: sends so many shakes at once. */
  // HOT
  #writeShakes(index: number, count: number): void {
    const place = this.#reserve(count * SHAKE_BYTES);
    const stamp = nowUs();
    for (let i = 0; i < count; i++) {
      writeShake(this.#writeBuffer, place + i * SHAKE_BYTES, stamp, this.#users[0] + index);
    }
    this.#shakesUnderWay[index] += count;
    this.totals.sent += count;
    this.#write(index, place);
  }

  /** Open loop: sends what is due by a moment, `most` of it. Returns whether there may be more. */
  // HOT
  #shakeDue(nowMs: number, most: number): boolean {
    const [first, last] = this.#users;
    const schedule = this.#schedule;
    const { giveUpMs = Number.POSITIVE_INFINITY, mostUnanswered = Number.POSITIVE_INFINITY } = this.#options;
    // The caller's moment may lie ahead of our clock: see stopShaking.
    const clockMs = Math.min(nowMs, nowUs() / 1000);
    const tooLateMs = clockMs - giveUpMs;
    for (let left = most; left > 0; left--) {
      const userId = schedule.takeDue(nowMs);
      if (userId === NOBODY) return false;
      if (userId < first || userId > last) continue;
      const index = userId - first;
      if (
        this.#states[index] !== State.READY ||
        schedule.dueMs < tooLateMs ||
        this.#shakesUnderWay[index] >= mostUnanswered ||
        !this.#mayShake(index, clockMs)
      ) {
        this.totals.skipped++;
        continue;
      }
      const place = this.#reserve(SHAKE_BYTES);
      writeShake(this.#writeBuffer, place, Math.round(schedule.dueMs * 1000), userId);
      this.#shakesUnderWay[index]++;
      this.totals.sent++;
      this.#write(index, place);
    }
    return true;
  }

  /** Makes room for `length` bytes of requests. */
  // HOT
  #reserve(length: number): number {
    if (this.#written + length > WRITE_BYTES) {
      this.#writeBuffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
      this.#written = 0;
    }
    const place = this.#written;
    this.#written += length;
    return place;
  }

  /** Sends what was reserved from `place` on. Bytes that the socket could not send yet are left alone from then on. */
  // HOT
  #write(index: number, place: number): void {
    if (this.#links.write(index, this.#writeBuffer, place, this.#written)) this.#written = place;
  }
}

/** Looked up once: the global is an accessor. */
const now = performance.now.bind(performance);
const { timeOrigin } = performance;

/** The wall clock in microseconds, finer than Date.now(). Goes through performance.now(), so it never steps back. */
function nowUs(): number {
  return Math.round((timeOrigin + now()) * 1000);
}

function clampUs(us: number): number {
  return Math.min(Math.max(us, 1), MAX_MICROSECONDS);
}
