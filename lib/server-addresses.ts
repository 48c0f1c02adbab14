// Who is connected, by client address: asks every acceptor, and adds up what they say.

import type { Worker } from 'node:worker_threads';
import type { AcceptorMessage, CountAddressesMessage } from './net/acceptor-messages.ts';

/** How long the acceptors may take, in milliseconds. */
const WAIT_MS = 10_000;

/** Addresses that are told of; the others are added up. */
const MOST_ADDRESSES = 1000;

export interface AddressCounts {
  /** Most connections first. */
  addresses: { address: string; connections: number }[];
  /** Connections of addresses beyond these. */
  others: number;
}

/** @throws {Error} when an acceptor does not answer in time */
export async function readAddresses(acceptors: readonly Worker[]): Promise<AddressCounts> {
  const counts = new Map<string, number>();
  for (const part of await Promise.all(acceptors.map(ask))) {
    for (const [address, count] of part) counts.set(address, (counts.get(address) ?? 0) + count);
  }
  const all = [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
  return {
    addresses: all.slice(0, MOST_ADDRESSES).map(([address, connections]) => ({ address, connections })),
    others: all.slice(MOST_ADDRESSES).reduce((sum, [, count]) => sum + count, 0),
  };
}

function ask(acceptor: Worker): Promise<ReadonlyMap<string, number>> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      acceptor.off('message', onMessage);
    };
    const onMessage = (message: AcceptorMessage) => {
      if (message.kind !== 'addresses') return;
      end();
      resolve(message.counts);
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error('an acceptor does not say who is connected'));
    }, WAIT_MS);
    acceptor.on('message', onMessage);
    const question: CountAddressesMessage = { kind: 'count-addresses' };
    acceptor.postMessage(question);
  });
}
