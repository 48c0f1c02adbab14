// A server of their own for the tests of lib/net, lib/control and lib/server.ts, and an honest user beside the others.

import type { Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { CloseReason } from '../../lib/net/close-reasons.ts';
import { type Server, startServer } from '../../lib/server.ts';
import type { ServerOptions } from '../../lib/server-options.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { PATIENCE_MS, waitFor } from './raw-client.ts';

/** Starts a server that ends with the test. A thread that fails fails the test, and so does an error, unless it is expected. */
export async function serve(
  t: Test,
  options: Partial<ServerOptions> = {},
  onError = (error: Error): unknown => t.fail(`an error for the log: ${error.stack}`),
): Promise<Server> {
  const server = await startServer(
    { port: 0, controlPort: 0, data: makeDataDirectory(), packetSlots: 1024, ...options },
    { onError },
  );
  server.failed.then((error) => t.fail(error.message));
  t.teardown(() => server.stop());
  return server;
}

/** Connects an honest client, which leaves with the test. */
export async function join(
  t: Test,
  server: Server,
  userId: number,
  kind: 'login' | 'hello' = 'login',
): Promise<HongbaoClient> {
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false, timeoutMs: PATIENCE_MS });
  t.teardown(() => client.close());
  await client[kind](userId);
  return client;
}

/** The closes of a server so far, by reason. */
export async function closes(server: Server): Promise<Partial<Record<CloseReason, number>>> {
  return (await server.status()).connections.closed;
}

/** Runs `act`, and checks that in the end exactly this close was counted, and no other. */
export async function checkClose(
  t: Test,
  server: Server,
  reason: CloseReason,
  act: () => Promise<void>,
  count = 1,
): Promise<void> {
  const before = await closes(server);
  await act();
  const expected = { ...before, [reason]: (before[reason] ?? 0) + count };
  await waitFor(`a close for ${reason}`, async () => ((await closes(server))[reason] ?? 0) >= expected[reason]!);
  t.strictSame(await closes(server), expected, `counted as ${reason}`);
}

/** Calls the control API. */
export async function call(
  server: Server,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  // biome-ignore lint/suspicious/noExplicitAny: what is in an answer is what the tests look into
): Promise<{ status: number; body: any }> {
  const response = await fetch(`http://127.0.0.1:${server.controlPort}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
}

/** Has the house send packets at once, and waits until they are there and their users are invited. One at a time. */
export async function send(
  server: Server,
  body: { users: readonly number[]; [field: string]: unknown },
): Promise<{ id: number; packetIds: number[] }> {
  const { packets } = await server.status();
  const { body: started } = await call(server, 'POST', '/sends', { count: 1, rate: 10_000, ...body });
  await waitFor('the packets to be created', async () => {
    return (await call(server, 'GET', `/sends/${started.id}`)).body.created === started.count;
  });
  await passWorkers(server, body.users);
  const packetIds = Array.from({ length: started.count }, (_, i) => packetIdAt(packets.sent + i));
  return { id: started.id, packetIds };
}

/** Waits until the workers of some users have done what main told them so far: it takes commands in their order. */
async function passWorkers(server: Server, [first, last]: readonly number[]): Promise<void> {
  const { workers, sets } = server.options;
  const workerOf = (userId: number) => (userId % sets) % workers;
  const seen = new Set<number>();
  for (let userId = first; userId <= last && seen.size < workers; userId++) {
    if (seen.has(workerOf(userId))) continue;
    seen.add(workerOf(userId));
    // More than anybody has: it is refused, and leaves nothing behind.
    await call(server, 'POST', `/users/${userId}/withdraw`, { cents: 900_000_000_000_000, key: 'passing by' });
  }
}

/** The id of the packet that a server creates next after so many, while no slot has been used twice. */
export function packetIdAt(packetsBefore: number): number {
  return 0x0010_0000 + packetsBefore;
}

/** Waits until a packet is over. */
export function waitForState(server: Server, packetId: number, state: 'empty' | 'expired'): Promise<void> {
  return waitFor(`the packet to be ${state}`, async () => {
    return (await call(server, 'GET', `/packets/${packetId}`)).body.state === state;
  });
}

/** Waits until so many connections are open, and no more. */
export function waitForOpen(server: Server, count: number): Promise<void> {
  return waitFor(`${count} connections`, async () => {
    const { connections, sessions } = await server.status();
    return connections.open === count && sessions <= count;
  });
}
