// A whole server against its disk: a full one, a damaged journal, a torn tail, a clock that is behind, a journal in use.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BatchBuilder } from '../lib/ledger/batch-builder.ts';
import { firstPosition } from '../lib/ledger/journal-position.ts';
import { NodeFiles } from '../lib/ledger/node-files.ts';
import { RecordType, TRANSFER } from '../lib/ledger/record-layout.ts';
import { segmentName } from '../lib/ledger/segment-layout.ts';
import { SegmentWriter } from '../lib/ledger/segment-writer.ts';
import { type Server, startServer } from '../lib/server.ts';
import type { ServerError } from '../lib/server-error.ts';
import type { ServerOptions } from '../lib/server-options.ts';
import { call } from './net/test-server.ts';

/** A server, and what it told on the way. */
interface Told {
  server: Server;
  errors: string[];
  recovered: string[];
}

async function start(t: Test, data: string, options: Partial<ServerOptions> = {}): Promise<Told> {
  const errors: string[] = [];
  const recovered: string[] = [];
  const server = await startServer(
    { port: 0, controlPort: 0, packetSlots: 1024, data, ...options },
    { onError: (error) => errors.push(error.message), onInfo: (sentence) => recovered.push(sentence) },
  );
  t.teardown(() => server.stop());
  return { server, errors, recovered };
}

/** Tops a user up; the answer's balance, or undefined if it was not done. */
async function topUp(server: Server, userId: number, cents: number, key: string): Promise<number | undefined> {
  const { status, body } = await call(server, 'POST', `/users/${userId}/topup`, { cents, key });
  return status === 200 ? body.balanceCents : undefined;
}

function hashFiles(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  const files = names.filter((name) => statSync(join(directory, name)).isFile());
  const hashOf = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
  return Object.fromEntries(files.map((name) => [name, hashOf(name)]));
}

const FIRST_SEGMENT = join('journal', segmentName(1));

t.test('a full disk ends the server, and nothing that was acknowledged is lost', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'hongbao-small-disk-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', data]).status !== 0) {
    t.pass('not tried: mounting a small disk takes root');
    return;
  }
  t.teardown(() => spawnSync('umount', [data]));
  // Small segments: little is written ahead, and the next segment finds no room.
  const { server } = await start(t, data, { segmentBytes: 65_536 });
  let acknowledged = 0;
  let failedKey = '';
  for (let i = 0; failedKey === ''; i++) {
    if (i === 20) fillDisk(join(data, 'filler'));
    const balance = await topUp(server, 7, 1, `${i}-${'x'.repeat(50)}`);
    if (balance === undefined) failedKey = `${i}-${'x'.repeat(50)}`;
    else acknowledged = balance;
    if (i > 2000) throw new Error('the disk never filled up');
  }
  const error = await server.failed;
  t.equal(error.code, 'journal');
  t.match(error.message, /the journal cannot be written \(segment \d, offset \d+\): ENOSPC/);
  await server.stop();
  t.ok(acknowledged > 20);

  writeFileSync(join(data, 'filler'), '');
  const again = await start(t, data);
  const { body } = await call(again.server, 'GET', '/users/7');
  t.ok(
    body.balanceCents === acknowledged || body.balanceCents === acknowledged + 1,
    'all that was acknowledged is there',
  );
  const repeated = await topUp(again.server, 7, 1, failedKey);
  t.equal(repeated, acknowledged + 1, 'the one that was not can be repeated, and counts once');
  t.equal((await call(again.server, 'GET', '/ledger')).body.difference, 0);
  await again.server.stop();
});

/** Writes until there is no room left. */
function fillDisk(path: string): void {
  const chunk = Buffer.alloc(4096);
  try {
    for (;;) writeFileSync(path, chunk, { flag: 'a' });
  } catch {
    // Full.
  }
}

t.test('a damaged journal is not served, and no file of it is changed', async (t) => {
  const data = t.testdir({});
  const { server } = await start(t, data);
  for (let i = 0; i < 5; i++) await topUp(server, 1, 100, `key ${i}`);
  await server.stop();
  const path = join(data, FIRST_SEGMENT);
  const bytes = readFileSync(path);
  bytes[200] ^= 4;
  writeFileSync(path, bytes);
  const before = hashFiles(data);
  const error = (await start(t, data).catch((error) => error)) as ServerError;
  t.equal(error.code, 'data');
  t.match(error.message, /0000000001\.journal.*offset/);
  t.strictSame(hashFiles(data), before);
});

t.test('what a crash left of the last batch is cut, and told', async (t) => {
  const data = t.testdir({});
  const { server } = await start(t, data);
  for (let i = 0; i < 5; i++) await topUp(server, 1, 100, `key ${i}`);
  await server.stop();
  const path = join(data, FIRST_SEGMENT);
  truncateSync(path, readFileSync(path).length - 10);
  const again = await start(t, data);
  t.match(again.recovered[0], /^recovered 4 records in .* s, cut \d+ bytes that a crash left incomplete: 1 users/);
  t.equal((await call(again.server, 'GET', '/users/1')).body.balanceCents, 400);
  t.equal(await topUp(again.server, 1, 100, 'key 4'), 500, 'the key of what was cut is free again');
});

t.test('a clock that was set back does not take time back behind the journal', async (t) => {
  const data = t.testdir({});
  const aheadMs = 3_600_000;
  writeTopUp(join(data, 'journal'), Date.now() + aheadMs);
  const { server, errors } = await start(t, data);
  t.match(errors[0], /^the clock is 36\d\d s behind the journal: this server goes on from the journal's time$/);
  const { body: send } = await call(server, 'POST', '/sends', {
    count: 1,
    rate: 1000,
    shares: 1,
    total: 5,
    users: [1, 1],
    expiresInSeconds: 60,
  });
  t.equal(send.state, 'creating');
  t.equal(await topUp(server, 1, 100, 'later'), 200);
  const { records } = (await call(server, 'GET', '/users/1')).body;
  t.ok(records[0].timeMs >= records[1].timeMs, 'records keep their order in time');
});

/** A journal with one top-up of user 1. */
function writeTopUp(directory: string, nowMs: number): void {
  mkdirSync(directory, { recursive: true });
  const position = firstPosition();
  const builder = new BatchBuilder(position);
  const options = { node: 1, segmentBytes: 1 << 20, syncs: true, nowMs };
  const writer = new SegmentWriter(new NodeFiles(directory), position, options);
  const at = builder.beginRecord(RecordType.TOPUP, TRANSFER.KEY + 2);
  builder.words.set([1, 0, 100, 0, 3, 0], at);
  Buffer.from(builder.words.buffer, 4 * (at + TRANSFER.KEY + 1)).write('old');
  builder.endRecord();
  writer.append(builder.finish(nowMs), builder);
  builder.commit();
  writer.close();
}
