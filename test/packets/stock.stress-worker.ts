// A thread of stock.stress.test.ts: takes from the stock of one SET as its worker does, and says how often it did.

import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from '../../lib/packets/stock.ts';
import { awaitStart } from './stress-workers.ts';

export interface StockWorkerData {
  memory: SharedArrayBuffer;
  set: number;
}

const { memory, set, control } = workerData as StockWorkerData & { control: SharedArrayBuffer };
const stock = new Stock(memory);
let taken = 0;
const { isRunning } = awaitStart(control);
while (isRunning()) {
  for (let i = 0; i < 100; i++) stock.remove(set, 1);
  taken += 100;
}
parentPort!.postMessage(taken);
