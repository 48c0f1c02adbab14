// A fault in any thread ends the process with a reason and a code that a supervisor sees, and the next start has all the money.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { HongbaoClient } from '../clients/client.ts';
import { makeDataDirectory } from './data-directory.ts';
import { within } from './net/raw-client.ts';
import { ServerProcess } from './server-process.ts';

const HOOK = fileURLToPath(new URL('./faults/fault-hook.ts', import.meta.url));

/** How long an end may take: a server that fails gives itself 5 s. */
const END_MS = 30_000;

for (const thread of ['acceptor-thread', 'worker-thread', 'journal-thread', 'main']) {
  t.test(`a fault in ${thread} ends the process with its reason and 1, and a restart recovers`, async (t) => {
    const data = makeDataDirectory();
    const fault = join(data, 'fault');
    const env = { NODE_OPTIONS: `--import=${HOOK}`, FAULT_THREAD: thread, FAULT_FILE: fault };
    const first = await ServerProcess.start(['--data', data], env);
    t.teardown(() => first.signal('SIGKILL'));
    await first.call('POST', '/users/7/topup', { cents: 500, key: 'a' });
    const client = await HongbaoClient.connect({ port: first.port, reconnect: false });
    t.teardown(() => client.close());
    await client.hello(7);
    t.equal((await client.send({ users: [8], totalCents: 200, shares: 1 })).status, 'SENT');

    writeFileSync(fault, '');
    const { code, stderr } = await within(first.ended, 'the end', END_MS);
    t.equal(code, 1);
    t.match(stderr, `a fault that was asked for in ${thread}`);
    if (thread !== 'main') t.match(stderr, `the thread ${thread} has failed: Error`);

    const second = await ServerProcess.start(['--data', data]);
    t.teardown(() => second.signal('SIGKILL'));
    t.match(await second.call('GET', '/users/7'), { balanceCents: 300 });
    const { money } = (await second.call('GET', '/status')) as { money: { difference: number } };
    t.equal(money.difference, 0);
    t.equal((await second.stop()).code, 0);
  });
}
