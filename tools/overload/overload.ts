// `make overload`: offers a server ten times what it can do, and shows that grabs go on while shakes are shed.
//
//   shakers (threads here) --TCP--> hongbao serve process <--TCP-- grabbers (a thread here)
//
// Every shake wins (a drop releases more than is asked for), so each one goes through a ring and the journal: that is what
// the server can run out of, once its workers have little of the CPU (see weaken-workers.ts). Grabbers are sent packets all the while. At the end both sides are compared, the journal is
// audited, and one chart shows it all. The hot packet comes last: everybody grabs one packet.

import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { MOST_QPS, type UserRange } from '../../clients/load/load-options.ts';
import { LoadSteering } from '../../clients/load/load-steering.ts';
import { countUnanswered } from '../../clients/load/load-totals.ts';
import { runLoad } from '../../clients/load/run-load.ts';
import { buildMonitorServer } from '../../lib/control/monitor-server.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';
import { makeRunHeader } from '../../lib/monitor/run-header.ts';
import { RunLog } from '../../lib/monitor/run-log.ts';
import { readRun } from '../../lib/monitor/run-reader.ts';
import type { Sample } from '../../lib/monitor/sample.ts';
import { formatCount } from '../../lib/monitor/text-table.ts';
import type { ServerStatus } from '../../lib/server-status.ts';
import { SERVER_NAME } from '../../lib/version.ts';
import { runAudit } from '../audit/run-audit.ts';
import { checkWhole } from '../check-whole.ts';
import { callControl } from '../control-client.ts';
import { openLoop, openSampler } from '../open-loop.ts';
import { ProgressLine } from '../progress-line.ts';
import { writeReport } from '../report/write-report.ts';
import { ServeProcess } from '../serve-process.ts';
import { type Check, formatVerdict } from '../verdict.ts';
import { runHotPacket } from './hot-packet.ts';
import { judgeOverload, type OverloadTimes } from './judge-overload.ts';
import { weakenWorkers } from './weaken-workers.ts';

const args = await yargs(hideBin(process.argv))
  .usage('offers a server ten times what it can do: grabs go on, shakes are shed, and it recovers')
  .options({
    shakers: { type: 'number', default: 2000, describe: 'users who shake' },
    grabbers: { type: 'number', default: 500, describe: 'users who are sent packets and grab' },
    hot: { type: 'number', default: 15_000, describe: 'users who all grab one packet; 0 leaves it out' },
    shares: { type: 'number', default: 100, describe: 'shares of that packet' },
    times: { type: 'number', default: 10, describe: 'how many times its capacity a server is offered' },
    seconds: {
      type: 'number',
      default: 12,
      describe: 'how long it is flooded; before it and after it is calm as long',
    },
    output: { type: 'string', default: './data/overload', describe: 'gets a directory of this run' },
  })
  .strict()
  .parseAsync();

/** Packets sent to grabbers a second, each to so many. */
const SENDS_PER_SECOND = 50;
const SHARES = 3;

/** How long the capacity is measured, in seconds. */
const MEASURE_SECONDS = 3;

/** What the two sources of samples here are called. */
const SHAKERS = 'shakers';
const GRABBERS = 'grabbers';

/** A user does not wait a second with a shake, nor shake on while so many are unanswered: else a flood would go on long after it. */
const PATIENCE = { giveUpMs: 1000, mostUnanswered: 20 };

/** More packets than anybody can shake for. */
const DROP = { count: 8_000_000, rate: 1_000_000, budget: 8_000_000 };

async function main(): Promise<void> {
  for (const name of ['shakers', 'grabbers', 'times', 'seconds', 'shares'] as const)
    checkWhole(name, args[name], 1, 1e6);
  const header = makeRunHeader('overload', SERVER_NAME);
  const directory = join(args.output, header.name);
  const data = join(directory, 'data');
  mkdirSync(data, { recursive: true });
  const fail = (error: Error) => process.stderr.write(`${error.message}\n`);
  const runLog = new RunLog({ directory, header, onError: fail });
  const samples: Sample[] = [];
  const monitor = new Monitor({
    write(line) {
      samples.push(line.sample);
      runLog.write(line);
    },
    close: () => runLog.close(),
  });
  const app = buildMonitorServer(monitor, SERVER_NAME, '127.0.0.1', fail);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const monitorUrl = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  process.stdout.write(`dashboard: ${monitorUrl}\n`);
  const server = new ServeProcess([`--data=${data}`, `--monitor=${monitorUrl}`, '--no-run-log']);
  try {
    await server.awaitServing();
    weakenWorkers(server.pid);
    const checks = await flood({ server, monitor, runLog, samples, data });
    const verdict = { isPassed: checks.every(({ isPassed }) => isPassed), checks, bothEnds: [] };
    runLog.write({ type: 'verdict', ...verdict });
    await monitor.close();
    const report = join(directory, 'report');
    await writeReport(await readRun(runLog.path), report, { language: 'en' });
    process.stdout.write(`${formatVerdict(verdict).join('\n')}\nchart: ${join(report, 'shedding.png')}\n`);
    process.exitCode = verdict.isPassed ? 0 : 1;
  } finally {
    await server.kill().catch(() => {});
    await app.close();
    await monitor.close();
  }
}

interface FloodParts {
  server: ServeProcess;
  monitor: Monitor;
  runLog: RunLog;
  /** Every sample that the monitor took, also while it goes on. */
  samples: readonly Sample[];
  data: string;
}

async function flood({ server, monitor, runLog, samples, data }: FloodParts): Promise<Check[]> {
  const shakers: UserRange = [0, args.shakers - 1];
  const grabbers: UserRange = [args.shakers, args.shakers + args.grabbers - 1];
  await callControl(server.controlUrl, 'POST', '/drops', DROP);
  const capacity = await measureCapacity(server, shakers);
  const offered = Math.min(MOST_QPS, Math.round(capacity * args.times));
  process.stdout.write(
    `it can do ${formatCount(capacity)} winning shakes a second; offered ${formatCount(offered)}\n\n`,
  );

  const calm = Math.round(capacity / 2);
  const seconds = 3 * args.seconds;
  const progress = new ProgressLine();
  const shakerOptions = { ...openLoop(server.port, shakers, calm, seconds), ...PATIENCE, sampled: true };
  const steering = new LoadSteering(shakerOptions);
  const times: OverloadTimes = { calmMs: 0, floodMs: 0, againMs: 0 };
  let sending: Promise<unknown> | undefined;
  const begin = () => {
    times.calmMs = Math.ceil((Date.now() + 1000) / 1000) * 1000;
    times.floodMs = times.calmMs + args.seconds * 1000;
    times.againMs = times.floodMs + args.seconds * 1000;
    steering.setQps(offered, times.floodMs);
    runLog.write({ type: 'mark', atMs: times.floodMs, text: `${args.times} times its capacity` });
    steering.setQps(calm, times.againMs);
    runLog.write({ type: 'mark', atMs: times.againMs, text: 'half of it' });
    const sends = { count: SENDS_PER_SECOND * (seconds - 4), rate: SENDS_PER_SECOND, shares: SHARES, total: 300 };
    sending = callControl(server.controlUrl, 'POST', '/sends', { ...sends, users: grabbers });
    // Told below, once the load has ended.
    sending.catch(() => {});
  };
  const take = (sample: Sample) => monitor.take(sample);
  const shakerSampler = openSampler(SHAKERS, () => steering.qps, take);
  const grabberSampler = openSampler(GRABBERS, () => 0, take);
  const before = (await callControl(server.controlUrl, 'GET', '/status')) as ServerStatus;
  const grabbing = runLoad(
    { ...openLoop(server.port, grabbers, 0, seconds + 8), sampled: true },
    () => {},
    undefined,
    undefined,
    grabberSampler,
  );
  const shaking = runLoad(
    shakerOptions,
    (phase, { sent, answered }) => {
      if (phase === 'shaking' && times.calmMs === 0) begin();
      const how = `sent ${formatCount(sent)}  answered ${formatCount(answered)}`;
      progress.show({ phase, how });
    },
    undefined,
    steering,
    shakerSampler,
  );
  const [shaken, grabbed] = await Promise.all([shaking, grabbing]);
  await sending;
  progress.end();
  shakerSampler.stop();
  grabberSampler.stop();
  // What the hot packet does to the server is no part of the flood.
  const flooded = [...samples];
  const hot = args.hot > 0 ? await runHotPacket(server, args.hot, args.shares) : [];
  await callControl(server.controlUrl, 'POST', '/drops/1/close');
  await sleep(500);
  const status = (await callControl(server.controlUrl, 'GET', '/status')) as ServerStatus;
  await server.stop();
  const audit = await runAudit(data, { threads: 2 });
  const { grabsSent, grabsAnswered, grabsWon } = grabbed.totals;
  const invited = (status.packets.sent - before.packets.sent - (args.hot > 0 ? 1 : 0)) * SHARES;
  process.stdout.write(`shakes shed: ${formatCount(status.shed.shakes)}; level changed ${status.levelChanges} times\n`);
  return [
    ...judgeOverload({
      times,
      grabbers: flooded.filter(({ source }) => source === GRABBERS),
      server: flooded.filter(({ role }) => role === 'server'),
      grabs: { sent: grabsSent, answered: grabsAnswered, won: grabsWon, invited },
      unansweredShakes: countUnanswered(shaken.totals),
      differenceCents: status.money.difference,
      auditFindings: audit.findingCount + (audit.differenceCents === 0 ? 0 : 1),
    }),
    ...hot,
  ];
}

/** Winning shakes a second, as fast as the server answers. */
async function measureCapacity(server: ServeProcess, users: UserRange): Promise<number> {
  const options = { ...openLoop(server.port, users, 0, MEASURE_SECONDS), closed: true, pipeline: 2 };
  // Shed shakes are answered, but not what is measured.
  await callControl(server.controlUrl, 'PUT', '/level', { level: 0 });
  const { totals } = await runLoad(options, () => {});
  await callControl(server.controlUrl, 'DELETE', '/level');
  return totals.won / MEASURE_SECONDS;
}

await main();
