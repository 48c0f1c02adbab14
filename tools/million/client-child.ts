// One of the load clients of a run: a load engine in the main thread, which spares the memory of a second one. Does what its
// parent says over the IPC channel, and ends with it.

import { probeLinks } from '../../clients/load/handle-links.ts';
import { LoadEngine } from '../../clients/load/load-engine.ts';
import { countUsers, type LoadOptions } from '../../clients/load/load-options.ts';
import type { FromClient, ToClient } from './child-messages.ts';

/** How often the counts are reported, in milliseconds. */
const REPORT_MS = 500;

/** How often it is looked whether everybody is connected, in milliseconds: the next client waits for it. */
const CONNECTED_MS = 50;

let engine: LoadEngine | undefined;
let reports: NodeJS.Timeout | undefined;
let hasStopped = false;

const say = (message: FromClient): Promise<void> => new Promise((resolve) => process.send!(message, () => resolve()));

function report(): void {
  const { totals, lastHeardMs, lastAnswerMs } = engine!;
  void say({ kind: 'report', totals, hasStopped, quietMs: Date.now() - lastHeardMs, lastAnswerMs });
}

async function connect(options: LoadOptions): Promise<void> {
  engine = new LoadEngine(options, options.users, { links: await probeLinks() });
  reports = setInterval(report, REPORT_MS);
  const watch = setInterval(() => {
    if (engine!.totals.connected < countUsers(options.users)) return;
    clearInterval(watch);
    report();
  }, CONNECTED_MS);
  engine.connectAll();
}

function shake(fromMs: number, untilMs: number, offsetMs: number): void {
  const waitMs = fromMs + offsetMs - Date.now();
  // Without a timer when it is late: the stop may be right behind.
  if (waitMs <= 0) engine!.startShaking(fromMs, untilMs);
  else setTimeout(() => engine!.startShaking(fromMs, untilMs), waitMs);
}

async function end(): Promise<void> {
  clearInterval(reports);
  if (engine !== undefined) {
    engine.end();
    await say({ kind: 'ended', latency: engine.takeLatency() });
  }
  process.exit(0);
}

process.on('message', (message: ToClient) => {
  if (message.kind === 'connect') {
    void connect(message.options);
  } else if (message.kind === 'shake') {
    shake(message.fromMs, message.untilMs, message.offsetMs);
  } else if (message.kind === 'stop') {
    engine!.stopShaking();
    hasStopped = true;
    report();
  } else {
    void end();
  }
});

// Ctrl-C reaches everybody on the terminal; when a run ends is up to the parent.
process.on('SIGINT', () => {});
process.once('disconnect', () => process.exit(1));
void say({ kind: 'ready' });
