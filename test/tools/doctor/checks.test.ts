// The table of hongbao doctor from made-up machines: each fact on both sides of its bound, and a machine that says nothing.

import t from 'tap';
import { formatChecks } from '../../../tools/commands/doctor.ts';
import { type Check, carriedBy, checkMachine } from '../../../tools/doctor/checks.ts';
import { fileSystemOf, type MachineFacts } from '../../../tools/doctor/facts.ts';

const GOOD: MachineFacts = {
  nodeVersion: '26.10.0',
  handleFault: '',
  uringFault: '',
  cpus: 2,
  softFiles: 1_000_256,
  hardFiles: 1_000_256,
  nrOpen: 1_048_576,
  fileMax: 2_000_000,
  somaxconn: 4096,
  portRange: [32_768, 60_999],
  tcpMem: [280_000, 380_000, 560_000],
  tcpRmem: [4096, 131_072, 6_291_456],
  tcpWmem: [4096, 16_384, 4_194_304],
  overcommit: 0,
  commitLeftBytes: undefined,
  totalBytes: 24 * 2 ** 30,
  availableBytes: 20 * 2 ** 30,
  reservedBytes: 700 * 2 ** 20,
  disk: { path: '/srv', freeBytes: 2 ** 32, fileSystem: 'ext4', syncUs: { p50: 300, p99: 5000 } },
  isClockSynchronised: true,
  ports: [
    { port: 1025, isFree: true, reason: '' },
    { port: 8989, isFree: true, reason: '' },
  ],
};

const WANTED = { connections: 1_000_000, acceptors: 1, workers: 1 };

/** The checks that are not ok when a good machine has these facts instead. */
function judge(facts: Partial<MachineFacts>, wanted = {}): Check[] {
  return checkMachine({ ...GOOD, ...facts }, { ...WANTED, ...wanted }).filter(({ state }) => state !== 'ok');
}

t.test('a good machine has nothing to change, and nothing to run', (t) => {
  const checks = checkMachine(GOOD, WANTED);
  t.ok(checks.every(({ state, command }) => state === 'ok' && command === ''));
  t.equal(new Set(checks.map(({ what }) => what)).size, checks.length);
  t.equal(formatChecks(1_000_000, checks).at(-1), 'nothing must change');
  t.end();
});

t.test('each fact is judged on both sides of its bound, with the command that helps', (t) => {
  const { disk } = GOOD;
  for (const [what, inside, outside, command] of [
    ['Node', { nodeVersion: '26.0.0' }, { nodeVersion: '25.9.0' }, /Node 26/],
    ['bare handles', {}, { handleFault: 'its handles do not read' }, /Node 26/],
    ['io_uring', {}, { uringFault: 'io_uring_setup fails: EPERM' }, /kernel.io_uring_disabled=0/],
    ['io_uring', {}, { uringFault: 'io_uring_setup fails: ENOMEM' }, /ulimit -l 8192/],
    ['open files', {}, { softFiles: 1_000_255, hardFiles: 1_000_255 }, /LimitNOFILE=1000256 .* ulimit -n 1000256/],
    ['fs.nr_open', { nrOpen: 1_000_256 }, { nrOpen: 1_000_255 }, /^sysctl -w fs\.nr_open=1000256$/],
    ['fs.file-max', { fileMax: 1_000_256 }, { fileMax: 1_000_255 }, /^sysctl -w fs\.file-max=1000256$/],
    ['net.core.somaxconn', {}, { somaxconn: 4095 }, /^sysctl -w net\.core\.somaxconn=4096$/],
    ['net.ipv4.ip_local_port_range', { portRange: [50_001, 60_000] }, { portRange: [50_002, 60_000] }, /10000 65535/],
    ['net.ipv4.ip_local_port_range', { portRange: [8990, 60_000] }, { portRange: [8989, 60_000] }, /10000 65535/],
    ['net.ipv4.tcp_mem', { tcpMem: [1, 200_000, 3] }, { tcpMem: [1, 199_999, 3] }, /tcp_mem="200000 300000 /],
    ['net.ipv4.tcp_rmem', { tcpRmem: [1, 262_144, 3] }, { tcpRmem: [1, 262_145, 3] }, /tcp_rmem="4096 131072/],
    ['net.ipv4.tcp_wmem', { tcpWmem: [1, 262_144, 3] }, { tcpWmem: [1, 262_145, 3] }, /tcp_wmem="4096 16384/],
    ['memory', { availableBytes: 6_374_686_720 }, { availableBytes: 6_374_686_719 }, /--max-connections/],
    [
      'vm.overcommit_memory',
      { overcommit: 2, commitLeftBytes: 700 * 2 ** 20 },
      { overcommit: 2, commitLeftBytes: 700 * 2 ** 20 - 1 },
      /overcommit_memory=0/,
    ],
    [
      'disk space',
      { disk: { ...disk, freeBytes: 2 ** 30 } },
      { disk: { ...disk, freeBytes: 2 ** 30 - 1 } },
      /--keep-segments/,
    ],
    ['file system', { disk: { ...disk, fileSystem: 'xfs' } }, { disk: { ...disk, fileSystem: 'tmpfs' } }, /OPERATIONS/],
    [
      'fdatasync',
      { disk: { ...disk, syncUs: { p50: 20_000, p99: 90_000 } } },
      { disk: { ...disk, syncUs: { p50: 20_001, p99: 90_000 } } },
      /a faster disk/,
    ],
    ['CPUs', {}, { cpus: 1 }, /--acceptors 1 --workers 1/],
    ['clock', {}, { isClockSynchronised: false }, /set-ntp/],
    ['port 1025', {}, { ports: [{ port: 1025, isFree: false, reason: 'EADDRINUSE' }] }, /ss -ltnp/],
    ['port 80', {}, { ports: [{ port: 80, isFree: false, reason: 'EACCES' }] }, /another port/],
  ] as [string, Partial<MachineFacts>, Partial<MachineFacts>, RegExp][]) {
    t.strictSame(judge(inside), [], `${what}: just inside`);
    const [check, ...others] = judge(outside);
    t.strictSame([check?.what, check?.state, others], [what, 'change', []], `${what}: just outside`);
    t.match(check?.command, command);
  }
  t.end();
});

t.test('a machine that says nothing is asked about, and must change nothing', (t) => {
  const nothing: MachineFacts = {
    nodeVersion: '26.0.0',
    handleFault: '',
    uringFault: '',
    cpus: 2,
    softFiles: undefined,
    hardFiles: undefined,
    nrOpen: undefined,
    fileMax: undefined,
    somaxconn: undefined,
    portRange: undefined,
    tcpMem: undefined,
    tcpRmem: undefined,
    tcpWmem: undefined,
    overcommit: undefined,
    commitLeftBytes: undefined,
    totalBytes: 2 ** 40,
    availableBytes: 2 ** 39,
    reservedBytes: 0,
    disk: { path: '/srv', freeBytes: undefined, fileSystem: undefined, syncUs: undefined },
    isClockSynchronised: undefined,
    ports: [],
  };
  const checks = checkMachine(nothing, WANTED);
  t.strictSame(
    checks.filter(({ state }) => state !== 'cannot tell').map(({ what }) => what),
    ['Node', 'bare handles', 'io_uring', 'memory', 'CPUs'],
  );
  t.equal(checks.filter(({ command }) => command === '').length, 5, 'the others say where to look');
  t.equal(carriedBy(nothing), 0);
  t.end();
});

t.test('what cannot be judged is said to be so: a disk that answers too fast, and one behind a network', (t) => {
  const { disk } = GOOD;
  t.match(judge({ disk: { ...disk, syncUs: { p50: 29, p99: 40 } } }), [{ what: 'fdatasync', state: 'cannot tell' }]);
  t.match(judge({ disk: { ...disk, fileSystem: 'nfs4' } }), [{ what: 'file system', state: 'cannot tell' }]);
  t.match(judge({ overcommit: 2 }), [{ what: 'vm.overcommit_memory', state: 'cannot tell' }]);
  t.end();
});

t.test(
  'descriptors carry connections, less what the process needs, and unlimited ones no more than can be asked for',
  (t) => {
    t.equal(
      carriedBy({ ...GOOD, softFiles: 1024, hardFiles: 4096 }),
      3840,
      'Node raises the soft limit to the hard one',
    );
    t.equal(carriedBy({ ...GOOD, softFiles: 100, hardFiles: 100 }), 0);
    t.equal(carriedBy({ ...GOOD, hardFiles: Number.MAX_SAFE_INTEGER }), 10_000_000);
    t.end();
  },
);

t.test('what is to change is counted, and what to run stands below it', (t) => {
  const checks = checkMachine({ ...GOOD, somaxconn: 128, nrOpen: 1024 }, WANTED);
  const lines = formatChecks(1_000_000, checks);
  t.equal(lines[0], 'for 1,000,000 connections');
  t.ok(lines.some((line) => /^fs\.nr_open +change/.test(line)));
  t.ok(lines.includes(`${' '.repeat(43)}-> sysctl -w net.core.somaxconn=4096`), lines.join('\n'));
  t.equal(lines.at(-1), '2 to change');
  t.end();
});

t.test('the file system of a path is that of the nearest mount above it, the latest if there are two', (t) => {
  const mounts = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '30 22 0:25 / /srv rw shared:2 - xfs /dev/sdb1 rw',
    '31 22 0:26 / /srv/data\\040base rw - tmpfs tmpfs rw',
    '32 22 0:27 / /srv rw - btrfs /dev/sdc1 rw',
    '',
  ].join('\n');
  t.equal(fileSystemOf('/home/me', mounts), 'ext4');
  t.equal(fileSystemOf('/srv', mounts), 'btrfs');
  t.equal(fileSystemOf('/srvx', mounts), 'ext4');
  t.equal(fileSystemOf('/srv/data base/x', mounts), 'tmpfs');
  t.equal(fileSystemOf('/srv', ''), undefined);
  t.end();
});
