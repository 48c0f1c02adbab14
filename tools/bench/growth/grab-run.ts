// A measured run of grabs: users who are told of packets at their login grab all of them, as fast as they are answered.
//
// The packets and their notices are made before the clock starts, so that the cost is that of a grab alone. Every grab
// has to get a share, the shares have to add up to the cent, and the server has to have counted the same.

import { setTimeout as sleep } from 'node:timers/promises';
import { summarize } from '../../../lib/monitor/latency-log.ts';
import { MAX_PENDING_NOTICES } from '../../../lib/packets/limits.ts';
import { readUint32, writeGrab, writeLogin } from '../../../lib/protocol/classic.ts';
import { BODY_OFFSET, GRAB_BYTES, LOGIN_BYTES } from '../../../lib/protocol/classic-layout.ts';
import { Opcode } from '../../../lib/protocol/opcodes.ts';
import { type DriverPlan, PipelineDriver, type ReplyParser } from '../pipeline-driver.ts';
import type { Run } from './axis.ts';
import type { BenchServer } from './bench-server.ts';

/** Users of the run, and grabs that each keeps under way: less than one worker takes, so none is put off. */
const USERS = 400;
const DEEP = 8;

/** Shares of each packet: as many users grab one each. */
const SHARES = 100;

/** Cents of each packet. */
const PACKET_CENTS = 100 * SHARES;

/** Packets for each user and second of measuring; he is told of no more at once than the server keeps for him. */
const PACKETS_PER_SECOND = 50;

/** How long the notices may take, in milliseconds. */
const NOTICES_MS = 20_000;

/** Where a frame has its opcode. */
const OPCODE_OFFSET = 2;

/** Runs it. The cost is in microseconds of the server's CPU per grab. @throws {Error} if users are not told of packets */
export async function runGrabs(server: BenchServer, seconds: number): Promise<Run> {
  const perUser = Math.min(MAX_PENDING_NOTICES, Math.ceil(PACKETS_PER_SECOND * seconds));
  const count = (perUser * USERS) / SHARES;
  const send = { count, rate: 1_000_000, shares: SHARES, total: PACKET_CENTS, users: [0, USERS - 1] };
  await server.awaitCreated(await server.post('/sends', send));
  const told: number[][] = [];
  const driver = new PipelineDriver(server.port, USERS, () => {
    const packets: number[] = [];
    told.push(packets);
    return parserInto(packets);
  });
  try {
    await driver.open();
    await driver.greet(loginOf);
    await awaitNotices(told, perUser);
    const plans = told.map((packets, user) => planGrabs(user, packets));
    const from = await server.sampleAtStart();
    const { replies, zeros, sum, seconds: taken, latency } = await driver.run(plans, { depth: DEEP, rate: 0 });
    const to = await server.sampleAtEnd();
    const { p50Us, p99Us } = summarize(latency);
    const compare = (what: string, found: number, wanted: number) =>
      found === wanted ? [] : [`${what}: ${found}, not ${wanted}`];
    return {
      cost: (to.cpuUs - from.cpuUs) / replies,
      figures: { 'grabs/s': replies / taken, 'p50 ms': p50Us / 1000, 'p99 ms': p99Us / 1000 },
      faults: [
        ...compare('grabs answered', replies, perUser * USERS),
        ...compare('grabs without a share', zeros, 0),
        ...compare('cents grabbed', sum, count * PACKET_CENTS),
        ...compare('grabs as the server counts', to.status.grabs.won - from.status.grabs.won, replies),
        ...compare('cents as the server counts', to.status.grabs.wonCents - from.status.grabs.wonCents, sum),
        ...compare('cents missing in the books', to.status.money.difference, 0),
      ],
    };
  } finally {
    driver.close();
  }
}

async function awaitNotices(told: readonly number[][], perUser: number): Promise<void> {
  const deadline = performance.now() + NOTICES_MS;
  while (told.some((packets) => packets.length < perUser)) {
    if (performance.now() > deadline) throw new Error(`not every user was told of ${perUser} packets`);
    await sleep(20);
  }
}

function loginOf(user: number): Buffer {
  const bytes = Buffer.alloc(LOGIN_BYTES);
  writeLogin(bytes, 0, 0, user);
  return bytes;
}

function planGrabs(user: number, packets: readonly number[]): DriverPlan {
  const requests = Buffer.alloc(packets.length * GRAB_BYTES);
  for (const [i, packetId] of packets.entries()) writeGrab(requests, i * GRAB_BYTES, i, user, packetId);
  return { requests, ends: Int32Array.from(packets, (_, i) => (i + 1) * GRAB_BYTES) };
}

/** Tells the amount of each GRAB_RESULT, 0 for a LOGIN_RESULT; notices go into `packets`. */
function parserInto(packets: number[]): ReplyParser {
  return {
    parse(bytes, length, onReply) {
      let at = 0;
      while (length - at >= BODY_OFFSET) {
        const frame = bytes.readUInt16BE(at);
        if (length - at < frame) break;
        const opcode = bytes.readUInt16BE(at + OPCODE_OFFSET);
        if (opcode === Opcode.GRAB_RESULT) onReply(readUint32(bytes, at + BODY_OFFSET + 4));
        else if (opcode === Opcode.LOGIN_RESULT) onReply(0);
        else if (opcode === Opcode.NOTICE) packets.push(readUint32(bytes, at + BODY_OFFSET));
        at += frame;
      }
      return at;
    },
  };
}
