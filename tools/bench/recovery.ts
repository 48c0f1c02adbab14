// Bench: how long a start takes to read a journal of so many records, and in how much memory.
//
// Writes a journal of sent packets whose shares are all grabbed (a quarter PACKET_OPEN, three quarters GRAB) with the
// ledger's own parts, then recovers from it as a server does. The balances that come out must be what was put in.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { BATCH_FULL_BYTES, SEGMENT_BYTES } from '../../lib/ledger/limits.ts';
import { NodeFiles } from '../../lib/ledger/node-files.ts';
import { GRAB, PACKET_OPEN, RecordType } from '../../lib/ledger/record-layout.ts';
import { recover } from '../../lib/ledger/recovery.ts';
import { JOURNAL_NAME } from '../../lib/ledger/segment-layout.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import { formatCount } from '../../lib/monitor/text-table.ts';
import { MAX_PACKET_SLOTS, SHARE_ARENA_WORDS } from '../../lib/packets/limits.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { MAX_GENERATION, packetIdOf } from '../../lib/packets/packet-id.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';

/** Shares of a packet, and its cents: every share the same. */
const SHARES = 3;
const SHARE_CENTS = 100;

const args = await yargs(hideBin(process.argv))
  .usage('how long a start takes to read a journal')
  .options({
    records: { type: 'number', default: 10_000_000, describe: 'records in the journal' },
    users: { type: 'number', default: 1_000_000, describe: 'users that grab' },
    slots: { type: 'number', default: 20_000, describe: 'slots that the packets take in turn' },
    batch: { type: 'number', default: 100, describe: 'records in a batch' },
    data: { type: 'string', describe: 'keep the data directory here  [default: a temporary one]' },
  })
  .strict()
  .parseAsync();

const data = args.data ?? mkdtempSync(join(tmpdir(), 'hongbao-recovery-'));
const packets = Math.ceil(args.records / (1 + SHARES));
writeJournal(join(data, JOURNAL_NAME));
const table = new PacketTable(allocatePackets(MAX_PACKET_SLOTS, SHARE_ARENA_WORDS));
const creator = new PacketCreator(table, 0, MAX_PACKET_SLOTS, 0, SHARE_ARENA_WORDS);
const files = new NodeFiles(join(data, JOURNAL_NAME));
const { state, end, seconds } = recover(data, files, table, creator);
let cents = 0;
for (const balance of state.balances.values()) cents += balance;
if (cents !== packets * SHARES * SHARE_CENTS) throw new Error(`${cents} cents came out of ${packets} packets`);
process.stdout.write(
  `${formatCount(end.records)} records in ${seconds.toFixed(1)} s (${formatCount(end.records / seconds)}/s), ` +
    `${formatCount(state.balances.size)} users, ${formatCount(process.memoryUsage().rss / 2 ** 20)} MB resident\n`,
);
if (args.data === undefined) rmSync(data, { recursive: true });

function writeJournal(directory: string): void {
  const position = firstPosition();
  const builder = new BatchBuilder(position);
  const options = { node: 1, segmentBytes: SEGMENT_BYTES, syncs: false, nowMs: Date.now() };
  const writer = new SegmentWriter(new NodeFiles(directory), position, options);
  const flush = () => {
    writer.append(builder.finish(Date.now()), builder);
    builder.commit();
  };
  for (let i = 0; i < packets; i++) {
    const generation = 1 + (Math.floor(i / args.slots) % MAX_GENERATION);
    const packetId = packetIdOf(generation, i % args.slots);
    const users = Array.from({ length: SHARES }, (_, share) => (i * SHARES + share) % args.users);
    addOpen(builder, packetId, users);
    for (let share = 0; share < SHARES; share++) addGrab(builder, packetId, share, users[share]);
    if (builder.recordCount >= args.batch || builder.byteLength > BATCH_FULL_BYTES) flush();
  }
  if (builder.recordCount > 0) flush();
  writer.close();
}

/** A packet of the house in equal shares: its seed plays no part. */
function addOpen(builder: BatchBuilder, packetId: number, users: readonly number[]): void {
  const at = builder.beginRecord(RecordType.PACKET_OPEN, PACKET_OPEN.USERS + users.length + 2);
  const { words } = builder;
  words.fill(0, at, at + PACKET_OPEN.USERS + users.length + 2);
  words[at + PACKET_OPEN.PACKET] = packetId;
  words[at + PACKET_OPEN.SENDER] = -1;
  words[at + PACKET_OPEN.TOTAL] = SHARES * SHARE_CENTS;
  words[at + PACKET_OPEN.SHARES] = SHARES;
  words[at + PACKET_OPEN.MODE] = 2;
  words[at + PACKET_OPEN.MIN] = 1;
  words[at + PACKET_OPEN.MAX] = 20_000;
  words[at + PACKET_OPEN.CREATED_AT] = 1_700_000_000;
  words[at + PACKET_OPEN.EXPIRES_AT] = 2_000_000_000;
  words[at + PACKET_OPEN.INVITED] = users.length;
  words.set(users, at + PACKET_OPEN.USERS);
  builder.endRecord();
}

function addGrab(builder: BatchBuilder, packetId: number, share: number, userId: number): void {
  const at = builder.beginRecord(RecordType.GRAB, GRAB.WORDS);
  const { words } = builder;
  words[at + GRAB.PACKET] = packetId;
  words[at + GRAB.SHARE] = share;
  words[at + GRAB.USER] = userId;
  words[at + GRAB.AMOUNT] = SHARE_CENTS;
  builder.endRecord();
}
