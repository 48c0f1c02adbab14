// `hongbao report`: draws the charts of a run from its log, as a page, as SVG and as PNG.

import { resolve } from 'node:path';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { findRun, loadRun } from '../report/find-run.ts';
import { LANGUAGES, type Language } from '../report/words.ts';
import { writeReport } from '../report/write-report.ts';

interface ReportArguments {
  run: string;
  output: string;
  lang: Language;
}

export const reportCommand: CommandModule<object, ReportArguments> = {
  command: 'report <run>',
  describe: 'draw the charts of a run from its log',
  builder: (yargs) =>
    yargs
      .positional('run', {
        type: 'string',
        demandOption: true,
        describe: 'a run log, NAME.ndjson, or a directory: then the newest run in it or in its runs/',
      })
      .options({
        output: {
          alias: 'o',
          type: 'string',
          default: 'report',
          describe: 'directory of the report, made if it is missing',
        },
        lang: { choices: LANGUAGES, default: 'en' as const, describe: 'language of the report' },
      }),
  handler: report,
};

async function report({ run, output, lang }: ArgumentsCamelCase<ReportArguments>): Promise<void> {
  const { files } = await writeReport(await loadRun(findRun(run)), output, { language: lang });
  process.stdout.write(`${resolve(files[0])}\n`);
}
