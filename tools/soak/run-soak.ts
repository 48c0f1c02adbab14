// A soak: a server under a mixed load for as long as it is asked, and what came of it. Nothing is killed and nothing is broken:
// what is looked for is what grows.

import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PACE_MS } from '../../clients/load/load-options.ts';
import { countUnanswered, type LoadTotals } from '../../clients/load/load-totals.ts';
import { runLoad } from '../../clients/load/run-load.ts';
import { type Comparison, compareWithServers, readServerCounts } from '../../clients/load/verify.ts';
import { formatFinding } from '../audit/findings.ts';
import { runAudit } from '../audit/run-audit.ts';
import { ServeProcess } from '../serve-process.ts';
import { type Flatness, type FlatRule, judgeFlat } from './flatness.ts';
import { type CrowdCounts, SoakCrowd } from './soak-crowd.ts';
import { SoakOperator } from './soak-operator.ts';
import { type Vitals, VitalsLog } from './vitals-log.ts';

const MB = 1024 * 1024;

/** Users who are sent to and never come. */
const ABSENT_USERS = 200;

/** How long before the end of the load the operator starts nothing more, in seconds; a tenth of a short run. */
const QUIET_SECONDS = 8;
const QUIET_SHARE = 0.3;

/** How long the load may take to have its last answer, in seconds. */
const DRAIN_SECONDS = 30;

/** Looks in a row that may fail before the server counts as silent. */
const MOST_FAILED_LOOKS = 3;

/**
 * What may grow by how much. Resident memory swings by some megabytes with every garbage collection; files swing with who comes
 * and goes at the moment of a look.
 */
export const SOAK_RULES: SoakRules = {
  residentBytes: { perHour: 0.1, slack: 24 * MB, step: 32 * MB },
  openFiles: { perHour: 0, slack: 4, step: 8 },
};

/** For a run of seconds, in which code is still being compiled and pools still fill. */
export const SHORT_RULES: SoakRules = {
  residentBytes: { perHour: 0.1, slack: 64 * MB, step: 64 * MB },
  openFiles: { perHour: 0, slack: 8, step: 12 },
};

export interface SoakRules {
  residentBytes: FlatRule;
  openFiles: FlatRule;
}

export interface SoakOptions {
  seconds: number;
  /** Users of the load, and shakes a second of all of them. */
  connections: number;
  qps: number;
  churning: number;
  deaf: number;
  slow: number;
  idle: number;
  rules: SoakRules;
  /** Gets the server's data and its log. */
  directory: string;
  onLook: (vitals: Vitals) => void;
}

export interface SoakResult {
  seconds: number;
  vitals: Vitals[];
  resident: Flatness;
  files: Flatness;
  totals: LoadTotals;
  crowd: CrowdCounts;
  operatorRounds: number;
  comparisons: Comparison[];
  auditRecords: number;
  differenceCents: number;
  /** What is wrong, as sentences; none if all is well. */
  faults: string[];
}

/** Runs it. @throws {Error} if the server does not start, or the load cannot connect */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { directory, connections } = options;
  const data = join(directory, 'data');
  mkdirSync(data, { recursive: true });
  const log = createWriteStream(join(directory, 'server.log'), { flags: 'a' });
  const server = new ServeProcess(['--data', data, '--report-seconds=0'], (line) => log.write(`${line}\n`));
  await server.awaitServing();
  try {
    const { port, controlUrl } = server;
    const firstUser = connections + ABSENT_USERS;
    const crowd = new SoakCrowd({ ...options, port, firstUser });
    const operator = new SoakOperator(controlUrl, [0, connections - 1], [connections, firstUser - 1]);
    const vitals = new VitalsLog(server.pid, controlUrl, options.onLook);
    await crowd.start();
    const { totals, comparisons, isDrained } = await load(options, port, controlUrl, operator, vitals);
    await vitals.stop();
    await crowd.stop();
    await server.stop();
    const audit = await runAudit(data, { threads: 1 });
    const { rules } = options;
    const result: SoakResult = {
      seconds: options.seconds,
      vitals: vitals.vitals,
      resident: judgeFlat(vitals.points('residentBytes'), rules.residentBytes),
      files: judgeFlat(vitals.points('openFiles'), rules.openFiles),
      totals,
      crowd: crowd.counts,
      operatorRounds: operator.rounds,
      comparisons,
      auditRecords: Object.values(audit.records).reduce((sum, count) => sum + count, 0),
      differenceCents: audit.differenceCents,
      faults: [...crowd.troubles, ...operator.troubles, ...audit.findings.map(formatFinding)],
    };
    if (!isDrained) result.faults.push(`${countUnanswered(totals)} requests of the load were not answered`);
    if (vitals.failedLooks > MOST_FAILED_LOOKS) result.faults.push(`the server is silent: ${vitals.lastFailure}`);
    result.faults.push(...findFaults(result));
    return result;
  } finally {
    await server.kill().catch(() => {});
    log.end();
  }
}

/** Runs the load with the operator and the log of vitals beside it. */
async function load(
  { seconds, connections, qps }: SoakOptions,
  port: number,
  controlUrl: string,
  operator: SoakOperator,
  vitals: VitalsLog,
): Promise<{ totals: LoadTotals; comparisons: Comparison[]; isDrained: boolean }> {
  const before = await readServerCounts([controlUrl]);
  let comparisons: Comparison[] = [];
  let stopping: Promise<void> | undefined;
  let stopTimer: NodeJS.Timeout | undefined;
  const quietMs = Math.min(QUIET_SECONDS, seconds * QUIET_SHARE) * 1000;
  const users: [number, number] = [0, connections - 1];
  const { totals, isDrained } = await runLoad(
    {
      targets: [{ host: '127.0.0.1', port }],
      users,
      population: users,
      qps,
      closed: false,
      pipeline: 1,
      durationSeconds: seconds,
      paceMs: PACE_MS,
      threads: 1,
      grab: true,
      drainSeconds: DRAIN_SECONDS,
    },
    (phase) => {
      if (phase !== 'shaking' || stopTimer !== undefined) return;
      operator.start();
      vitals.start();
      stopTimer = setTimeout(
        () => {
          stopping = operator.stop();
        },
        seconds * 1000 - quietMs,
      );
    },
    async (totals) => {
      await stopping;
      comparisons = await compareWithServers([controlUrl], before, totals);
    },
  );
  return { totals, comparisons, isDrained };
}

function findFaults({ resident, files, totals, comparisons, differenceCents }: SoakResult): string[] {
  const faults: string[] = [];
  const inMB = (bytes: number) => `${(bytes / MB).toFixed(1)} MB`;
  if (!resident.isFlat) {
    faults.push(
      `resident memory is not flat: it rose by ${inMB(resident.rise)}, with a step of ${inMB(resident.largestStep)}`,
    );
  }
  if (!files.isFlat) {
    faults.push(
      `open files are not flat: they rose by ${files.rise.toFixed(1)}, with a step of ${files.largestStep.toFixed(1)}`,
    );
  }
  for (const { what, client, server } of comparisons) {
    if (client !== server) faults.push(`the two ends differ: ${what}: client ${client}, server ${server}`);
  }
  if (comparisons.length === 0) faults.push('the two ends were not compared');
  if (totals.unexpected > 0) faults.push(`${totals.unexpected} frames answer nothing that was asked`);
  if (totals.lostConnections > 0) faults.push(`${totals.lostConnections} connections of the load were lost`);
  if (totals.won === 0 || totals.grabsWon === 0)
    faults.push('nothing was won or nothing was grabbed: it tried nothing');
  if (differenceCents !== 0) faults.push(`the difference of the audit is ${differenceCents} cents`);
  return faults;
}
