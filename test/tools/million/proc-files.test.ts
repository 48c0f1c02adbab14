// What is read from /proc: the right lines in the right units, and the files of this machine as they are.

import t from 'tap';
import {
  parseFilesLeft,
  parseKernelMemory,
  parsePrivateBytes,
  readFilesLeft,
  readKernelMemory,
  readPrivateBytes,
} from '../../../tools/million/proc-files.ts';

const SMAPS = `55cd1ac35000-7ffc478b9000 ---p 00000000 00:00 0                          [rollup]
Rss:                1688 kB
Pss:                 476 kB
Shared_Clean:       1512 kB
Private_Clean:        64 kB
Private_Dirty:       112 kB
`;

const MEMINFO = `MemTotal:       24683520 kB
MemAvailable:   24156056 kB
Slab:             171136 kB
SReclaimable:      90000 kB
KernelStack:        1572 kB
PageTables:         4384 kB
SecPageTables:       777 kB
`;

const SOCKSTAT = `sockets: used 11
TCP: inuse 3 orphan 0 tw 0 alloc 3 mem 217
UDP: inuse 0 mem 5
`;

t.test('private memory is what is clean and what is dirty', async (t) => {
  t.equal(parsePrivateBytes(SMAPS), 176 * 1024);
  t.throws(() => parsePrivateBytes('Rss: 12 kB'), /no Private_Clean/);
});

t.test('memory of the kernel is slabs, stacks, page tables and the buffers of TCP', async (t) => {
  t.strictSame(parseKernelMemory(MEMINFO, SOCKSTAT), {
    availableBytes: 24_156_056 * 1024,
    usedBytes: (171_136 + 1572 + 4384) * 1024 + 217 * 4096,
  });
});

t.test('files that may still be opened', async (t) => {
  t.equal(parseFilesLeft('224\t0\t2466174\n'), 2_465_950);
  t.equal(parseFilesLeft('1024 24 2000\n'), 1000);
});

t.test('this machine has them all', { skip: process.platform !== 'linux' && 'only Linux has /proc' }, async (t) => {
  t.ok(readPrivateBytes(process.pid) > 5e6);
  t.ok(readKernelMemory().availableBytes > 5e6);
  t.ok(readKernelMemory().usedBytes > 1e6);
  t.ok(readFilesLeft() > 100);
});
