// `hongbao audit`: reads the journal of a data directory with code of its own, and says whether every cent is there.

import { availableParallelism } from 'node:os';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { formatCount } from '../../lib/monitor/text-table.ts';
import { formatAudit } from '../audit/print-audit.ts';
import { runAudit } from '../audit/run-audit.ts';
import { printJson } from '../control-client.ts';
import { ProgressLine } from '../progress-line.ts';
import { UsageError } from '../usage-error.ts';

const MOST_THREADS = 64;

interface AuditArguments {
  directory: string;
  json: boolean;
  threads: number;
}

export const auditCommand: CommandModule<object, AuditArguments> = {
  command: 'audit <directory>',
  describe: 'check every record of a journal, and that no cent is missing',
  builder: (yargs) =>
    yargs
      .positional('directory', {
        type: 'string',
        demandOption: true,
        describe: 'the data directory of a server, running or not, or the journal directory in it',
      })
      .options({
        json: { type: 'boolean', default: false, describe: 'print JSON' },
        threads: { type: 'number', default: availableParallelism(), describe: 'segments checked at once' },
      }),
  handler: audit,
};

async function audit({ directory, json, threads }: ArgumentsCamelCase<AuditArguments>): Promise<void> {
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new UsageError(`--threads must be a whole number from 1 to ${MOST_THREADS}`);
  }
  const progress = new ProgressLine();
  const result = await runAudit(directory, {
    threads,
    onProgress: (bytes, ofBytes) =>
      progress.show({ phase: 'checking', done: bytes, total: ofBytes, how: `${inMB(bytes)} of ${inMB(ofBytes)} MB` }),
  }).finally(() => progress.end());
  if (json) printJson(result);
  else process.stdout.write(`${formatAudit(result).join('\n')}\n`);
  if (result.findingCount > 0 || result.differenceCents !== 0) process.exitCode = 1;
}

function inMB(bytes: number): string {
  return formatCount(bytes / 2 ** 20);
}
