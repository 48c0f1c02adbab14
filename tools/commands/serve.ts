// `hongbao serve`: runs a server until it is told to stop, and prints latency histograms on stdout meanwhile.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../../lib/ring/wait-strategy.ts';
import type { Server } from '../../lib/server.ts';
import { ServerError } from '../../lib/server-error.ts';
import { DEFAULT_SERVER_OPTIONS as DEFAULTS, DURABILITIES, TRANSPORTS } from '../../lib/server-options.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  host: { type: 'string', default: DEFAULTS.host, describe: 'address where clients connect' },
  port: { type: 'number', default: DEFAULTS.port, describe: 'TCP port where clients connect; 0 picks a free one' },
  'control-host': { type: 'string', default: DEFAULTS.controlHost, describe: 'address of the HTTP control API' },
  'control-port': { type: 'number', default: DEFAULTS.controlPort, describe: 'port of the HTTP control API' },
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
  'losing-shake': {
    choices: ['acceptor', 'worker'] as const,
    default: DEFAULTS.losingShake,
    describe: 'who answers a shake that cannot win',
  },
  transport: {
    choices: TRANSPORTS,
    default: DEFAULTS.transport,
    describe: "what connections are: Node's bare handles, where they work, or its public sockets, which cost more",
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
  wallet: {
    type: 'string',
    default: DEFAULTS.wallet,
    describe: 'module of a payment system that the sends of users are paid from',
    defaultDescription: 'their balances here',
  },
  'report-seconds': {
    type: 'number',
    default: 10,
    describe: 'how often latency histograms are printed on stdout; 0 means never',
  },
  'log-level': {
    choices: ['debug', 'info', 'warn', 'error', 'silent'] as const,
    default: 'info',
    describe: 'what is logged on stderr',
  },
  'log-pretty': {
    type: 'boolean',
    default: process.stderr.isTTY === true,
    describe: 'log lines for people instead of JSON; so by itself on a terminal',
  },
} as const;

/** A second signal this soon is the first one once more: a terminal tells us and whoever started us, who passes it on. */
const SAME_SIGNAL_MS = 500;

/** How long a server that has failed may take to end, in milliseconds. */
const FAILED_MS = 5000;

type ServeArguments = InferredOptionTypes<typeof options>;
type Parsed = ArgumentsCamelCase<ServeArguments>;

export const serveCommand: CommandModule<object, ServeArguments> = {
  command: 'serve',
  describe: 'run a server; Ctrl-C stops it in good order',
  builder: (yargs) => yargs.options(options).example('$0 serve --port 1025 --workers 2', 'two threads of SETs'),
  handler: serve,
};

async function serve(args: Parsed): Promise<void> {
  // Loaded only when it serves: --help and mistakes answer at once.
  const { startServer } = await import('../../lib/server.ts');
  const { formatInterval } = await import('../../lib/monitor/interval-report.ts');
  const { openLog } = await import('../log.ts');
  const log = openLog(args.logLevel, args.logPretty);
  let server: Server;
  try {
    server = await startServer(toServerOptions(args), {
      onError: (error) => log.error({ err: error }, error.message),
      onInfo: (sentence) => log.info(sentence),
    });
  } catch (error) {
    if (error instanceof ServerError) throw new UsageError(error.message);
    throw error;
  }
  const { sets, acceptors, workers, maxConnections } = server.options;
  log.info(
    { port: server.port, controlPort: server.controlPort, sets, acceptors, workers, maxConnections },
    `serving on ${args.host}:${server.port}, control API at http://${args.controlHost}:${server.controlPort}`,
  );
  if (args.durability === 'memory') {
    log.warn('money is kept in memory only: it does not survive the end of this process');
  }

  const printInterval = () => {
    const lines = formatInterval(new Date(), server.takeInterval(), server.latency.takeInterval());
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  };
  const report = args.reportSeconds > 0 ? setInterval(printInterval, args.reportSeconds * 1000) : undefined;
  server.failed.then(async (error) => {
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
    await server.stop();
    if (args.reportSeconds > 0) printInterval();
    log.info('stopped');
    process.exit(0);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

function toServerOptions(args: Parsed) {
  return {
    host: args.host,
    port: args.port,
    controlHost: args.controlHost,
    controlPort: args.controlPort,
    sets: args.sets,
    acceptors: args.acceptors,
    workers: args.workers,
    maxConnections: args.maxConnections,
    packetSlots: args.packetSlots,
    maxShares: args.maxShares,
    losingShake: args.losingShake,
    transport: args.transport,
    waitStrategy: args.wait,
    data: args.data,
    durability: args.durability,
    keepSegments: args.keepSegments,
    segmentBytes: args.segmentBytes,
    wallet: args.wallet,
  };
}
