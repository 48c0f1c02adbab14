// Chaos: kills the server at random moments under load, and proves that nothing it has acknowledged is lost or doubled.
//
//   node tools/chaos/chaos.ts --rounds 20 --seed 7
//
// The seed decides how each server is started, what its users try, and after how long it is killed; the last one lives on until
// everything that is tried was acknowledged once. How all that interleaves is real, and is another at each run. The exit code is
// 1 when anything is not as it has to be.
//
// SIGKILL ends the process, not the machine: what was written but not synced survives it. What a power cut does to the
// journal is tried by the tests of the ledger, on a disk that loses it.

import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { formatChaos, isRight } from './print-chaos.ts';
import { runChaos } from './run-chaos.ts';

const MOST_ROUNDS = 10_000;
const MOST_USERS = 2000;
const MOST_SECONDS = 86_400;
const MOST_SEED = 2 ** 31 - 1;

const args = await yargs(hideBin(process.argv))
  .usage('kills the server under load, again and again, and looks for what it has acknowledged')
  .options({
    rounds: { type: 'number', default: 20, describe: 'how often the server is loaded and killed' },
    seed: {
      type: 'number',
      default: Number(process.env.SEED || randomInt(MOST_SEED)),
      defaultDescription: 'SEED, or drawn',
      describe: 'decides the settings, the users and the moments of the kills',
    },
    users: { type: 'number', default: 200, describe: 'users, each with a connection' },
    directory: {
      type: 'string',
      default: '',
      describe: "where the server's data, its log and the acknowledgements are kept; left out, they go if all is well",
    },
    'max-seconds': { type: 'number', default: 900, describe: 'when it is given up as failed' },
  })
  .check(({ rounds, seed, users, 'max-seconds': maxSeconds }) => {
    checkWhole('--rounds', rounds, 1, MOST_ROUNDS);
    checkWhole('--seed (or SEED)', seed, 0, MOST_SEED);
    checkWhole('--users', users, 1, MOST_USERS);
    checkWhole('--max-seconds', maxSeconds, 1, MOST_SECONDS);
    return true;
  })
  .strict()
  .parseAsync();

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { rounds, seed, users } = args;
  const directory = args.directory === '' ? mkdtempSync(join(tmpdir(), 'hongbao-chaos-')) : args.directory;
  print(`SEED=${seed}: ${rounds} rounds, ${users} users, in ${directory}`);
  // Leaving ends the server too: see ../serve-process.ts.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  const giveUp = setTimeout(() => {
    print(`given up after ${args.maxSeconds} s; see ${directory}`);
    process.exit(1);
  }, args.maxSeconds * 1000);
  try {
    const result = await runChaos({ rounds, seed, users, directory, print });
    for (const line of formatChaos(result)) print(line);
    if (!isRight(result)) {
      print(`see ${directory}; repeat with SEED=${seed}`);
      process.exitCode = 1;
    } else if (args.directory === '') rmSync(directory, { recursive: true });
  } catch (error) {
    print(`${(error as Error).stack}\nsee ${directory}; repeat with SEED=${seed}`);
    process.exitCode = 1;
  } finally {
    clearTimeout(giveUp);
  }
}

function checkWhole(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new Error(`${name} must be a whole number from ${low} to ${high}`);
}

await main();
