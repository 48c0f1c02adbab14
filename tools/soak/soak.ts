// Soak: a server under a mixed load for minutes or hours, and whether anything grows or goes missing.
//
//   node tools/soak/soak.ts --minutes 180
//
// Users shake and grab while drops and sends come all the time; others come and go, do not read, read slowly, or are idle. The
// exit code is 1 when resident memory or open files grow, the two ends differ, or the audit finds something.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { checkWhole } from '../check-whole.ts';
import { formatSoak } from './print-soak.ts';
import { runSoak, SHORT_RULES, SOAK_RULES } from './run-soak.ts';

const MOST_MINUTES = 60 * 24 * 7;
const LEAST_MINUTES = 0.2;
/** Runs shorter than this have a relaxed rule. */
const SHORT_MINUTES = 1;

/** How often it says how far it is, in seconds. */
const SAY_SECONDS = 30;

const args = await yargs(hideBin(process.argv))
  .usage('holds a server under a mixed load, and looks for what grows or goes missing')
  .options({
    minutes: { type: 'number', default: 3, describe: 'how long; below one minute the rule is a relaxed one' },
    connections: { type: 'number', default: 500, describe: 'users that shake and grab' },
    qps: { type: 'number', default: 3000, describe: 'shakes a second' },
    churning: { type: 'number', default: 20, describe: 'users that come and go' },
    deaf: { type: 'number', default: 2, describe: 'users that ask and never read' },
    slow: { type: 'number', default: 5, describe: 'users that read late' },
    idle: { type: 'number', default: 50, describe: 'users that are there and do nothing' },
    directory: {
      type: 'string',
      default: '',
      describe: "where the server's data and its log are kept; left out, they go if all is well",
    },
  })
  .check(({ minutes, connections, qps, churning, deaf, slow, idle }) => {
    if (!(minutes >= LEAST_MINUTES && minutes <= MOST_MINUTES)) {
      throw new Error(`--minutes must be from ${LEAST_MINUTES} to ${MOST_MINUTES}`);
    }
    checkWhole('connections', connections, 10, 100_000);
    checkWhole('qps', qps, 100, 1_000_000);
    for (const [name, count] of Object.entries({ churning, deaf, slow, idle })) checkWhole(name, count, 0, 10_000);
    return true;
  })
  .strict()
  .parseAsync();

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const { minutes, connections, qps, churning, deaf, slow, idle } = args;
  const directory = args.directory === '' ? mkdtempSync(join(tmpdir(), 'hongbao-soak-')) : args.directory;
  print(
    `${minutes} minutes, ${connections} users of the load, ${churning + deaf + slow + idle} others, in ${directory}`,
  );
  // Leaving ends the server too: see ../serve-process.ts.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  let saidAt = 0;
  try {
    const result = await runSoak({
      seconds: minutes * 60,
      connections,
      qps,
      churning,
      deaf,
      slow,
      idle,
      rules: minutes < SHORT_MINUTES ? SHORT_RULES : SOAK_RULES,
      directory,
      onLook: ({ atSeconds, residentBytes, openFiles }) => {
        if (atSeconds - saidAt < SAY_SECONDS) return;
        saidAt = atSeconds;
        print(`${atSeconds.toFixed(0)} s: ${(residentBytes / 2 ** 20).toFixed(0)} MB resident, ${openFiles} files`);
      },
    });
    for (const line of formatSoak(result)) print(line);
    if (result.faults.length > 0) {
      print(`see ${directory}`);
      process.exitCode = 1;
    } else if (args.directory === '') rmSync(directory, { recursive: true });
  } catch (error) {
    print(`${(error as Error).stack}\nsee ${directory}`);
    process.exitCode = 1;
  }
}

await main();
