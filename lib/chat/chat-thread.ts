// The thread of the chat service: loads the module, or the built-in service, and serves the rings in its event loop.
//
// It sleeps in its doorbell without blocking the loop, and shows at every turn that it turns. What it does not catch ends this
// thread alone: main starts another one. It is ended by main, at any moment: nothing here has to be closed in good order.

import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Consumer } from '../ring/consumer.ts';
import { CounterWriter } from '../ring/counters.ts';
import { DoorbellListener, DoorbellRinger } from '../ring/doorbell.ts';
import { Producer } from '../ring/producer.ts';
import type { RingMemory } from '../ring/ring.ts';
import { ServicePulse } from '../ring/service-pulse.ts';
import { SqliteBookStore } from './book-store.ts';
import { BuiltInChat } from './built-in.ts';
import { CHAT_COUNTERS } from './chat-counters.ts';
import { ChatHost } from './chat-host.ts';
import type { ChatService, CreateService } from './chat-service.ts';
import { ErrorLog } from './error-log.ts';
import { BEAT_MS } from './limits.ts';

/** What main hands to the service's thread. */
export interface ChatThreadData {
  /** Of the module; '' for the built-in service. */
  url: string;
  /** Directory for the files of the built-in service; '' to keep everything in memory. */
  directory: string;
  pulse: SharedArrayBuffer;
  counters: SharedArrayBuffer;
  doorbell: SharedArrayBuffer;
  sets: number;
  /** For each worker, in order: the rings between it and the service, and how to wake it. */
  workers: { passes: RingMemory; answers: RingMemory; doorbell: SharedArrayBuffer }[];
}

/** To main. */
export type ChatMessage = { kind: 'serving' } | { kind: 'failed'; message: string };

/** The file with friends and groups, in the data directory. */
const BOOK_NAME = 'chat.sqlite';

/** How often the host forgets what is over, in milliseconds. */
const HOUSEKEEPING_MS = 5000;

async function run(data: ChatThreadData): Promise<void> {
  const pulse = new ServicePulse(data.pulse);
  const doorbell = new DoorbellListener(data.doorbell);
  const log = new ErrorLog((message) => post({ kind: 'failed', message }));
  const host = new ChatHost({
    workers: data.workers.map(({ passes, answers, doorbell }) => ({
      fromWorker: new Consumer(passes),
      toWorker: new Producer(answers),
      doorbell: new DoorbellRinger(doorbell),
    })),
    sets: data.sets,
    counters: new CounterWriter(data.counters, CHAT_COUNTERS),
    readMs: () => performance.now(),
    onError: (error) => log.add(error),
  });
  host.serve(data.url === '' ? startBuiltIn(host, data.directory) : await load(host, data.url));
  // Keeps the loop alive: a wait in a doorbell does not.
  parentPort!.on('message', () => {});
  pulse.begin();
  post({ kind: 'serving' });
  let houseKeptAt = performance.now();
  for (;;) {
    pulse.beat();
    const taken = host.turn();
    if (performance.now() - houseKeptAt > HOUSEKEEPING_MS) {
      houseKeptAt = performance.now();
      host.keepTime();
    }
    if (taken > 0) {
      await setImmediate();
      continue;
    }
    doorbell.announceSleep();
    if (!host.hasWork()) await doorbell.sleepInLoop(host.heldBytes > 0 ? 1 : BEAT_MS);
    doorbell.cancelSleep();
  }
}

function startBuiltIn(host: ChatHost, directory: string): ChatService {
  return new BuiltInChat(host, new SqliteBookStore(directory === '' ? ':memory:' : join(directory, BOOK_NAME)));
}

/** @throws {Error} it cannot be loaded, or is no service */
async function load(host: ChatHost, url: string): Promise<ChatService> {
  const { createService } = (await import(url)) as { createService?: CreateService };
  if (typeof createService !== 'function') throw new Error('it exports no function createService');
  const service = await createService(host);
  if (typeof service?.handle !== 'function') throw new Error('what createService makes has no method handle');
  return service;
}

function post(message: ChatMessage): void {
  parentPort!.postMessage(message);
}

run(workerData as ChatThreadData);
