// The thread of a SET worker: takes requests from its rings in batches, answers them, and sleeps when there are none.
//
// It blocks in its wait strategy, so it owns no socket, timer, promise, or port to receive on; the ports in its data
// are only posted to. It stops when the stop word is set and its rings are empty. An error ends the process.

import type { MessagePort } from 'node:worker_threads';
import { workerData } from 'node:worker_threads';
import { type DropMemory, DropTable } from '../packets/drop-table.ts';
import { type PacketMemory, PacketTable } from '../packets/packet-table.ts';
import { Consumer } from '../ring/consumer.ts';
import { CounterWriter } from '../ring/counters.ts';
import { DoorbellListener, DoorbellRinger } from '../ring/doorbell.ts';
import { Producer } from '../ring/producer.ts';
import type { RingMemory } from '../ring/ring.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../ring/wait-strategy.ts';
import { BATCH_REQUESTS, HOUSEKEEPING_MS, MAX_DEFERRED, MAX_DEFERRED_BEFORE_REQUESTS } from './limits.ts';
import { Outbox } from './outbox.ts';
import { SetWorker } from './set-worker.ts';
import { WORKER_COUNTERS } from './worker-counters.ts';

/** What main hands to a SET worker. */
export interface WorkerThreadData {
  /** One word, 0 while the server runs; main sets it to 1 and rings the doorbell. */
  stop: SharedArrayBuffer;
  doorbell: SharedArrayBuffer;
  waitStrategy: WaitStrategyName;
  counters: SharedArrayBuffer;
  drops: DropMemory;
  packets: PacketMemory;
  /** What main sends: notices. */
  commands: RingMemory;
  /** Requests an acceptor may have under way to this worker. */
  maxInFlight: number;
  /** For each acceptor, in order: the rings between it and this worker, and how to wake it. */
  acceptors: { requests: RingMemory; replies: RingMemory; doorbell: SharedArrayBuffer; port: MessagePort }[];
}

function run(data: WorkerThreadData): void {
  const stop = new Int32Array(data.stop);
  const doorbell = new DoorbellListener(data.doorbell);
  const waitForWork = WAIT_STRATEGIES[data.waitStrategy];
  const outbox = new Outbox(
    data.acceptors.map(({ replies }) => new Producer(replies)),
    data.acceptors.map(({ doorbell, port }) => new DoorbellRinger(doorbell, () => port.postMessage(null))),
    data.maxInFlight,
  );
  const counters = new CounterWriter(data.counters, WORKER_COUNTERS);
  const worker = new SetWorker(new DropTable(data.drops), new PacketTable(data.packets), outbox, counters);
  const requests = data.acceptors.map((acceptor) => new Consumer(acceptor.requests));
  const commands = new Consumer(data.commands);

  const mayTakeCommands = () => worker.deferredCount < MAX_DEFERRED;
  const mayTakeRequests = () => worker.deferredCount < MAX_DEFERRED_BEFORE_REQUESTS;
  const hasWork = () => {
    if (mayTakeRequests()) for (const ring of requests) if (ring.available() > 0) return true;
    return (mayTakeCommands() && commands.available() > 0) || Atomics.load(stop, 0) === 1;
  };
  const takeBatch = (ring: Consumer, acceptor: number): number => {
    const count = Math.min(ring.available(), BATCH_REQUESTS);
    for (let i = 0; i < count; i++) worker.handle(acceptor, ring.words, ring.slotAt(i));
    if (count > 0) ring.release(count);
    return count;
  };

  let houseKeptAt = 0;
  for (;;) {
    worker.sendDeferred();
    let taken = 0;
    for (let i = 0; i < requests.length && mayTakeRequests(); i++) taken += takeBatch(requests[i], i);
    if (mayTakeCommands()) taken += takeBatch(commands, -1);
    outbox.flush();
    const now = performance.now();
    if (now - houseKeptAt > HOUSEKEEPING_MS) {
      houseKeptAt = now;
      worker.keepHouse();
    }
    if (taken > 0) continue;
    if (Atomics.load(stop, 0) === 1) return;
    waitForWork(doorbell, hasWork, worker.deferredCount > 0 ? 1 : HOUSEKEEPING_MS);
  }
}

run(workerData as WorkerThreadData);
