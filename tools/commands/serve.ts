// `hongbao serve`: runs a server until it is told to stop, and prints latency histograms on stdout meanwhile.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { formatCount } from '../../lib/monitor/text-table.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../../lib/ring/wait-strategy.ts';
import type { Server } from '../../lib/server.ts';
import { ServerError } from '../../lib/server-error.ts';
import {
  AUTHS,
  CONTROL_AUTHS,
  checkOptions,
  DEFAULT_SERVER_OPTIONS as DEFAULTS,
  DURABILITIES,
  TRANSPORTS,
} from '../../lib/server-options.ts';
import { LIMIT_FLAGS, limitOptions, readLimits } from '../config/limit-options.ts';
import { LiveConfig } from '../config/live-config.ts';
import { flagsOf, type OptionTable, toCamelCase, withoutDefaults } from '../config/settle.ts';
import { controlTokenOf } from '../control-client.ts';
import { logOptions, openLog } from '../log.ts';
import { ProgressLine } from '../progress-line.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  host: { type: 'string', default: DEFAULTS.host, describe: 'address where clients connect' },
  port: { type: 'number', default: DEFAULTS.port, describe: 'TCP port where clients connect; 0 picks a free one' },
  auth: {
    choices: AUTHS,
    default: DEFAULTS.auth,
    describe: 'who may be which user: open takes their word, on this machine only; token asks for one (hongbao token)',
  },
  'open-to-network': {
    type: 'boolean',
    default: DEFAULTS.openToNetwork,
    describe: 'let --auth open listen beyond this machine: anybody there can play any user',
  },
  'tls-cert': {
    type: 'string',
    default: DEFAULTS.tlsCert,
    describe: 'PEM file of a certificate: clients connect with TLS',
    defaultDescription: 'plain TCP',
  },
  'tls-key': { type: 'string', default: DEFAULTS.tlsKey, describe: 'PEM file of its key', defaultDescription: 'none' },
  'control-host': { type: 'string', default: DEFAULTS.controlHost, describe: 'address of the HTTP control API' },
  'control-port': { type: 'number', default: DEFAULTS.controlPort, describe: 'port of the HTTP control API' },
  'control-auth': {
    choices: CONTROL_AUTHS,
    default: DEFAULTS.controlAuth,
    describe: 'whether the control API asks for a token: auto does so beyond this machine (hongbao control-token)',
  },
  sets: { type: 'number', default: DEFAULTS.sets, describe: 'SETs: shards that the users are spread over' },
  acceptors: { type: 'number', default: DEFAULTS.acceptors, describe: 'threads that own connections' },
  workers: { type: 'number', default: DEFAULTS.workers, describe: 'threads that own SETs' },
  'max-connections': {
    type: 'number',
    default: DEFAULTS.maxConnections,
    describe: 'connections at the most; 0 means as many as the descriptor limit allows',
  },
  'packet-slots': {
    type: 'number',
    default: DEFAULTS.packetSlots,
    describe: 'sent packets that are kept at once, open or not yet forgotten',
  },
  'max-shares': { type: 'number', default: DEFAULTS.maxShares, describe: 'shares that one sent packet may have' },
  'max-campaign-cents': {
    type: 'number',
    default: DEFAULTS.maxCampaignCents,
    describe: 'cents that one drop or send of the house may cost; 0 means any',
  },
  'losing-shake': {
    choices: ['acceptor', 'worker'] as const,
    default: DEFAULTS.losingShake,
    describe: 'who answers a shake that cannot win',
  },
  transport: {
    choices: TRANSPORTS,
    default: DEFAULTS.transport,
    describe: "what connections are: io_uring, Node's bare handles or its sockets; the next where one does not work",
  },
  wait: {
    choices: Object.keys(WAIT_STRATEGIES) as WaitStrategyName[],
    default: DEFAULTS.waitStrategy,
    describe: 'how an idle SET worker waits: park costs no CPU, spin costs a core',
  },
  data: { type: 'string', default: DEFAULTS.data, describe: "directory of the server's files, made if it is missing" },
  durability: {
    choices: DURABILITIES,
    default: DEFAULTS.durability,
    describe: 'what a reply that tells of money waits for: the disk, the system, or nothing',
  },
  'keep-segments': {
    type: 'number',
    default: DEFAULTS.keepSegments,
    describe: 'closed segments of the journal that are kept; 0 means all',
  },
  'segment-bytes': {
    type: 'number',
    default: DEFAULTS.segmentBytes,
    describe: 'bytes after which a segment of the journal is closed',
  },
  samples: {
    type: 'boolean',
    default: DEFAULTS.samples,
    describe: 'take a sample of everything each second, for the dashboard (--no-samples does not)',
  },
  'run-log': {
    type: 'boolean',
    default: DEFAULTS.runLog,
    describe: 'write the samples into DATA/runs, for hongbao report (--no-run-log does not)',
  },
  monitor: {
    type: 'string',
    default: DEFAULTS.monitor,
    describe: 'address of another monitor that gets the samples too, such as http://10.0.0.5:8990',
    defaultDescription: 'none',
  },
  'monitor-token': {
    type: 'string',
    default: DEFAULTS.monitorToken,
    describe: 'control token that this other monitor asks for; better in HONGBAO_CONTROL_TOKEN, which ps does not show',
    defaultDescription: 'none',
  },
  wallet: {
    type: 'string',
    default: DEFAULTS.wallet,
    describe: 'module of a payment system that the sends of users are paid from',
    defaultDescription: 'their balances here',
  },
  ...limitOptions,
  'drain-seconds': {
    type: 'number',
    default: DEFAULTS.drainSeconds,
    describe: 'seconds that a stop may take: telling clients, answering, writing to disk',
  },
  'reconnect-seconds': {
    type: 'number',
    default: DEFAULTS.reconnectSeconds,
    describe: 'seconds after which extended clients are told to come back when the server stops',
  },
  'drain-to': {
    type: 'string',
    default: DEFAULTS.drainTo,
    describe: 'host:port where extended clients are told to go when the server stops',
    defaultDescription: 'the same address',
  },
  chat: {
    type: 'string',
    default: DEFAULTS.chat,
    describe: 'the chat service: builtin, none, or a module (docs/CHAT.md)',
  },
  'report-seconds': {
    type: 'number',
    default: 10,
    describe: 'how often latency histograms are printed on stdout; 0 means never',
  },
  ...logOptions,
} as const;

/** What `serve` can be told, by flag or in a config file. */
export const serveOptions: OptionTable = options;

export const configOption = {
  config: {
    type: 'string',
    describe: 'JSON file with any of these options by their long names; flags win over it. SIGHUP reads it again',
  },
} as const;

/** What can change while a server runs, by a new config file and SIGHUP. */
const LIVE_OPTIONS: ReadonlySet<string> = new Set([
  ...LIMIT_FLAGS,
  'drain-seconds',
  'reconnect-seconds',
  'drain-to',
  'report-seconds',
  'log-level',
  'keep-segments',
]);

/** The longest time between two reports: a day. */
const MAX_REPORT_SECONDS = 86_400;

/** A second signal this soon is the first one once more: a terminal tells us and whoever started us, who passes it on. */
const SAME_SIGNAL_MS = 500;

/** How long a server that has failed may take to end, in milliseconds. */
const FAILED_MS = 5000;

type ServeArguments = InferredOptionTypes<typeof options & typeof configOption>;
type Parsed = ArgumentsCamelCase<ServeArguments>;

export const serveCommand: CommandModule<object, ServeArguments> = {
  command: 'serve',
  describe: 'run a server; Ctrl-C stops it in good order',
  builder: (yargs) =>
    yargs
      .options({ ...withoutDefaults(options), ...configOption })
      .example('$0 serve --port 1025 --workers 2', 'two threads of SETs')
      .example('$0 serve --config hongbao.json', 'what the file says; hongbao config shows what that is'),
  handler: serve,
};

/** Checks settled values, by long name, against their bounds. @throws {UsageError} whose message begins with the flag */
export function checkServeValues(values: Record<string, unknown>): void {
  const args = toCamelCase(values) as unknown as Parsed;
  try {
    checkOptions({ ...DEFAULTS, ...toServerOptions(args) });
  } catch (error) {
    if (error instanceof ServerError) throw new UsageError(error.message);
    throw error;
  }
  const { reportSeconds } = args;
  if (reportSeconds >= 0 && reportSeconds <= MAX_REPORT_SECONDS) return;
  throw new UsageError(`--report-seconds must be a number from 0 to ${MAX_REPORT_SECONDS}`);
}

async function serve(given: Parsed): Promise<void> {
  const config = await LiveConfig.open({
    table: options,
    live: LIVE_OPTIONS,
    check: checkServeValues,
    path: given.config,
    flags: flagsOf(options, given),
  });
  let args = toCamelCase(config.values) as unknown as Parsed;
  // Loaded only when it serves: --help and mistakes answer at once.
  const { startServer } = await import('../../lib/server.ts');
  const { formatInterval } = await import('../../lib/monitor/interval-report.ts');
  const log = openLog(args.logLevel, args.logPretty);
  const replay = new ProgressLine();
  let server: Server;
  let isReloadAsked = false;
  let reload = async (): Promise<void> => {
    isReloadAsked = true;
  };
  if (given.config !== undefined) process.on('SIGHUP', () => void reload());
  try {
    server = await startServer(toServerOptions(args), {
      onError: (error) => {
        replay.end();
        log.error({ err: error }, error.message);
      },
      onInfo: (sentence) => {
        replay.end();
        log.info(sentence);
      },
      onRecoveryProgress: (bytes, ofBytes) =>
        replay.show({ phase: 'replay', done: bytes, total: ofBytes, how: `${inMB(bytes)} of ${inMB(ofBytes)} MB` }),
    });
  } catch (error) {
    if (error instanceof ServerError) throw new UsageError(error.message);
    throw error;
  } finally {
    replay.end();
  }
  const ways = [args.tlsCert === '' ? '' : ' with TLS', args.auth === 'token' ? ' for users with a token' : ''].join(
    '',
  );
  const { sets, acceptors, workers, maxConnections } = server.options;
  log.info(
    { port: server.port, controlPort: server.controlPort, sets, acceptors, workers, maxConnections },
    `serving on ${args.host}:${server.port}${ways}, control API at http://${args.controlHost}:${server.controlPort}`,
  );
  if (args.durability === 'memory') {
    log.warn('money is kept in memory only: it does not survive the end of this process');
  }

  const latency = server.latency.openInterval();
  const printInterval = () => {
    const lines = formatInterval(new Date(), server.takeInterval(), latency.take());
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  };
  let report: NodeJS.Timeout | undefined;
  const planReports = () => {
    clearInterval(report);
    report = args.reportSeconds > 0 ? setInterval(printInterval, args.reportSeconds * 1000) : undefined;
  };
  planReports();
  const apply = (values: Readonly<Record<string, unknown>>) => {
    const before = args;
    args = toCamelCase(values) as unknown as Parsed;
    const { netLimits, keepSegments, drainSeconds, reconnectSeconds, drainTo } = toServerOptions(args);
    server.change({ netLimits, keepSegments, drainSeconds, reconnectSeconds, drainTo });
    if (args.reportSeconds !== before.reportSeconds) planReports();
    log.level = args.logLevel;
  };
  reload = () => config.reload(log, apply);
  if (isReloadAsked) await reload();
  let exitCode = 0;
  server.failed.then(async (error) => {
    exitCode = 1;
    log.fatal(error.message);
    // Whoever waits is still answered BUSY; a thread that is stuck must not keep the process.
    setTimeout(() => process.exit(1), FAILED_MS);
    if (error.code === 'journal') await server.stop();
    process.exit(1);
  });
  const stop = async (signal: NodeJS.Signals) => {
    const stoppedAt = performance.now();
    const isAgain = () => performance.now() - stoppedAt > SAME_SIGNAL_MS;
    process.on('SIGINT', () => isAgain() && process.exit(130));
    process.on('SIGTERM', () => isAgain() && process.exit(143));
    log.info(`${signal}: answering what is under way, then stopping; once more stops at once`);
    clearInterval(report);
    setTimeout(() => {
      log.warn(`not all was done within ${args.drainSeconds} s; what was acknowledged is on the disk`);
      process.exit(exitCode);
    }, args.drainSeconds * 1000);
    await server.stop();
    if (args.reportSeconds > 0) printInterval();
    log.info('stopped');
    process.exit(exitCode);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

function inMB(bytes: number): string {
  return formatCount(bytes / 2 ** 20);
}

function toServerOptions(args: Parsed) {
  return {
    host: args.host,
    port: args.port,
    auth: args.auth,
    openToNetwork: args.openToNetwork,
    tlsCert: args.tlsCert,
    tlsKey: args.tlsKey,
    controlHost: args.controlHost,
    controlPort: args.controlPort,
    controlAuth: args.controlAuth,
    sets: args.sets,
    acceptors: args.acceptors,
    workers: args.workers,
    maxConnections: args.maxConnections,
    packetSlots: args.packetSlots,
    maxShares: args.maxShares,
    maxCampaignCents: args.maxCampaignCents,
    losingShake: args.losingShake,
    transport: args.transport,
    waitStrategy: args.wait,
    data: args.data,
    durability: args.durability,
    keepSegments: args.keepSegments,
    segmentBytes: args.segmentBytes,
    samples: args.samples,
    runLog: args.runLog,
    monitor: args.monitor,
    monitorToken: controlTokenOf({ controlToken: args.monitorToken || undefined }),
    wallet: args.wallet,
    netLimits: readLimits(args),
    drainSeconds: args.drainSeconds,
    reconnectSeconds: args.reconnectSeconds,
    drainTo: args.drainTo,
    chat: args.chat,
  };
}
