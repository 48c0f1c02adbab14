// Counts the connections of an acceptor by client address: asked for by an operator, some at a time, so that no request waits.

import type { Transport } from './transport.ts';

/** Connections that are asked in one turn: some hundred microseconds. */
const AT_ONCE = 200;

/** @param connections indexes that the transport may know @returns connections by address */
export async function countAddresses(transport: Transport, connections: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let first = 0; first < connections; first += AT_ONCE) {
    for (let connection = first; connection < Math.min(connections, first + AT_ONCE); connection++) {
      const address = transport.addressOf(connection);
      if (address !== undefined) counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return counts;
}
