// Starts a test's Worker and hands back the one message that it reports with.

import { type Transferable, Worker } from 'node:worker_threads';

/** @param file the entry file's name, beside this file */
export function runWorker<Report>(file: string, workerData: object, transfer: Transferable[] = []): Promise<Report> {
  const { promise, resolve, reject } = Promise.withResolvers<Report>();
  // Under tap the parent's arguments load tap's own hooks: a Worker wants none of them.
  const worker = new Worker(new URL(file, import.meta.url), { workerData, execArgv: [], transferList: transfer });
  worker.on('message', resolve);
  worker.on('error', reject);
  worker.on('exit', (code) => reject(new Error(`${file} ended (${code}) without a report`)));
  return promise;
}
