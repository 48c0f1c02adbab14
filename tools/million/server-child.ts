// One of the servers of a run: does what its parent says over the IPC channel, and ends with it.

import { type Server, startServer } from '../../lib/server.ts';
import type { FromServer, ToServer } from './child-messages.ts';

let server: Server | undefined;

const say = (message: FromServer): Promise<void> => new Promise((resolve) => process.send!(message, () => resolve()));

async function fail(error: Error): Promise<void> {
  await say({ kind: 'failed', message: error.message });
  process.exit(1);
}

process.on('message', async (message: ToServer) => {
  if (message.kind === 'stop') {
    await server?.stop();
    process.exit(0);
  }
  try {
    server = await startServer(message.options, {
      onError: (error) => void process.stderr.write(`${error.message}\n`),
    });
    server.failed.then(fail);
    await say({ kind: 'serving', port: server.port, controlPort: server.controlPort });
  } catch (error) {
    await fail(error as Error);
  }
});

// Ctrl-C reaches everybody on the terminal; when a run ends is up to the parent.
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit(1));
