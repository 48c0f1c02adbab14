// An experiment from its directory to its report: the monitor and the run log around it, the run itself, the verdict.

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buildMonitorServer } from '../../lib/control/monitor-server.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';
import { makeRunHeader } from '../../lib/monitor/run-header.ts';
import { RunLog, type RunVerdict } from '../../lib/monitor/run-log.ts';
import { readRun } from '../../lib/monitor/run-reader.ts';
import { SERVER_NAME } from '../../lib/version.ts';
import type { Progress } from '../progress-line.ts';
import type { Language } from '../report/words.ts';
import { writeReport } from '../report/write-report.ts';
import { UsageError } from '../usage-error.ts';
import { judge } from './judge.ts';
import type { ExperimentPlan } from './plan.ts';
import { runExperiment } from './run-experiment.ts';

export interface WholeParts {
  plan: ExperimentPlan;
  /** Gets a directory of this run, with the server's data, the run log and the report. */
  output: string;
  durability: string;
  language: Language;
  /** Where the dashboard is meanwhile; 0 for a free port. */
  port: number;
  /** Told where that is. */
  onDashboard: (url: string) => void;
  onProgress: (progress: Progress) => void;
  /** Told of what stops nothing. */
  onError: (error: Error) => void;
}

export interface WholeResult {
  verdict: RunVerdict;
  /** Paths. */
  report: string;
  runLog: string;
}

/** @throws {UsageError} when it could not be done */
export async function holdExperiment(parts: WholeParts): Promise<WholeResult> {
  const { plan, output, port, durability, language, onDashboard, onProgress, onError } = parts;
  const header = makeRunHeader('experiment', SERVER_NAME);
  const directory = join(output, header.name);
  const data = join(directory, 'data');
  mkdirSync(data, { recursive: true });
  const runLog = new RunLog({ directory, header, onError });
  const monitor = new Monitor(runLog);
  const app = buildMonitorServer(monitor, SERVER_NAME, '127.0.0.1', onError);
  await app.listen({ host: '127.0.0.1', port }).catch((error: Error) => {
    throw new UsageError(`--port: ${error.message}`);
  });
  const monitorUrl = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  onDashboard(monitorUrl);
  try {
    const facts = await runExperiment({
      plan,
      data,
      monitor,
      monitorUrl,
      runLog,
      serverOptions: [`--durability=${durability}`],
      runId: randomBytes(6).toString('hex'),
      onProgress,
    });
    const verdict = judge(facts);
    runLog.write({ type: 'verdict', ...verdict });
    await monitor.close();
    const report = join(directory, 'report');
    await writeReport(await readRun(runLog.path), report, { language });
    return { verdict, report: join(report, 'index.html'), runLog: runLog.path };
  } catch (error) {
    throw new UsageError(`the experiment could not be done: ${(error as Error).message}`);
  } finally {
    await app.close();
    await monitor.close();
  }
}
