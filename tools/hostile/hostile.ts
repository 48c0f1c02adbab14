// `make hostile`: honest users play on while others attack their server, one attack after the other.
//
//   node tools/hostile/hostile.ts --peers 5000 --seconds 10
//
// Peers say nothing, send a byte a second, are gone, do not read, shake all the time, or flood the server with connections. The
// exit code is 1 when an honest user is not served, memory is not bounded, or a limit does not end what it is there for.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { checkWhole } from '../check-whole.ts';
import { formatVerdict } from '../verdict.ts';
import { ATTACKS, type AttackName } from './attacks.ts';
import { formatPhases, judgeHostile } from './judge-hostile.ts';
import { runHostile } from './run-hostile.ts';

/** Under six seconds the slowest limit does not come to pass while an attack lasts. */
const LEAST_SECONDS = 6;

const args = await yargs(hideBin(process.argv))
  .usage('attacks a server in several ways while honest users play, and looks whether they are served')
  .options({
    users: { type: 'number', default: 300, describe: 'honest users' },
    qps: { type: 'number', default: 1500, describe: 'shakes of the honest users in a second; each may make 20' },
    peers: { type: 'number', default: 3000, describe: 'peers of each attack' },
    seconds: { type: 'number', default: 8, describe: 'how long each attack lasts' },
    attacks: {
      type: 'string',
      array: true,
      choices: Object.keys(ATTACKS) as AttackName[],
      default: Object.keys(ATTACKS) as AttackName[],
      describe: 'which, in this order',
    },
  })
  .check(({ users, qps, peers, seconds }) => {
    checkWhole('users', users, 10, 10_000);
    checkWhole('qps', qps, users, 10 * users);
    checkWhole('peers', peers, 10, 9000);
    checkWhole('seconds', seconds, LEAST_SECONDS, 3600);
    return true;
  })
  .strict()
  .parseAsync();

const { users, qps, peers, seconds, attacks } = args;
const directory = mkdtempSync(join(tmpdir(), 'hongbao-hostile-'));
const print = (line: string) => void process.stdout.write(`${line}\n`);
// Leaving ends the server too: see ../serve-process.ts.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  const result = await runHostile({
    users,
    qps,
    peers,
    seconds,
    attacks,
    directory,
    onPhase: (name) => print(`${name} ...`),
  });
  const checks = judgeHostile(result, users, peers);
  const isPassed = checks.every((check) => check.isPassed);
  print('');
  for (const line of formatPhases(result.phases)) print(line);
  print('');
  for (const line of formatVerdict({ isPassed, checks, bothEnds: [] })) print(line);
  process.exitCode = isPassed ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
