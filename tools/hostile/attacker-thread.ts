// A thread of hostile peers: begins the attack that main names, and ends it when main says so.

import { parentPort, workerData } from 'node:worker_threads';
import { Attack, type AttackName, type AttackOptions } from './attacks.ts';

/** What main hands over. */
export interface AttackerData extends AttackOptions {
  name: AttackName;
}

/** What it answers to the message that ends it. */
export interface AttackerReport {
  connected: number;
}

const { name, ...options } = workerData as AttackerData;
const attack = new Attack(name, options);
parentPort!.once('message', () => {
  const { connected } = attack;
  attack.stop();
  parentPort!.postMessage({ connected } satisfies AttackerReport);
});
