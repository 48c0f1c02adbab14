// Fuzz: millions of wrong inputs against a server process, on its port and on its control API, with honest users beside them.
//
//   node tools/fuzz/fuzz.ts --seed 7 --inputs 2000000
//
// The seed decides every input and how each connection ends; how they interleave is real, and another at each run. (The seconds
// that samples are about follow the clock.) What fails is saved as a small file: --replay plays it again. The exit code is
// 1 when anything is not as it has to be.

import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { formatCount } from '../../lib/monitor/text-table.ts';
import { checkWhole } from '../check-whole.ts';
import { startTarget } from './fuzz-target.ts';
import { playHttp } from './http-fuzz.ts';
import { PATIENCE_MS } from './limits.ts';
import { playScript } from './play-script.ts';
import { formatFuzz } from './print-fuzz.ts';
import { readReproducer } from './reproducer.ts';
import { MEMORY_RULE, runFuzz } from './run-fuzz.ts';

const MOST_SEED = 2 ** 31 - 1;
const MOST_INPUTS = 1e12;
const DEFAULT_SECONDS = 30;
const MOST_SECONDS = 7 * 86_400;

/** Shorter runs have no time for connections that wait for the server's time limits. */
const PATIENT_SECONDS = 60;
const PATIENT_INPUTS = 500_000;

const SAY_MS = 10_000;

const args = await yargs(hideBin(process.argv))
  .usage('sends a server what no client should, and checks that it takes no harm')
  .options({
    seed: {
      type: 'number',
      default: Number(process.env.SEED || randomInt(MOST_SEED)),
      defaultDescription: 'SEED, or drawn',
      describe: 'decides all inputs',
    },
    inputs: { type: 'number', describe: 'end after so many frames and fragments' },
    seconds: {
      type: 'number',
      describe: `end after so many seconds  [default: ${DEFAULT_SECONDS}, with --inputs none]`,
    },
    connections: { type: 'number', default: 128, describe: 'connections at once' },
    directory: {
      type: 'string',
      default: '',
      describe: "where the server's data, its log and reproducers are kept; left out, they go if all is well",
    },
    replay: { type: 'string', describe: 'play a reproducer instead' },
  })
  .check(({ seed, inputs, seconds, connections }) => {
    checkWhole('seed', seed, 0, MOST_SEED);
    checkWhole('connections', connections, 1, 5000);
    if (inputs !== undefined) checkWhole('inputs', inputs, 1, MOST_INPUTS);
    if (seconds !== undefined) checkWhole('seconds', seconds, 1, MOST_SECONDS);
    return true;
  })
  .strict()
  .parseAsync();

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const directory = args.directory === '' ? mkdtempSync(join(tmpdir(), 'hongbao-fuzz-')) : args.directory;
  mkdirSync(directory, { recursive: true });
  // Leaving ends the server too: see ../serve-process.ts.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  try {
    const isRight = args.replay === undefined ? await fuzz(directory) : await replay(directory, args.replay);
    if (!isRight) {
      print(`see ${directory}`);
      process.exitCode = 1;
    } else if (args.directory === '') rmSync(directory, { recursive: true });
  } catch (error) {
    print(`${(error as Error).stack}\nsee ${directory}`);
    process.exitCode = 1;
  }
}

async function fuzz(directory: string): Promise<boolean> {
  const { seed, connections, inputs = Number.POSITIVE_INFINITY } = args;
  const seconds = args.seconds ?? (args.inputs === undefined ? DEFAULT_SECONDS : MOST_SECONDS);
  print(`SEED=${seed}: ${connections} connections at once, in ${directory}`);
  const target = await startTarget(directory, 'data');
  let saidAt = performance.now();
  const result = await runFuzz(target, {
    seed,
    inputs,
    seconds,
    connections,
    directory,
    hasPatience: seconds >= PATIENT_SECONDS && inputs >= PATIENT_INPUTS,
    memoryRule: MEMORY_RULE,
    patienceMs: PATIENCE_MS,
    onProgress: (counts) => {
      if (performance.now() - saidAt < SAY_MS) return;
      saidAt = performance.now();
      print(`${formatCount(counts.inputs)} inputs, ${formatCount(counts.connections)} connections`);
    },
  });
  for (const line of formatFuzz(result)) print(line);
  return result.wrongs.length === 0;
}

/** Plays a reproducer against a new server. */
async function replay(directory: string, path: string): Promise<boolean> {
  const { wrong, connections, requests } = readReproducer(path);
  print(`it was: ${wrong}`);
  const target = await startTarget(directory, 'replay');
  const wrongs: string[] = [];
  const ended = target.ended.then((words) => wrongs.push(words));
  for (const script of connections) {
    const played = await playScript(target.port, script);
    const fault = played.judgement.fault ?? 'no fault';
    print(`connection ${script.index}: ${script.inputs.length} inputs, ${fault}; ${played.wrong ?? 'as it should be'}`);
    if (played.wrong !== undefined) wrongs.push(played.wrong);
  }
  for (const request of requests) {
    const answer = await playHttp(target.controlUrl, request);
    print(`request ${request.index}: ${answer ?? 'as it should be'}`);
    if (answer !== undefined) wrongs.push(answer);
  }
  const isRight = wrongs.length === 0;
  await target.stop().catch((error: Error) => void wrongs.push(error.message));
  await ended;
  for (const line of target.errors) wrongs.push(line);
  for (const line of isRight ? target.errors : wrongs) print(`FAILED: ${line}`);
  return isRight && target.errors.length === 0;
}

await main();
