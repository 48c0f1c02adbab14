// Who may connect, as all acceptors count it: the last one that fits, the first one too many, and that counts come back to 0.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Admission, allocateAdmission } from '../../lib/net/admission.ts';
import { networkOf } from '../../lib/net/client-network.ts';
import { printSeed, seed, TestRandom } from '../packets/seed.ts';

const NO_LIMITS = { maxPerAddress: 0, maxAcceptsPerSecond: 0 };

printSeed(t);

t.test('an address stands for itself, or for its IPv6 network', (t) => {
  for (const [address, network] of [
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ]) {
    t.equal(networkOf(address), network, address);
  }
  t.end();
});

t.test('of one address no more come in than may, over all acceptors, and who leaves makes room', (t) => {
  const memory = allocateAdmission(64);
  const acceptors = [new Admission(memory), new Admission(memory)];
  const limits = { ...NO_LIMITS, maxPerAddress: 3 };
  const mine = acceptors[0].hash('10.0.0.1');
  t.equal(acceptors[1].hash('10.0.0.1'), mine, 'all count it by the same');
  const enter = (i: number, hash = mine) => acceptors[i % 2].enter(hash, 64, limits, 0);
  t.strictSame(
    [0, 1, 2].map((i) => enter(i)),
    [undefined, undefined, undefined],
    'just inside',
  );
  t.strictSame([enter(3), enter(4)], ['address-limit', 'address-limit']);
  t.equal(enter(0, acceptors[0].hash('10.0.0.2')), undefined, 'others come in');
  acceptors[1].leave(mine);
  t.strictSame([enter(0), enter(1)], [undefined, 'address-limit']);
  t.equal(acceptors[0].enter(mine, 64, NO_LIMITS, 0), undefined, 'a limit can be lifted');
  t.end();
});

t.test('in one second no more come in than may, and the next one begins at 0', (t) => {
  const memory = allocateAdmission(64);
  const acceptors = [new Admission(memory), new Admission(memory)];
  const limits = { maxPerAddress: 1, maxAcceptsPerSecond: 2 };
  let addresses = 0;
  const enter = (second: number) =>
    acceptors[addresses % 2].enter(acceptors[0].hash(`10.0.0.${addresses++}`), 64, limits, second);
  for (const second of [1_790_000_000, 1_790_000_001, 1_790_000_001 + 2047, 1_790_000_001 + 2048]) {
    t.strictSame(
      [0, 1, 2, 3].map(() => enter(second)),
      [undefined, undefined, 'accept-limit', 'accept-limit'],
    );
  }
  const hash = acceptors[0].hash('10.9.9.9');
  t.equal(acceptors[0].enter(hash, 64, limits, 7), undefined);
  t.equal(acceptors[0].enter(hash, 64, limits, 7), 'address-limit');
  t.equal(enter(7), undefined, 'who is refused for another reason takes nobody’s turn');
  t.equal(enter(7), 'accept-limit');
  t.end();
});

t.test('whatever comes and goes, no address has more than its limit, and no room is lost', (t) => {
  const random = new TestRandom(seed);
  const most = 200;
  // So much room that in one run of a million two of these addresses share both words, whatever the server's secret is.
  const admission = new Admission(allocateAdmission(most * 100));
  const addresses = Array.from({ length: 40 }, (_, i) => `172.16.${i % 3}.${i}`);
  const present = new Map<string, number>();
  const there: string[] = [];
  const limits = { ...NO_LIMITS, maxPerAddress: 6 };
  let tooEarly = 0;
  for (let step = 0; step < 20_000; step++) {
    if (there.length > 0 && random.below(100) < 45) {
      const [address] = there.splice(random.below(there.length), 1);
      admission.leave(admission.hash(address));
      present.set(address, present.get(address)! - 1);
      continue;
    }
    const address = addresses[random.below(addresses.length)];
    const has = present.get(address) ?? 0;
    const refusal = admission.enter(admission.hash(address), most, limits, 0);
    if (has >= limits.maxPerAddress) t.equal(refusal, there.length >= most ? 'limit' : 'address-limit');
    else if (there.length >= most) t.equal(refusal, 'limit');
    else if (refusal !== undefined) tooEarly++;
    if (refusal !== undefined) continue;
    present.set(address, has + 1);
    there.push(address);
  }
  t.equal(tooEarly, 0, 'with so few addresses nobody is counted with another');
  for (const address of there) admission.leave(admission.hash(address));
  for (let i = 0; i < most; i++) {
    if (admission.enter(admission.hash(`10.0.0.${i}`), most, NO_LIMITS, 0) !== undefined) t.fail(`no room for ${i}`);
  }
  t.equal(admission.enter(0, most, NO_LIMITS, 0), 'limit');
  t.end();
});

t.test('of two who come from one address at once, at its limit, not both are let in', (t) => {
  const { add } = Atomics;
  t.teardown(() => {
    Atomics.add = add;
  });
  const limits = { ...NO_LIMITS, maxPerAddress: 2 };
  // Another thread's whole step behind each of the counts of ours: of all connections, by one hash, by the other.
  for (let behind = 1; behind <= 3; behind++) {
    Atomics.add = add;
    const memory = allocateAdmission(100);
    const [ours, theirs] = [new Admission(memory), new Admission(memory)];
    const hash = ours.hash('192.0.2.1');
    const refusals: (string | undefined)[] = [];
    const enter = (admission: Admission) => refusals.push(admission.enter(hash, 100, limits, 0));
    enter(ours);
    let counted = 0;
    Atomics.add = ((words: Int32Array, index: number, value: number) => {
      const before = add(words, index, value);
      counted++;
      if (counted === behind) enter(theirs);
      return before;
    }) as typeof Atomics.add;
    enter(ours);
    t.strictSame(refusals.sort(), ['address-limit', undefined, undefined], `behind count ${behind}`);
  }
  t.end();
});

t.test('threads that count at the same time never let in one too many', async (t) => {
  const memory = allocateAdmission(1000);
  const go = new Int32Array(new SharedArrayBuffer(12));
  const url = new URL('./admission-worker.ts', import.meta.url);
  const workers = [0, 1, 2].map((i) => new Worker(url, { workerData: { memory, go, seed: seed + i }, execArgv: [] }));
  const exits = Promise.all(workers.map((worker) => once(worker, 'exit')));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const ends = workers.map((worker) => once(worker, 'message'));
  Atomics.store(go, 0, 1);
  Atomics.notify(go, 0);
  const reports = (await Promise.all(ends)).map(([report]) => report as { taken: number; held: number; tries: number });
  await exits;
  const sum = (name: 'taken' | 'held' | 'tries') => reports.reduce((total, report) => total + report[name], 0);
  t.equal(sum('taken'), 4 * 50_000, `exactly 50,000 in each of 4 seconds, of ${sum('tries')} tries`);
  t.equal(sum('held'), 0, 'nobody saw more of an address than may be');
  const words = new Int32Array(memory);
  t.ok(
    words.every((word, i) => word === 0 || i === 1 || i === 2),
    'all counts are 0 again',
  );
});
