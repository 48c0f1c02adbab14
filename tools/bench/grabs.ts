// Bench: how many grabs a second are durable before they are answered, here and by Redis with a Lua script.
//
//   driver (this process) --pipelined grabs--> hongbao serve --durability fsync      (journal, group commit)
//   driver (this process) --pipelined EVALSHA--> redis-server --appendfsync always
//
// Both sides split the same totals among the same users, by turns in one run, with the same driver and depth. A round
// counts only if every grab got a share and the shares add up to the cent; for ours the audit's books must agree too.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { summarize } from '../../lib/monitor/latency-log.ts';
import { formatCount, formatMs, formatTable } from '../../lib/monitor/text-table.ts';
import { readUint32, writeGrab, writeLogin } from '../../lib/protocol/classic.ts';
import { BODY_OFFSET, GRAB_BYTES, LOGIN_BYTES } from '../../lib/protocol/classic-layout.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { runAudit } from '../audit/run-audit.ts';
import { readCpuUs } from '../proc-stat.ts';
import { CLI } from '../serve-process.ts';
import { type DriverPlan, type DriverResult, PipelineDriver, type ReplyParser } from './pipeline-driver.ts';

/** Where Debian puts it. */
const REDIS = '/usr/bin/redis-server';

/** Shares of each packet: all users of a group grab one each. */
const GROUP = 100;

/** Cents of each packet. */
const TOTAL = 100 * GROUP;

const args = await yargs(hideBin(process.argv))
  .usage('grabs that are durable before they are answered, against Redis with a Lua script')
  .options({
    connections: { type: 'number', default: 100, describe: 'users that grab; a multiple of 100' },
    depth: { type: 'number', default: 32, describe: 'grabs under way on each connection' },
    grabs: { type: 'number', default: 200_000, describe: 'grabs of a round' },
    rate: { type: 'number', default: 0, describe: 'grabs a second, open loop; 0 is closed loop' },
    rounds: { type: 'number', default: 3, describe: 'rounds, both sides by turns' },
    durability: { choices: ['fsync', 'buffered', 'memory'] as const, default: 'fsync' },
    redis: { type: 'boolean', default: true, describe: 'run redis-server beside it, if it is installed' },
    serve: { type: 'string', default: '', describe: 'more options for hongbao serve, in one string' },
  })
  .strict()
  .parseAsync();

/** A run, and the CPU time that the server took for each grab of it, in microseconds. */
interface Round extends DriverResult {
  cpuUs: number;
}

/** A side of the comparison. */
interface Side {
  name: string;
  pid: number;
  /** Prepares packets and connections; what it returns is the run itself. */
  prepare(): Promise<() => Promise<DriverResult>>;
  stop(): Promise<void>;
}

const grabsPerUser = Math.ceil(args.grabs / args.connections);
const groups = Math.ceil(args.connections / GROUP);

async function main(): Promise<void> {
  const hasRedis = args.redis && existsSync(REDIS);
  if (args.redis && !hasRedis) process.stdout.write('redis-server is not installed: no comparison\n');
  const sides: Side[] = [await startHongbao()];
  if (hasRedis) sides.push(await startRedis());
  const results = sides.map(() => [] as Round[]);
  try {
    for (let round = 0; round < args.rounds; round++) {
      for (const [i, side] of sides.entries()) {
        const run = await side.prepare();
        const cpuBefore = readCpuUs(side.pid);
        const result = await run();
        check(side.name, result);
        results[i].push({ ...result, cpuUs: (readCpuUs(side.pid) - cpuBefore) / result.replies });
      }
    }
  } finally {
    for (const side of sides) await side.stop();
  }
  print(sides, results);
}

/** @throws {Error} if the round is not what it has to be: it may then not report a speed */
function check(name: string, { replies, zeros, sum }: DriverResult): void {
  const wanted = grabsPerUser * args.connections;
  const wantedCents = (wanted / GROUP) * TOTAL;
  if (replies === wanted && zeros === 0 && sum === wantedCents) return;
  throw new Error(
    `${name}: ${replies} of ${wanted} answered, ${zeros} without a share, ${sum} of ${wantedCents} cents`,
  );
}

function print(sides: readonly Side[], results: readonly Round[][]): void {
  const how = args.rate > 0 ? `open loop, ${formatCount(args.rate)}/s` : `closed loop, ${args.depth} deep`;
  process.stdout.write(
    `${args.connections} connections, ${how}, ${args.rounds} rounds of ${formatCount(args.grabs)} grabs\n`,
  );
  const rows = sides.map(({ name }, i) => {
    const rates = results[i].map(({ replies, seconds }) => replies / seconds).sort((a, b) => a - b);
    const middle = results[i].map(({ latency }) => summarize(latency)).sort((a, b) => a.p50Us - b.p50Us)[
      Math.floor(results[i].length / 2)
    ];
    return [
      name,
      formatCount(rates[Math.floor(rates.length / 2)]),
      `${formatCount(rates[0])}-${formatCount(rates.at(-1)!)}`,
      formatMs(middle.p50Us),
      formatMs(middle.p99Us),
      median(results[i].map(({ cpuUs }) => cpuUs)).toFixed(1),
    ];
  });
  process.stdout.write(
    `${formatTable([['', 'grabs/s', 'spread', 'p50 ms', 'p99 ms', 'us of CPU per grab'], ...rows]).join('\n')}\n`,
  );
  if (sides.length < 2) return;
  const ratios = results[0].map(
    (ours, i) => ours.replies / ours.seconds / (results[1][i].replies / results[1][i].seconds),
  );
  ratios.sort((a, b) => a - b);
  process.stdout.write(`ratio, round by round: median ${ratios[Math.floor(ratios.length / 2)].toFixed(2)}\n`);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

async function startHongbao(): Promise<Side> {
  const data = mkdtempSync(join(tmpdir(), 'hongbao-bench-'));
  const [port, controlPort] = [await freePort(), await freePort()];
  const options = ['--port', `${port}`, '--control-port', `${controlPort}`, '--data', data, '--report-seconds', '0'];
  const more = args.serve === '' ? [] : args.serve.split(' ');
  const child = spawn(
    process.execPath,
    [CLI, 'serve', ...options, '--durability', args.durability, '--log-level', 'error', ...more],
    { stdio: 'inherit' },
  );
  const control = `http://127.0.0.1:${controlPort}`;
  await waitFor(() => fetch(`${control}/healthz`).then((response) => response.ok));
  let packetsBefore = 0;
  return {
    name: `hongbao, ${args.durability}`,
    pid: child.pid!,
    async prepare() {
      const count = grabsPerUser * groups;
      const users = [0, GROUP * groups - 1];
      const send = { count, rate: 1_000_000, shares: GROUP, total: TOTAL, users };
      const { id } = await post(`${control}/sends`, send);
      await waitFor(async () => (await get(`${control}/sends/${id}`)).created === count);
      await waitForNotices(control);
      const driver = new PipelineDriver(port, args.connections, hongbaoParser);
      await driver.open();
      await driver.greet(loginOf);
      await sleep(500);
      const first = 0x10_0000 + packetsBefore;
      packetsBefore += count;
      const plans = Array.from({ length: args.connections }, (_, user) => planGrabs(user, first));
      return async () => {
        const result = await driver.run(plans, args);
        driver.close();
        const { difference } = (await get(`${control}/status`)).money as { difference: number };
        if (difference !== 0) throw new Error(`the books of the server miss ${difference} cents`);
        return result;
      };
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      if (args.durability !== 'memory') await auditGrabs(data);
      rmSync(data, { recursive: true });
    },
  };
}

/** @throws {Error} if the journal does not hold every grab that was answered, with its cents */
async function auditGrabs(data: string): Promise<void> {
  const { findingCount, differenceCents, records } = await runAudit(data, { threads: 1 });
  const wanted = args.rounds * grabsPerUser * args.connections;
  if (findingCount === 0 && differenceCents === 0 && records.GRAB === wanted) return;
  throw new Error(`audit: ${records.GRAB} of ${wanted} grabs, ${findingCount} findings, difference ${differenceCents}`);
}

/** Nobody is connected: each user's list fills up, and notices are dropped until all have been passed on. */
async function waitForNotices(control: string): Promise<void> {
  let dropped = -1;
  await waitFor(async () => {
    const before = dropped;
    ({ dropped } = (await get(`${control}/status`)).notices as { dropped: number });
    await sleep(300);
    return dropped === before;
  });
}

/** The packets of a send go to the groups in turn. */
function planGrabs(user: number, first: number): DriverPlan {
  const group = Math.floor(user / GROUP);
  const requests = Buffer.alloc(grabsPerUser * GRAB_BYTES);
  const ends = new Int32Array(grabsPerUser);
  for (let i = 0; i < grabsPerUser; i++) {
    writeGrab(requests, i * GRAB_BYTES, i, user, first + i * groups + group);
    ends[i] = (i + 1) * GRAB_BYTES;
  }
  return { requests, ends };
}

function loginOf(user: number): Buffer {
  const bytes = Buffer.alloc(LOGIN_BYTES);
  writeLogin(bytes, 0, 0, user);
  return bytes;
}

/** Tells the amount of each GRAB_RESULT, 0 for a LOGIN_RESULT; notices are passed over. */
function hongbaoParser(): ReplyParser {
  return {
    parse(bytes, length, onReply) {
      let at = 0;
      while (length - at >= 4) {
        const frame = bytes.readUInt16BE(at);
        if (length - at < frame) break;
        const opcode = bytes.readUInt16BE(at + 2);
        if (opcode === Opcode.GRAB_RESULT) onReply(readUint32(bytes, at + BODY_OFFSET + 4));
        else if (opcode === Opcode.LOGIN_RESULT) onReply(0);
        at += frame;
      }
      return at;
    },
  };
}

/** What most people use: look whether the user has a share, pop one, note it, add it to the balance. */
const SCRIPT = `
local had = redis.call('HGET', KEYS[2], ARGV[1])
if had then return tonumber(had) end
local share = redis.call('RPOP', KEYS[1])
if not share then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], share)
redis.call('INCRBY', KEYS[3], share)
return tonumber(share)`;

async function startRedis(): Promise<Side> {
  const data = mkdtempSync(join(tmpdir(), 'hongbao-bench-redis-'));
  const port = await freePort();
  const sync = args.durability === 'fsync' ? 'always' : 'no';
  const options = ['--port', `${port}`, '--dir', data, '--save', '', '--bind', '127.0.0.1', '--appendfsync', sync];
  const child = spawn(REDIS, [...options, '--appendonly', args.durability === 'memory' ? 'no' : 'yes'], {
    stdio: 'ignore',
  });
  await waitFor(() => redisCall(port, ['PING']).then((reply) => reply.startsWith('+PONG')));
  const sha = (await redisCall(port, ['SCRIPT', 'LOAD', SCRIPT])).split('\r\n')[1];
  let packetsBefore = 0;
  return {
    name: `redis with Lua, ${args.durability === 'memory' ? 'no log' : `appendfsync ${sync}`}`,
    pid: child.pid!,
    async prepare() {
      const count = grabsPerUser * groups;
      await fillRedis(port, packetsBefore, count);
      const driver = new PipelineDriver(port, args.connections, redisParser);
      await driver.open();
      await driver.greet(() => Buffer.from(encodeCommand(['INCRBY', 'greeting', '1'])));
      const first = packetsBefore;
      packetsBefore += count;
      const plans = Array.from({ length: args.connections }, (_, user) => planEvals(sha, user, first));
      return async () => {
        const result = await driver.run(plans, args);
        driver.close();
        return result;
      };
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(data, { recursive: true });
    },
  };
}

/** Makes lists of equal shares: how they are split makes no difference to a grab. */
async function fillRedis(port: number, first: number, count: number): Promise<void> {
  const shares = Array.from({ length: GROUP }, () => String(TOTAL / GROUP));
  const driver = new PipelineDriver(port, 1, redisParser);
  await driver.open();
  const commands = Array.from({ length: count }, (_, i) =>
    Buffer.from(encodeCommand(['LPUSH', `p:${first + i}`, ...shares])),
  );
  const ends = Int32Array.from(commands.map(({ length }) => length));
  for (let i = 1; i < ends.length; i++) ends[i] += ends[i - 1];
  await driver.run([{ requests: Buffer.concat(commands), ends }], { depth: 100, rate: 0 });
  driver.close();
}

function planEvals(sha: string, user: number, first: number): DriverPlan {
  const group = Math.floor(user / GROUP);
  const commands = Array.from({ length: grabsPerUser }, (_, i) => {
    const packet = first + i * groups + group;
    return Buffer.from(encodeCommand(['EVALSHA', sha, '3', `p:${packet}`, `c:${packet}`, `u:${user}`, `${user}`]));
  });
  const ends = Int32Array.from(commands.map(({ length }) => length));
  for (let i = 1; i < ends.length; i++) ends[i] += ends[i - 1];
  return { requests: Buffer.concat(commands), ends };
}

function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Tells each integer reply; an error ends the bench. */
function redisParser(): ReplyParser {
  return {
    parse(bytes, length, onReply) {
      let at = 0;
      for (;;) {
        const end = bytes.subarray(0, length).indexOf(0x0a, at);
        if (end < 0) return at;
        if (bytes[at] === 0x2d) throw new Error(`redis: ${bytes.toString('utf8', at, end)}`);
        let value = 0;
        for (let i = at + 1; i < end - 1; i++) value = 10 * value + bytes[i] - 0x30;
        onReply(value);
        at = end + 1;
      }
    },
  };
}

async function redisCall(port: number, words: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write(encodeCommand(words));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.toString();
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

async function waitFor(isDone: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await isDone().catch(() => false)) return;
    await sleep(100);
  }
  throw new Error('it did not come within a minute');
}

async function get(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

async function post(url: string, body: object): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

await main();
