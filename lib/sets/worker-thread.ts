// The thread of a SET worker: takes requests from its rings in batches, answers them, and sleeps when there are none.
//
// It blocks in its wait strategy, so it owns no socket, timer, promise, or port to receive on; the ports in its data
// are only posted to. It stops when the stop word is set and nothing more can be taken from its rings: they are empty, or
// the journal takes no more. An error ends the process.

import type { MessagePort } from 'node:worker_threads';
import { workerData } from 'node:worker_threads';
import { EntryWriter } from '../ledger/entry-writer.ts';
import { type DropMemory, DropTable } from '../packets/drop-table.ts';
import { type PacketMemory, PacketTable } from '../packets/packet-table.ts';
import { REQUEST_BODY, REQUEST_RECEIVED } from '../protocol/slot-layout.ts';
import { Consumer } from '../ring/consumer.ts';
import { CounterWriter } from '../ring/counters.ts';
import { DoorbellListener, DoorbellRinger } from '../ring/doorbell.ts';
import { Producer } from '../ring/producer.ts';
import type { RingMemory } from '../ring/ring.ts';
import { ServicePulse } from '../ring/service-pulse.ts';
import { sharedClockUs } from '../ring/shared-clock.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../ring/wait-strategy.ts';
import {
  BATCH_REQUESTS,
  HOUSEKEEPING_MS,
  MAX_DEFERRED,
  MAX_DEFERRED_BEFORE_REQUESTS,
  MAX_USERS_PER_WORKER,
} from './limits.ts';
import { Outbox } from './outbox.ts';
import type { RestoredUsers } from './restored-users.ts';
import { RingWait } from './ring-wait.ts';
import { SetWorker } from './set-worker.ts';
import { WORKER_COUNTERS, WorkerCount } from './worker-counters.ts';

/** What main hands to a SET worker. */
export interface WorkerThreadData {
  /** Its index among the workers. */
  worker: number;
  /** One word, 0 while the server runs; main sets it to 1 and rings the doorbell. */
  stop: SharedArrayBuffer;
  doorbell: SharedArrayBuffer;
  waitStrategy: WaitStrategyName;
  counters: SharedArrayBuffer;
  drops: DropMemory;
  packets: PacketMemory;
  /** Its entries for the journal, and the doorbell of the journal thread. */
  entries: RingMemory;
  journalDoorbell: SharedArrayBuffer;
  /** What its users had at the end of an earlier run. */
  restored: RestoredUsers;
  /** Requests an acceptor may have under way to this worker. */
  maxInFlight: number;
  /**
   * For each acceptor, in order, for main behind them, and for the chat service, if there is one: the rings between it and
   * this worker, and how to wake it. The chat service sleeps in its doorbell, and has no port.
   */
  acceptors: {
    requests: RingMemory;
    replies: RingMemory;
    doorbell: SharedArrayBuffer;
    port: MessagePort | undefined;
  }[];
  /** The index of main among them. */
  main: number;
  chatPulse: SharedArrayBuffer;
}

const NO_BODY = new Int32Array(0);

function run(data: WorkerThreadData): void {
  const stop = new Int32Array(data.stop);
  const doorbell = new DoorbellListener(data.doorbell);
  const waitForWork = WAIT_STRATEGIES[data.waitStrategy];
  const outbox = new Outbox(
    data.acceptors.map(({ replies }) => new Producer(replies)),
    data.acceptors.map(({ doorbell, port }) =>
      port === undefined ? new DoorbellRinger(doorbell) : new DoorbellRinger(doorbell, () => port.postMessage(null)),
    ),
    data.maxInFlight,
    new EntryWriter(new Producer(data.entries), new DoorbellRinger(data.journalDoorbell)),
    data.main,
  );
  const counters = new CounterWriter(data.counters, WORKER_COUNTERS);
  const drops = new DropTable(data.drops);
  const pulse = new ServicePulse(data.chatPulse);
  const packets = new PacketTable(data.packets);
  const worker = new SetWorker(data.worker, drops, packets, outbox, counters, MAX_USERS_PER_WORKER, pulse);
  worker.restore(data.restored);
  const requests = data.acceptors.map((acceptor) => new Consumer(acceptor.requests));
  const main = outbox.main;
  const ringWait = new RingWait(counters, sharedClockUs());

  // What main sends may grow the frames that wait much faster than what clients ask for.
  const mayTake = (ring: number) =>
    worker.deferredCount < (ring === main ? MAX_DEFERRED : MAX_DEFERRED_BEFORE_REQUESTS) && outbox.canRecord();
  const hasWork = () => {
    for (let i = 0; i < requests.length; i++) if (mayTake(i) && requests[i].available() > 0) return true;
    return Atomics.load(stop, 0) === 1;
  };
  /** Takes so many slots, and what belongs to the last of them, while there is room for their records. */
  const takeBatch = (ring: Consumer, acceptor: number, count: number): number => {
    let taken = 0;
    if (count > 0 && acceptor < main) {
      ringWait.record(ring.words[ring.slotAt(0) + REQUEST_RECEIVED], sharedClockUs());
    }
    while (taken < count && outbox.canRecord()) {
      const slot = ring.slotAt(taken);
      const bodyWords = ring.words[slot + REQUEST_BODY];
      const body = bodyWords === 0 ? NO_BODY : ring.copyBody(taken, bodyWords);
      worker.handle(acceptor, ring.words, slot, body);
      taken += 1 + ring.countBodySlots(bodyWords);
    }
    if (taken > 0) {
      ring.release(taken);
      if (acceptor !== main) counters.add(WorkerCount.slotsTaken, taken);
    }
    return taken;
  };

  const counts = new Int32Array(requests.length);
  let houseKeptAt = 0;
  for (;;) {
    worker.sendDeferred();
    let taken = 0;
    // What main has told a client is done before what he asks next: requests are counted, then all that main says is taken,
    // and only then the requests that were there before.
    for (let i = 0; i < requests.length; i++) counts[i] = Math.min(requests[i].available(), BATCH_REQUESTS);
    const toldByMain = requests[main].refresh();
    while (taken < toldByMain && mayTake(main)) {
      taken += takeBatch(requests[main], main, Math.min(toldByMain - taken, BATCH_REQUESTS));
    }
    for (let i = 0; i < requests.length; i++)
      if (i !== main && mayTake(i)) taken += takeBatch(requests[i], i, counts[i]);
    outbox.flush();
    const now = performance.now();
    if (now - houseKeptAt > HOUSEKEEPING_MS) {
      houseKeptAt = now;
      worker.keepHouse();
      ringWait.keepTime(sharedClockUs());
    }
    if (taken > 0) continue;
    if (Atomics.load(stop, 0) === 1) return;
    const waitsForRoom = worker.waitsForRoom || !outbox.canRecord();
    waitForWork(doorbell, hasWork, waitsForRoom ? 1 : HOUSEKEEPING_MS);
  }
}

run(workerData as WorkerThreadData);
