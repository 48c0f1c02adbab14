// `hongbao load`: the load client. Connects users, lets them shake and grab, and prints what both ends counted.

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import {
  LOAD_DESCRIPTORS,
  type LoadOptions,
  MOST_QPS,
  PACE_MS,
  parseTarget,
  parseUsers,
  type UserRange,
} from '../../clients/load/load-options.ts';
import { LoadSampler } from '../../clients/load/load-sampler.ts';
import { type LoadPhase, LoadSteering } from '../../clients/load/load-steering.ts';
import { countUnanswered, type LoadTotals } from '../../clients/load/load-totals.ts';
import { formatComparison, formatProgress, formatResult } from '../../clients/load/print-result.ts';
import { type LoadResult, runLoad } from '../../clients/load/run-load.ts';
import { type Comparison, compareWithServers, readServerCounts, type ServerCounts } from '../../clients/load/verify.ts';
import { AccessError } from '../../lib/access/access-error.ts';
import { readTokenKeys } from '../../lib/access/token-keys.ts';
import { summarize } from '../../lib/monitor/latency-log.ts';
import { SampleSender } from '../../lib/monitor/sample-sender.ts';
import { countDescriptors, isHttpUrl } from '../../lib/server-options.ts';
import { checkWhole } from '../check-whole.ts';
import { controlOption, controlTokenOf } from '../control-client.ts';
import { ProgressLine } from '../progress-line.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  target: {
    type: 'string',
    array: true,
    default: ['127.0.0.1:1025'],
    describe: 'host:port of the server; several spread the users over several servers',
  },
  connections: { type: 'number', describe: 'users to connect, from user 0 on  [default: 100]' },
  users: { type: 'string', describe: 'first:last user id to connect, instead of --connections' },
  population: {
    type: 'string',
    describe: 'first:last user id over all load clients, when several share the load  [default: --users]',
  },
  qps: { type: 'number', default: 1000, describe: 'shakes a second over the whole population (open loop)' },
  duration: { type: 'number', default: 10, describe: 'seconds to shake' },
  closed: { type: 'boolean', default: false, describe: 'closed loop: shake again as soon as the answer comes' },
  pipeline: { type: 'number', default: 1, describe: 'closed loop: shakes under way on each connection' },
  threads: { type: 'number', default: 1, describe: 'threads of this client' },
  grab: { type: 'boolean', default: true, describe: 'grab every packet that a notice tells of (--no-grab does not)' },
  drain: { type: 'number', default: 15, describe: 'seconds to wait at the end for what is under way' },
  verify: {
    type: 'string',
    array: true,
    describe: 'control API of each server: compare both ends, and exit with 1 if they differ',
  },
  monitor: {
    type: 'string',
    describe: 'address of a monitor that gets a sample every second, such as http://127.0.0.1:8989',
  },
  control: { type: 'number', describe: 'port of an HTTP control on this machine: GET /status, PUT /qps (hongbao qps)' },
  'token-keys': {
    type: 'string',
    describe: 'data directory of a server with --auth token: its keys sign tokens for the users',
  },
  tls: { type: 'boolean', default: false, describe: 'connect with TLS' },
  'tls-ca': {
    type: 'string',
    describe: "PEM file of who signs the server's certificate  [default: those Node trusts]",
  },
  'control-token': {
    ...controlOption['control-token'],
    describe: `${controlOption['control-token'].describe}; for --verify, --monitor`,
  },
  json: { type: 'string', describe: 'file to write the result to, as JSON' },
} as const;

type LoadArguments = InferredOptionTypes<typeof options>;
type Parsed = ArgumentsCamelCase<LoadArguments>;

export const loadCommand: CommandModule<object, LoadArguments> = {
  command: 'load',
  describe: 'put load on a server: users that shake and grab',
  builder: (yargs) =>
    yargs
      .options(options)
      .conflicts('users', 'connections')
      .example('$0 load --connections 10000 --qps 30000 --duration 30', '10,000 users, 30,000 shakes a second')
      .example('$0 load --closed --connections 100 --pipeline 32', 'as fast as the server answers')
      .example(
        '$0 load --users 10000:19999 --population 0:19999 --qps 30000',
        'the second of two machines that put 30,000 shakes a second on a server together',
      ),
  handler: load,
};

async function load(args: Parsed): Promise<void> {
  const asked = readOptions(args);
  const urls = args.verify ?? [];
  const controlToken = controlTokenOf(args);
  let before: ServerCounts | undefined;
  let comparisons: Comparison[] | undefined;
  if (urls.length > 0) before = await readServerCounts(urls, controlToken).catch(failVerify);
  const steering = new LoadSteering(asked);
  const control = args.control === undefined ? undefined : await startControl(steering, args.control);
  const sampling =
    args.monitor === undefined ? undefined : startSampling(args.monitor, controlToken, asked, steering, control);
  const progress = new Progress(asked);
  const compare = async (totals: LoadTotals) => {
    if (before !== undefined)
      comparisons = await compareWithServers(urls, before, totals, controlToken).catch(failVerify);
  };
  const result = await runLoad(asked, progress.show, compare, steering, sampling?.sampler)
    .catch((error: Error) => {
      throw new UsageError(error.message);
    })
    .finally(async () => {
      await sampling?.stop();
      await control?.close();
    });
  progress.end();

  const lines = formatResult(asked, result, steering.rates);
  if (comparisons !== undefined) lines.push('', ...formatComparison(comparisons));
  const faults = findFaults(result, comparisons);
  if (faults.length > 0) lines.push('', ...faults.map((fault) => `FAILED: ${fault}`));
  process.stdout.write(`${lines.join('\n')}\n`);
  if (args.json !== undefined)
    writeFileSync(args.json, JSON.stringify(toJson(asked, steering, result, comparisons, faults), null, 2));
  process.exitCode = faults.length > 0 ? 1 : 0;
}

function readOptions(args: Parsed): LoadOptions {
  const users = args.users === undefined ? rangeOf(args.connections ?? 100) : readUsers('users', args.users);
  const population = args.population === undefined ? users : readUsers('population', args.population);
  if (population[0] > users[0] || population[1] < users[1]) throw new UsageError('--population must include --users');
  const targets = args.target.map((text) => {
    const target = parseTarget(text);
    if (target === undefined) throw new UsageError(`--target must be host:port, not ${text}`);
    return target;
  });
  checkWhole('qps', args.qps, 0, MOST_QPS);
  checkWhole('pipeline', args.pipeline, 1, 1024);
  checkWhole('threads', args.threads, 1, 64);
  if (!(args.duration > 0 && args.duration <= 7 * 86_400)) throw new UsageError('--duration must be seconds above 0');
  if (!(args.drain >= 0 && args.drain <= 3600)) throw new UsageError('--drain must be 0 to 3600 seconds');
  if (args.tlsCa !== undefined && !args.tls) throw new UsageError('--tls-ca goes with --tls');
  const connections = users[1] - users[0] + 1;
  const descriptors = countDescriptors() - LOAD_DESCRIPTORS;
  if (connections > descriptors) {
    throw new UsageError(
      `this process may open ${descriptors} connections, not ${connections}: raise it with ulimit -n, or start several ` +
        'load clients with a part of the --users each and the same --population',
    );
  }
  const { qps, closed, pipeline, threads, grab, duration: durationSeconds, drain: drainSeconds } = args;
  return {
    targets,
    users,
    population,
    qps,
    closed,
    pipeline,
    durationSeconds,
    paceMs: PACE_MS,
    threads: Math.min(threads, connections),
    grab,
    drainSeconds,
    sampled: args.monitor !== undefined,
    ...(args.tokenKeys === undefined ? {} : { tokenKeys: checkTokenKeys(args.tokenKeys) }),
    ...(args.tls ? { tls: { ca: args.tlsCa === undefined ? undefined : readCa(args.tlsCa) } } : {}),
  };
}

/** The directory, once it is known that the threads can read its keys. */
function checkTokenKeys(data: string): string {
  try {
    readTokenKeys(data);
    return data;
  } catch (error) {
    if (error instanceof AccessError) throw new UsageError(`--token-keys: ${error.message}`);
    throw error;
  }
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--tls-ca: ${(error as Error).message}`);
  }
}

async function startControl(steering: LoadSteering, port: number) {
  checkWhole('control', port, 0, 65_535);
  const { startLoadControl } = await import('../../clients/load/load-control.ts');
  const control = await startLoadControl(steering, port).catch((error: Error) => {
    throw new UsageError(`--control: ${error.message}`);
  });
  process.stderr.write(`control at ${control.listeningOrigin}\n`);
  return control;
}

/** Makes samples of the test and sends them to a monitor. */
function startSampling(
  monitor: string,
  controlToken: string,
  { users: [first, last] }: LoadOptions,
  steering: LoadSteering,
  control: FastifyInstance | undefined,
) {
  if (!isHttpUrl(monitor)) throw new UsageError(`--monitor must be an address such as http://127.0.0.1:8989`);
  const sender = new SampleSender(
    new URL(monitor),
    (error) => process.stderr.write(`${error.message}\n`),
    controlToken,
  );
  const sampler = new LoadSampler({
    origin: {
      source: `load:${first}-${last}`,
      run: randomBytes(6).toString('hex'),
      role: 'client',
      ...(control === undefined ? {} : { controlPort: (control.server.address() as AddressInfo).port }),
    },
    readQps: () => steering.qps,
    onSample: (sample) => sender.send(sample),
  });
  return {
    sampler,
    stop: async () => {
      sampler.stop();
      await sender.close();
    },
  };
}

function rangeOf(connections: number): UserRange {
  checkWhole('connections', connections, 1, 10_000_000);
  return [0, connections - 1];
}

function readUsers(name: string, text: string): UserRange {
  const users = parseUsers(text);
  if (users === undefined) throw new UsageError(`--${name} must be first:last user id, not ${text}`);
  return users;
}

function failVerify(error: Error): never {
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  throw new UsageError(`--verify: ${error.message}${cause}; is it the control API of the server?`);
}

/** What makes the test a failed one, as sentences. */
function findFaults(result: LoadResult, comparisons: readonly Comparison[] | undefined): string[] {
  const { totals } = result;
  const faults: string[] = [];
  const unanswered = countUnanswered(totals);
  if (unanswered !== 0) faults.push(`${unanswered} requests were not answered`);
  if (totals.unexpected > 0) faults.push(`${totals.unexpected} frames answer nothing that was asked`);
  for (const { what, client, server } of comparisons ?? []) {
    if (client !== server) faults.push(`the two ends differ: ${what}`);
  }
  return faults;
}

function toJson(
  asked: LoadOptions,
  steering: LoadSteering,
  result: LoadResult,
  comparisons: readonly Comparison[] | undefined,
  faults: string[],
) {
  return {
    options: asked,
    rates: steering.rates,
    totals: result.totals,
    connectSeconds: result.connectSeconds,
    shakeSeconds: result.shakeSeconds,
    answeredPerSecond: result.totals.answered / result.answerSeconds,
    latency: { shake: summarize(result.shakeLatency), grab: summarize(result.grabLatency) },
    comparisons: comparisons ?? [],
    faults,
  };
}

/** Tells how far the test is. */
class Progress {
  readonly #users: number;
  readonly #line = new ProgressLine();
  readonly #durationSeconds: number;
  #shakingAt: number | undefined;
  #last = { atMs: performance.now(), answered: 0 };

  constructor(asked: LoadOptions) {
    this.#users = asked.users[1] - asked.users[0] + 1;
    this.#durationSeconds = asked.durationSeconds;
  }

  readonly show = (phase: LoadPhase, totals: LoadTotals): void => {
    const now = performance.now();
    if (phase === 'shaking') this.#shakingAt ??= now;
    if (!this.#line.isDue(phase)) return;
    const perSecond = ((totals.answered - this.#last.answered) * 1000) / (now - this.#last.atMs);
    this.#last = { atMs: now, answered: totals.answered };
    const time = { seconds: (now - (this.#shakingAt ?? now)) / 1000, ofSeconds: this.#durationSeconds };
    this.#line.print(formatProgress(phase, totals, this.#users, perSecond, time));
  };

  end(): void {
    this.#line.end();
  }
}
