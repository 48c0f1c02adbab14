// Makes a server listen: what every transport does in the same way.

import type { Server } from 'node:net';
import { BACKLOG } from './limits.ts';
import type { ListenOptions } from './transport.ts';

/**
 * Resolves to the port once it listens; `onListening` is called in that very turn, before anything is accepted.
 * @throws the system's error, such as EADDRINUSE
 */
export function listen(server: Server, options: ListenOptions, onListening: () => void): Promise<number> {
  const { host, port, reusePort } = options;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
      server.removeListener('error', reject);
      // Once it listens, an error is a failed accept of one connection, which the kernel already dropped.
      server.on('error', () => {});
      onListening();
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
