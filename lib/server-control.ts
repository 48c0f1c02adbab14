// What the control API can ask of a server. A reply that tells of money waits until what it tells is durable.

import type { ControlTarget } from './control/control-server.ts';
import type { LiveCampaign } from './monitor/live.ts';
import type { Level } from './net/level-words.ts';
import { CampaignError } from './packets/campaign-error.ts';
import type { DropStatus } from './packets/drop-campaigns.ts';
import type { SendStatus } from './packets/send-campaigns.ts';
import type { AddressCounts } from './server-addresses.ts';
import { CampaignLog } from './server-campaign-log.ts';
import type { ServerHistory } from './server-history.ts';
import type { ServerLevels } from './server-levels.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { ServerMonitor } from './server-monitor.ts';
import type { StatusBoard } from './server-status.ts';
import type { ServerWork } from './server-work.ts';
import { SERVER_NAME } from './version.ts';

export interface ControlParts {
  isServing: () => boolean;
  work: ServerWork;
  board: StatusBoard;
  metrics: ServerMetrics;
  history: ServerHistory;
  levels: ServerLevels;
  watch: ServerMonitor;
  /** Where the control API listens. */
  host: string;
  /** What one drop or send may cost at the most; 0 for no bound. */
  maxCampaignCents: number;
  readAddresses: () => Promise<AddressCounts>;
  readNowMs: () => number;
  /** Takes a sentence for the log. */
  onInfo: (sentence: string) => void;
}

/** Drops, and sends, that a list has at the most, and that a live view shows. */
const MOST_LISTED = 1000;
const MOST_SHOWN = 50;

export function makeControlTarget({
  isServing,
  work,
  board,
  metrics,
  history,
  levels,
  watch,
  host,
  maxCampaignCents,
  readAddresses,
  readNowMs,
  onInfo,
}: ControlParts): ControlTarget {
  /** Waits until everything is durable that main has seen so far. */
  const settled = () => work.journal.whenDurable(work.journal.mark());
  const requireHistory = () => {
    if (history.isKept) return history;
    throw new CampaignError('not_found', 'this server keeps no records: it holds money in memory only');
  };
  const log = new CampaignLog(work.drops, work.sends, onInfo);
  /** No campaign may cost more than the server allows: a slip of the hand should not be the year's budget. */
  const checkCap = (cents: number) => {
    if (maxCampaignCents > 0 && cents > maxCampaignCents) {
      throw new CampaignError(
        'bad_request',
        `this can cost ${cents} cents; this server allows ${maxCampaignCents} (--max-campaign-cents)`,
      );
    }
  };
  const refuseWhileHalted = () => {
    if (work.halted !== undefined)
      throw new CampaignError('over', 'the kill switch is on: end it first (DELETE /halt)');
  };
  /** The kill switch may have been put on while a campaign was being made: nothing of it has gone out yet. */
  const takeIntoHalt = () => {
    if (work.halted !== undefined) work.halt();
  };
  /** What was done to a campaign. */
  const held = async <T extends { id: number }>(kind: 'drop' | 'send', what: string, status: T): Promise<T> => {
    log.changed(kind, status.id, what);
    return status;
  };
  return {
    monitor: watch.monitor,
    hello: { program: SERVER_NAME, server: watch.source },
    host,
    isServing,
    status: () => board.read(),
    metrics: () => metrics.read(),
    campaigns: async () => {
      const { money } = await board.readCounts();
      return {
        money,
        drops: work.drops.list(MOST_SHOWN).map(showDrop),
        sends: work.sends.list(MOST_SHOWN).map(showSend),
      };
    },
    addresses: readAddresses,
    level: async () => levels.status(),
    forceLevel: async ({ level }) => {
      levels.force(level as Level);
      return levels.status();
    },
    releaseLevel: async () => {
      levels.force(undefined);
      return levels.status();
    },
    createDrop: async ({ startAt, dryRun, ...body }) => {
      const spec = { ...body, startMs: startAt };
      if (dryRun) return work.drops.plan(spec, readNowMs());
      checkCap(body.budget);
      refuseWhileHalted();
      const drop = await work.drops.create(spec, readNowMs);
      log.dropStarted(drop);
      takeIntoHalt();
      return work.drops.status(drop.id);
    },
    drop: async (id) => {
      const status = work.drops.status(id);
      await settled();
      return status;
    },
    drops: async () => {
      const drops = work.drops.list(MOST_LISTED);
      await settled();
      return { drops };
    },
    pauseDrop: async (id) => held('drop', 'is paused', work.drops.pause(id)),
    resumeDrop: async (id) => held('drop', 'goes on', work.drops.resume(id, readNowMs())),
    closeDrop: (id) => work.drops.close(id),
    createSend: async ({ startAt, dryRun, ...body }) => {
      const spec = { ...body, startMs: startAt };
      const plan = work.sends.plan(spec, readNowMs());
      if (dryRun) return plan;
      checkCap(plan.costCents.most);
      refuseWhileHalted();
      const send = await work.sends.create(spec, readNowMs);
      log.sendStarted(send);
      takeIntoHalt();
      return work.sends.status(send.id);
    },
    send: async (id) => {
      const status = work.sends.status(id);
      await settled();
      return status;
    },
    sendPackets: async (id) => {
      const packets = work.sends.openPackets(id, MOST_LISTED);
      await settled();
      return { packets };
    },
    sends: async () => {
      const sends = work.sends.list(MOST_LISTED);
      await settled();
      return { sends };
    },
    pauseSend: async (id) => held('send', 'is paused', work.sends.pause(id)),
    resumeSend: async (id) => held('send', 'goes on', work.sends.resume(id, readNowMs())),
    closeSend: async (id) => held('send', 'is closed: it creates no more', work.sends.close(id)),
    halted: async () => ({ isOn: work.halted !== undefined, ...(work.halted ?? {}) }),
    halt: async () => {
      const halt = work.halt();
      onInfo(`the kill switch is on: ${halt.drops.length} drops and ${halt.sends.length} sends are paused`);
      return { isOn: true, ...halt };
    },
    endHalt: async () => {
      const resumed = work.endHalt();
      onInfo(`the kill switch is off: ${resumed.drops.length} drops and ${resumed.sends.length} sends go on`);
      return { isOn: false, ...resumed };
    },
    packet: async (id) => {
      const view = work.packets.view(id);
      await settled();
      if (view !== undefined) return view;
      // Long over: the slot has another packet, but the journal remembers.
      const packet = history.isKept ? await history.packet(id) : undefined;
      if (packet === undefined) throw new CampaignError('not_found', `there is no packet ${id}`);
      return { id, ...packet };
    },
    packetRecords: async (id) => {
      const packet = await requireHistory().packet(id);
      if (packet === undefined) throw new CampaignError('not_found', `there is no packet ${id}`);
      return packet;
    },
    user: (id, { limit, before }) => requireHistory().user(id, limit, before),
    topUp: (id, { cents, key }) => work.transfers.topUp(id, cents, key),
    withdraw: (id, { cents, key }) => work.transfers.withdraw(id, cents, key),
    ledger: () => requireHistory().ledger(),
  };
}

function showDrop(drop: DropStatus): LiveCampaign {
  const { id, count, rate, released, claimed, budget, claimedCents, refundedCents, state, isPaused } = drop;
  return { id, count, rate, released, claimed, totalCents: budget, claimedCents, refundedCents, state, isPaused };
}

function showSend(send: SendStatus): LiveCampaign {
  const { created, grabbedShares, ...rest } = send;
  return { ...rest, released: created, claimed: grabbedShares };
}
