// The thread of a wallet of somebody else's: loads the module, carries out its calls, sends back what came of them.

import { parentPort, workerData } from 'node:worker_threads';
import type { Reservation, Wallet } from './wallet.ts';

export interface WalletThreadData {
  /** Of the module. */
  url: string;
}

/** From main. */
export interface WalletCall {
  /** 1, 2, 3, ... */
  call: number;
  method: keyof Wallet;
  reservation: Reservation;
}

/** To main; call 0 says that the module is loaded. */
export interface WalletAnswer {
  call: number;
  value: string;
  error?: string;
}

const METHODS = ['reserve', 'commit', 'cancel'] as const;

const { url } = workerData as WalletThreadData;
const { default: createWallet } = (await import(url)) as { default?: () => Wallet | Promise<Wallet> };
if (typeof createWallet !== 'function') throw new Error('its default export is not a function that makes a wallet');
const wallet = await createWallet();
for (const method of METHODS) {
  if (typeof wallet?.[method] !== 'function') throw new Error(`what it makes has no method ${method}`);
}

parentPort!.on('message', async ({ call, method, reservation }: WalletCall) => {
  try {
    answer({ call, value: String(await wallet[method](reservation)) });
  } catch (error) {
    answer({ call, value: '', error: error instanceof Error ? error.message : String(error) });
  }
});
answer({ call: 0, value: '' });

function answer(message: WalletAnswer): void {
  parentPort!.postMessage(message);
}
