// One thread of doorbell.stress.test.ts. Roles:
//
// - `ping` sends a message, waits for the answer, and so on; `pong` answers. One message is under way at a time, so
//   that one lost wake-up stops both until a sleep times out.
// - `listener` answers pings from an event loop that a MessagePort wakes, for several pings at once.
//
// A seeded pause before each wait moves the moment of falling asleep over the moment of the answer.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Consumer } from '../../lib/ring/consumer.ts';
import { DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import type { RingMemory } from '../../lib/ring/ring.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../../lib/ring/wait-strategy.ts';
import { Random } from './seed.ts';
import { countSleeps, idle, LOST_MS, meet } from './threads.ts';

interface Shared {
  seed: number;
  meeting: SharedArrayBuffer;
  parties: number;
}

/** The rings between a ping (or pong) and the other side, and the doorbells of both. */
export interface Link {
  out: RingMemory;
  outBell: SharedArrayBuffer;
  in: RingMemory;
  inBell: SharedArrayBuffer;
}

export interface PingData extends Shared {
  role: 'ping' | 'pong';
  link: Link;
  wait: WaitStrategyName;
  /** Empty turns of a loop, at most, before a wait. */
  pause: number;
  rounds: number;
  budgetMs: number;
  /** For a ping whose other side sleeps in an event loop. */
  wakePort?: MessagePort;
}

export interface ListenerData extends Shared {
  role: 'listener';
  links: Link[];
  ports: MessagePort[];
}

export interface Report {
  /** The first thing that was not as it should be; empty if all was well. */
  fault: string;
  rounds: number;
  slept: number;
  timedOut: number;
  /** Announcements of a sleep (listener). */
  announced: number;
  /** Wakes sent (ping) or received (listener). */
  woken: number;
}

/** The message that says that no more will come. */
const END = -1;

const sleeps = countSleeps();
const data: PingData | ListenerData = workerData;
function report(fault: string, rounds: number, announced: number, woken: number): void {
  parentPort!.postMessage({ fault, rounds, ...sleeps, announced, woken } satisfies Report);
}

function ping({ link, wait, pause, rounds, budgetMs, seed, wakePort }: PingData): void {
  let woken = 0;
  const wake = () => {
    woken++;
    wakePort?.postMessage(0);
  };
  const line = new Line(link, wait, seed, pause, wakePort === undefined ? undefined : wake);
  const deadline = performance.now() + budgetMs;
  let round = 0;
  let fault = '';
  while (fault === '' && round < rounds && performance.now() < deadline) {
    line.send(round);
    const answer = line.receive();
    if (answer !== round) fault = `round ${round}: the answer is ${answer}`;
    round++;
  }
  line.send(END);
  wakePort?.close();
  report(fault, round, 0, woken);
}

function pong({ link, wait, pause, seed }: PingData): void {
  const line = new Line(link, wait, seed, pause, undefined);
  let rounds = 0;
  for (;;) {
    const message = line.receive();
    if (message === END || message === undefined) break;
    line.send(message);
    rounds++;
  }
  report('', rounds, 0, 0);
}

/** One side of a link: sends and receives one message at a time. */
class Line {
  readonly #producer: Producer;
  readonly #ringer: DoorbellRinger;
  readonly #consumer: Consumer;
  readonly #bell: DoorbellListener;
  readonly #wait: WaitStrategyName;
  readonly #random: Random;
  readonly #pause: number;

  constructor(link: Link, wait: WaitStrategyName, seed: number, pause: number, wake: (() => void) | undefined) {
    this.#producer = new Producer(link.out);
    this.#ringer = new DoorbellRinger(link.outBell, wake);
    this.#consumer = new Consumer(link.in);
    this.#bell = new DoorbellListener(link.inBell);
    this.#wait = wait;
    this.#random = new Random(seed);
    this.#pause = pause;
  }

  send(message: number): void {
    this.#producer.words[this.#producer.claim()] = message;
    this.#producer.publish();
    this.#ringer.ring();
  }

  /** The next message; undefined if a sleep timed out. */
  receive(): number | undefined {
    const hasWork = () => this.#consumer.available() > 0;
    idle(this.#random.below(this.#pause + 1));
    while (!hasWork()) {
      WAIT_STRATEGIES[this.#wait](this.#bell, hasWork, LOST_MS);
      if (sleeps.timedOut > 0) return undefined;
    }
    const message = this.#consumer.words[this.#consumer.slotAt(0)];
    this.#consumer.release(1);
    return message;
  }
}

function listen({ links, ports }: ListenerData): void {
  const bell = new DoorbellListener(links[0].inBell);
  const consumers = links.map((link) => new Consumer(link.in));
  const producers = links.map((link) => new Producer(link.out));
  const ringers = links.map((link) => new DoorbellRinger(link.outBell));
  let announced = 0;
  let woken = 0;
  let rounds = 0;
  let open = links.length;
  const drain = () => {
    let taken = 0;
    for (let i = 0; i < consumers.length; i++) {
      if (consumers[i].available() === 0) continue;
      const message = consumers[i].words[consumers[i].slotAt(0)];
      consumers[i].release(1);
      taken++;
      if (message === END) {
        open--;
        continue;
      }
      producers[i].words[producers[i].claim()] = message;
      producers[i].publish();
      ringers[i].ring();
      rounds++;
    }
    return taken > 0;
  };
  const turn = () => {
    do {
      bell.cancelSleep();
      while (drain());
      announced++;
      bell.announceSleep();
    } while (consumers.some((consumer) => consumer.available() > 0));
  };
  for (const port of ports) {
    port.on('message', () => {
      woken++;
      turn();
    });
    // A port closes after its last message has come: then no wake is on its way any more.
    port.on('close', () => {
      ports.splice(ports.indexOf(port), 1);
      if (ports.length === 0) report(open === 0 ? '' : `${open} pings never ended`, rounds, announced, woken);
    });
  }
  turn();
}

meet(data.meeting, data.parties);
sleeps.slept = 0;
if (data.role === 'listener') listen(data);
else if (data.role === 'ping') ping(data);
else pong(data);
