// The plan of `hongbao million`: as many as asked where the machine reaches, else as many as it holds, and why.

import t from 'tap';
import { formatBytes, type Machine, planMillion } from '../../../tools/million/plan.ts';

const GB = 1024 ** 3;

const MACHINE: Machine = {
  descriptorsPerProcess: 20_000,
  filesLeft: 2_400_000,
  availableBytes: 24 * GB,
  cores: 2,
  reserved: { server: 256, client: 64 },
};

t.test('a million takes as many pairs as the descriptors of the server ask for', async (t) => {
  const plan = planMillion(1_000_000, undefined, MACHINE);
  t.equal(plan.connections, 1_000_000);
  t.equal(plan.pairs, 51);
  t.ok(plan.neededBytes < 23 * GB);
  t.equal(plan.sentences.length, 2);
  t.match(plan.sentences[0], '1,000,000 connections asked; 20,000 descriptors per process: 51 servers and 51 clients');
  t.match(plan.sentences[0], 'up to 19,608 connections each');
  t.match(plan.sentences[1], /^24\.0 GB free, about \d+\.\d GB needed; 102 processes share 2 cores$/);
});

t.test('one process more is planned exactly where the last one is full', async (t) => {
  for (const [connections, pairs] of [
    [1, 1],
    [19_744, 1],
    [19_745, 2],
    [39_488, 2],
  ]) {
    t.equal(planMillion(connections, undefined, MACHINE).pairs, pairs, `${connections}`);
  }
  t.match(planMillion(1, undefined, MACHINE).sentences[0], ': 1 server and 1 client with up to 1 connections each');
});

t.test('where memory does not reach, fewer are made, and memory is named', async (t) => {
  const machine = { ...MACHINE, availableBytes: 12 * GB };
  const plan = planMillion(1_000_000, undefined, machine);
  t.ok(plan.connections < 700_000 && plan.connections > 400_000, `${plan.connections}`);
  t.ok(plan.neededBytes <= 11 * GB, 'a GB is left alone');
  t.ok(plan.neededBytes > 10.8 * GB, 'and not much more');
  t.match(plan.sentences[1], /^12\.0 GB of free memory, less 1\.0 GB to spare, reach for \d{3},\d{3} connections/);
  t.ok(plan.sentences[0].startsWith('1,000,000 connections asked'));
});

t.test('where a number of processes is wanted and does not reach, descriptors are named', async (t) => {
  const plan = planMillion(50_000, 2, MACHINE);
  t.equal(plan.connections, 39_488);
  t.equal(plan.pairs, 2);
  t.match(plan.sentences[1], '20,000 descriptors per process reach for 39,488 connections: this many will be made');
  t.equal(planMillion(300, 2, MACHINE).pairs, 2, 'also more than needed');
});

t.test('the files of the whole system are a bound', async (t) => {
  const plan = planMillion(100_000, undefined, { ...MACHINE, filesLeft: 100_000 });
  t.ok(2 * plan.connections + 100 * plan.pairs <= 100_000);
  t.ok(plan.connections > 49_000);
  t.match(plan.sentences[1], 'fs.file-max');
});

t.test('of several bounds the least one decides', async (t) => {
  const plan = planMillion(1_000_000, 4, { ...MACHINE, availableBytes: 2 * GB });
  t.ok(plan.connections < 50_000);
  t.match(plan.sentences[1], 'of free memory');
  t.equal(plan.sentences.length, 3);
});

t.test('a machine with no room gets none', async (t) => {
  t.equal(planMillion(1000, undefined, { ...MACHINE, availableBytes: GB }).connections, 0);
  t.equal(planMillion(1000, 1, { ...MACHINE, descriptorsPerProcess: 100 }).connections, 0);
  t.equal(planMillion(1000, undefined, { ...MACHINE, descriptorsPerProcess: 256 }).connections, 0);
});

t.test('bytes are shown in the unit that suits them', async (t) => {
  t.strictSame([2250, 1.5 * 1024 ** 2, 131 * 1024 ** 2, 1.5 * GB, 0, -300].map(formatBytes), [
    '2.2 KB',
    '1.5 MB',
    '131 MB',
    '1.5 GB',
    '0.0 KB',
    '-0.3 KB',
  ]);
});
