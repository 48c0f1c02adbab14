// A short fuzz run against a real server, its reproducers, and the fuzzer's own reading of the protocol. `make fuzz` runs longer.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { drawScript, streamOf } from '../../tools/fuzz/draw-script.ts';
import { drawHttp } from '../../tools/fuzz/http-fuzz.ts';
import { judgeStream } from '../../tools/fuzz/judge-stream.ts';
import { isFuzzUser } from '../../tools/fuzz/limits.ts';
import { RECORDED_USER, type Recording } from '../../tools/fuzz/record-sessions.ts';
import { readReproducer, writeReproducer } from '../../tools/fuzz/reproducer.ts';
import { grab, hello, login, ping, shake } from '../net/raw-client.ts';
import { framesToServer, refusedVectors } from '../protocol/vectors.ts';
import { collect } from '../server-process.ts';

const FUZZ = fileURLToPath(new URL('../../tools/fuzz/fuzz.ts', import.meta.url));
const SEED = Number(process.env.SEED ?? 3);

t.setTimeout(120_000);

/** A SEND and a RECORDS. */
const costly = framesToServer.filter((bytes) => [0x20, 0x24].includes(bytes[3])).map((bytes) => Buffer.from(bytes));

const recording: Recording = {
  classic: [login(RECORDED_USER), shake(), grab(1), ...costly],
  rich: [hello(RECORDED_USER), shake(), ping(), ...costly],
};

function run(...args: string[]) {
  return collect(spawn(process.execPath, [FUZZ, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

t.test('a few seconds of wrong input do a server no harm', async (t) => {
  t.comment(`SEED=${SEED}`);
  const { code, stdout, stderr } = await run(
    `--seed=${SEED}`,
    // In fewer the server is not warm yet, and its memory is not flat.
    '--seconds=12',
    '--connections=24',
    `--directory=${t.testdir({})}`,
  );
  t.equal(stderr, '');
  t.equal(code, 0, stdout);
  t.match(stdout, /nothing crashed, nothing leaked, every close has its reason, and no cent is missing/);
  t.match(stdout, /[\d,]+ inputs \([\d.]+ MB\) on [\d,]+ connections/);
});

t.test('a reproducer is played again, and fails only if the server does', async (t) => {
  const path = join(t.testdir({}), 'one.json');
  const script = { ...drawScript(SEED, 4, recording), ending: 'finish' as const };
  const request = { ...drawHttp(SEED, 4), leaves: false };
  writeReproducer(path, { seed: SEED, wrong: 'nothing', connections: [script], requests: [request] });
  t.strictSame(readReproducer(path).connections, [script], 'the file holds all of it');
  t.strictSame(readReproducer(path).requests, [request]);
  const { code, stdout } = await run(`--replay=${path}`);
  t.equal(code, 0, stdout);
  t.match(stdout, /connection 4: \d+ inputs, .*as it should be/);
});

t.test('the seed decides the inputs, and nothing else does', (t) => {
  for (let index = 0; index < 200; index++) {
    t.strictSame(drawScript(SEED, index, recording), drawScript(SEED, index, recording));
  }
  t.notSame(streamOf(drawScript(SEED, 1, recording)), streamOf(drawScript(SEED + 1, 1, recording)));
  t.end();
});

t.test('no script logs in as somebody who is not the fuzzer’s', (t) => {
  let logins = 0;
  for (let index = 0; index < 2000; index++) {
    for (const { userId } of judgeStream(streamOf(drawScript(SEED, index, recording))).logins) {
      logins++;
      if (!isFuzzUser(userId)) t.fail(`connection ${index} logs in as ${userId}`);
    }
  }
  t.ok(logins > 500, `${logins} logins`);
  t.end();
});

t.test('the fuzzer reads the protocol as its vectors have it', (t) => {
  for (const frame of framesToServer) {
    const { fault } = judgeStream(Buffer.concat([login(1), frame]));
    t.equal(fault, undefined, Buffer.from(frame).toString('hex'));
  }
  for (const { name, bytes } of refusedVectors) {
    const { fault } = judgeStream(Buffer.concat([login(1), bytes]));
    t.ok(fault === 'frame' || fault === 'body', `${name}: ${fault}`);
  }
  for (const opcode of [0x0000, 0x0002, 0x0100, 0x0110, 0x0200]) {
    for (let length = 0; length < 12; length++) {
      const header = Buffer.alloc(12);
      header.writeUInt16BE(length, 0);
      header.writeUInt16BE(opcode, 2);
      t.equal(judgeStream(Buffer.concat([login(1), header])).fault, 'frame', `${opcode}: ${length} bytes`);
    }
  }
  t.end();
});
