// `hongbao audit` and `hongbao verify` as commands: what they print, and with which exit code they end.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import yargs from 'yargs';
import { auditCommand } from '../../../tools/commands/audit.ts';
import { verifyCommand } from '../../../tools/commands/verify.ts';
import { AMOUNTS, dropClose, grab, SEED, win } from './journal-maker.ts';
import { EMPTY_PACKET, EXPIRED_PACKET, OPEN_PACKET, SHAKE, writeStory } from './story.ts';

interface Ended {
  code: number;
  stdout: string;
  /** The message of the error that the command line prints. */
  error: string | undefined;
}

/** Runs a command in this process. */
async function run(t: Test, ...args: string[]): Promise<Ended> {
  const captured = t.capture(process.stdout, 'write', () => true);
  let error: string | undefined;
  await yargs(args)
    .command(auditCommand)
    .command(verifyCommand)
    .strict()
    .fail(false)
    .parseAsync()
    .catch((caught: Error) => {
      error = caught.message;
    });
  const stdout = captured().map(({ args: [text] }) => text);
  captured.restore();
  const code = error === undefined ? Number(process.exitCode ?? 0) : 1;
  process.exitCode = undefined;
  return { code, stdout: stdout.join(''), error };
}

t.test('an audit without findings prints difference 0 and ends with exit code 0', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  const { code, stdout } = await run(t, 'audit', directory);
  t.equal(code, 0);
  t.match(stdout, /^3 segments, 10 batches, [\d,]+ bytes, read in \d+\.\d\d s$/m);
  t.match(stdout, /^funding +1 +1 +10 +89\.34$/m);
  t.match(stdout, /^packets +5 +1 +14 +4\.92$/m);
  t.match(stdout, /^GRAB +7$/m);
  t.match(stdout, /^difference 0$/m);
  t.match(stdout, /^nothing is wrong$/m);
  t.notMatch(stdout, /\r|undefined|\[object/);
});

t.test('an audit with a finding prints it in a line and ends with exit code 1', async (t) => {
  const directory = t.testdir();
  writeStory(directory, [grab(OPEN_PACKET, 1, 6, 508)]);
  const { code, stdout } = await run(t, 'audit', directory, '--threads', '1');
  t.equal(code, 1);
  t.match(stdout, /^difference -508$/m);
  t.match(stdout, /^segment 3, batch 11, record \d+: share 1 of packet \d+ is grabbed a second time, by user 6$/m);
  t.match(stdout, /^1 finding$/m);
});

t.test('an audit prints JSON for programs', async (t) => {
  const directory = t.testdir();
  writeStory(directory, [dropClose(2, 1, 493)]);
  const { code, stdout } = await run(t, 'audit', directory, '--json');
  t.equal(code, 1);
  t.match(JSON.parse(stdout), { differenceCents: -1, findingCount: 1, findings: [{ segment: 3, batch: 11 }] });
});

t.test('an audit that cannot be is a mistake in one line', async (t) => {
  const directory = t.testdir();
  t.match(await run(t, 'audit', directory), { code: 1, error: `there is no journal in ${directory}` });
  t.match(await run(t, 'audit', directory, '--threads', '0'), { error: /--threads must be a whole number/ });
});

t.test('a packet is verified from the journal, by its decimal id or in hex', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  for (const id of [String(EMPTY_PACKET), `0x${EMPTY_PACKET.toString(16)}`]) {
    const { code, stdout } = await run(t, 'verify', id, '--data', directory);
    t.equal(code, 0);
    t.match(stdout, /^packet 1048577 \(0x00100001\): equal, 10\.00 yuan in 3 shares of 0\.01 to 200\.00$/m);
    t.match(stdout, /^0 +3\.34 +5\n1 +3\.33 +6\n2 +3\.33 +9$/m);
    t.match(stdout, /^verified$/m);
  }
});

t.test('of an id that was used twice the latest packet is verified', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  const { code, stdout } = await run(t, 'verify', String(EXPIRED_PACKET), '--data', directory);
  t.equal(code, 0);
  t.match(stdout, /0\.50 yuan in 1 shares/);
});

t.test('a packet that was not split as its seed says is told, with exit code 1', async (t) => {
  const directory = t.testdir();
  writeStory(directory, [grab(OPEN_PACKET, 0, 6, 236), grab(OPEN_PACKET, 2, 8, 256)]);
  const { code, stdout } = await run(t, 'verify', String(OPEN_PACKET), '--data', directory);
  t.equal(code, 1);
  t.match(stdout, /^share 0 gave user 6 236 cents, the split says 256$/m);
  t.match(stdout, /^share 2 gave user 8 256 cents, the split says 236$/m);
  t.notMatch(stdout, /verified/);
});

t.test('a packet won by a shake is verified from the journal', async (t) => {
  const directory = t.testdir();
  writeStory(directory, [win(2, 0, SHAKE + 3, 5, 255)]);
  const good = await run(t, 'verify', String(SHAKE + 1), '--data', directory);
  t.equal(good.code, 0);
  t.match(
    good.stdout,
    /number 2 of drop 1, lucky, 10\.00 yuan in 3 packets.*\nseed {2}0001.*\nwon by user 5: 2\.36 yuan/,
  );
  const bad = await run(t, 'verify', String(SHAKE + 3), '--data', directory);
  t.equal(bad.code, 1);
  t.match(bad.stdout, /seed {2}secret until the drop is closed/);
  t.match(bad.stdout, /^user 5 won 255 cents, the split says 256$/m);
});

t.test('what cannot be verified is a mistake in one line', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  const data = ['--data', directory];
  const mistakes: [string[], RegExp][] = [
    [[String(OPEN_PACKET), ...data], /is still open: its seed is secret until it is over/],
    [['123', ...data], /there is no packet 123 in the journal/],
    [[String(SHAKE + 99), ...data], /nobody won packet 2147483747/],
    [['12x'], /the packet id must be a whole number/],
    [['4294967296'], /the packet id must be a whole number/],
    [[String(SHAKE)], /was won by a shake: say --data DIR/],
    [['5', '--control', 'http://127.0.0.1:1'], /cannot reach the control API/],
    [['5', '--data', join(directory, 'journal', 'none')], /there is no directory/],
  ];
  for (const [args, message] of mistakes) t.match(await run(t, 'verify', ...args), { code: 1, error: message });
});

t.test('a packet is verified from the page of a server', async (t) => {
  const commitment = createHash('sha256').update(SEED).digest('hex');
  const grabs = AMOUNTS.map((amountCents, i) => ({ userId: 10 + i, amountCents }));
  const good = {
    id: EMPTY_PACKET,
    mode: 'lucky',
    state: 'empty',
    totalCents: 1000,
    shares: 3,
    minCents: 1,
    maxCents: 20_000,
    grabs: grabs as object[],
    commitment,
    seed: SEED.toString('hex') as string | undefined,
  };
  const pages: [name: string, page: object, code: number, text: RegExp][] = [
    ['in the order of the grabs', good, 0, /^1 +5\.08 +11$[\s\S]*^verified$/m],
    [
      'by the place that it says',
      {
        ...good,
        grabs: [
          { ...grabs[2], share: 2 },
          { ...grabs[0], share: 0 },
        ],
      },
      0,
      /^1 +5\.08 +nobody$[\s\S]*^verified$/m,
    ],
    [
      'wrong order',
      { ...good, grabs: [grabs[1], grabs[0]] },
      1,
      /^share 0 gave user 11 508 cents, the split says 256$/m,
    ],
    [
      'wrong commitment',
      { ...good, commitment: 'a'.repeat(64) },
      1,
      /^SHA-256 of the seed is 630d.*not the commitment$/m,
    ],
    [
      'twice one user',
      { ...good, grabs: [grabs[0], { ...grabs[1], userId: 10 }] },
      1,
      /^user 10 grabbed a second share/m,
    ],
    ['terms', { ...good, totalCents: 2 }, 1, /^it cannot be split: 2 cents are not 3 shares/m],
  ];
  let page: object = good;
  const server = createServer((_request, response) => response.end(JSON.stringify(page)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const args = [
    'verify',
    String(EMPTY_PACKET),
    '--control',
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  ];
  for (const [name, answer, code, text] of pages) {
    page = answer;
    const ended = await run(t, ...args);
    t.equal(ended.code, code, name);
    t.match(ended.stdout, text);
  }
  page = { ...good, state: 'open', seed: undefined };
  t.match(await run(t, ...args), { code: 1, error: /is still open: its seed is secret/ });
  page = { message: 'hello' };
  t.match(await run(t, ...args), { code: 1, error: /is not the page of a packet/ });
});
