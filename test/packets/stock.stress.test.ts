// Tries the one cell of the stock that has two writers: `taken` of a SET, by its worker and by main at once.

import t from 'tap';
import { Stock } from '../../lib/packets/stock.ts';
import type { StockWorkerData } from './stock.stress-worker.ts';
import { StressWorkers } from './stress-workers.ts';

const RUN_MS = 500;
const SET = 1;

t.test('what the worker takes and what main takes back both count, every time', async (t) => {
  const memory = Stock.allocate(3);
  const stock = new Stock(memory);
  const workers = new StressWorkers<number>(
    new URL('./stock.stress-worker.ts', import.meta.url),
    1,
    (): StockWorkerData => ({ memory, set: SET }),
  );
  await workers.start();
  let takenBack = 0;
  for (const endAt = Date.now() + RUN_MS; Date.now() < endAt; takenBack += 100) {
    for (let i = 0; i < 100; i++) stock.remove(SET, 1);
  }
  const [taken] = await workers.stop();
  t.ok(taken > 10_000 && takenBack > 10_000, `${taken} taken by the worker, ${takenBack} by main`);
  stock.add(SET, taken + takenBack + 1);
  t.ok(stock.hasAny(SET), 'one is left');
  stock.remove(SET, 1);
  t.notOk(stock.hasAny(SET), 'and then none');
  t.notOk(stock.hasAny(0) || stock.hasAny(2), 'the neighbours are untouched');
});
