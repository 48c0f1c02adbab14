// A wallet that never answers: the sends that it concerns wait, and nothing else of the server does.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import t from 'tap';
import { makeDataDirectory } from '../data-directory.ts';
import { waitFor, within } from './raw-client.ts';
import { call, join, serve } from './test-server.ts';

/** User 1 is never answered; the others have money. */
const WALLET = `
export default () => ({
  reserve: ({ userId }) => userId === 1 ? new Promise(() => {}) : Promise.resolve('reserved'),
  commit: async () => {},
  cancel: async () => {},
});
`;

/** Blocks its own thread for good at the first call. */
const BLOCKING_WALLET = `
export default () => ({
  reserve() { for (;;); },
  commit: async () => {},
  cancel: async () => {},
});
`;

/** Notes what it is asked to end. */
const NOTING_WALLET = (log: string) => `
import { appendFileSync } from 'node:fs';
const note = (how) => async ({ id, userId, cents, key }) =>
  appendFileSync(${JSON.stringify(log)}, [how, id, userId, cents, key].join(' ') + '\\n');
export default () => ({ reserve: async () => 'reserved', commit: note('commit'), cancel: note('cancel') });
`;

for (const [what, module] of [
  ['never answers one user', WALLET],
  ['blocks its thread for good', BLOCKING_WALLET],
] as const) {
  t.test(`a wallet that ${what} holds up neither shakes nor grabs, nor the end of the server`, async (t) => {
    const data = makeDataDirectory();
    const wallet = joinPath(data, 'wallet.mjs');
    writeFileSync(wallet, module);
    const errors: string[] = [];
    const server = await serve(t, { data, wallet }, ({ message }) => errors.push(message));
    const [stuck, other] = [await join(t, server, 1, 'hello'), await join(t, server, 2, 'hello')];
    const packet = { users: [3, 4], totalCents: 100, shares: 2, mode: 'equal' as const };
    const waiting = stuck.send({ ...packet, key: 'k' }).then(
      ({ status }) => status,
      ({ code }) => code,
    );
    await waitFor('it to be under way', async () => (await server.status()).requests.send === 1);
    t.match(await stuck.shake(), { result: 'none' }, 'the sender himself may shake');
    t.strictSame(await stuck.wallet(), { balanceCents: 0, reservedCents: 0 });
    t.equal((await call(server, 'POST', '/users/2/topup', { cents: 5, key: 'k' })).status, 200);
    await call(server, 'POST', '/drops', { count: 1, rate: 1000, budget: 70 });
    await waitFor('the packet of a drop', async () => (await other.shake()).amountCents === 70);
    if (module === WALLET) {
      const { status, packetId } = await other.send(packet);
      t.equal(status, 'SENT');
      t.match(await (await join(t, server, 3, 'hello')).grab(packetId!), { status: 'WON', amountCents: 50 });
    }
    t.equal(await within(waiting, 'the answer'), 'BUSY', 'in the end he is told to try again');
    await within(server.stop(), 'the stop');
    if (module === WALLET) {
      t.strictSame(errors, []);
      return;
    }
    t.equal(errors[0], 'the thread of the wallet has ended', 'what was to be cancelled could not be');
    const log = joinPath(data, 'log');
    writeFileSync(wallet, NOTING_WALLET(log));
    await serve(t, { data, wallet });
    await waitFor('the next start to do it', () => existsSync(log) && readFileSync(log, 'utf8').endsWith('\n'));
    t.equal(readFileSync(log, 'utf8'), 'cancel 1 1 100 k\n');
  });
}
