// What the control API can ask of a server. A reply that tells of money waits until what it tells is durable.

import type { ControlTarget } from './control/control-server.ts';
import { CampaignError } from './packets/campaign-error.ts';
import type { ServerHistory } from './server-history.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { StatusBoard } from './server-status.ts';
import type { ServerWork } from './server-work.ts';

export interface ControlParts {
  isServing: () => boolean;
  work: ServerWork;
  board: StatusBoard;
  metrics: ServerMetrics;
  history: ServerHistory;
  readNowMs: () => number;
}

export function makeControlTarget({
  isServing,
  work,
  board,
  metrics,
  history,
  readNowMs,
}: ControlParts): ControlTarget {
  /** Waits until everything is durable that main has seen so far. */
  const settled = () => work.journal.whenDurable(work.journal.mark());
  const requireHistory = () => {
    if (history.isKept) return history;
    throw new CampaignError('not_found', 'this server keeps no records: it holds money in memory only');
  };
  return {
    isServing,
    status: () => board.read(),
    metrics: () => metrics.read(),
    createDrop: (body) => work.drops.create(body, readNowMs),
    drop: async (id) => {
      const status = work.drops.status(id);
      await settled();
      return status;
    },
    closeDrop: (id) => work.drops.close(id),
    createSend: (body) => work.sends.create(body, readNowMs),
    send: async (id) => {
      const status = work.sends.status(id);
      await settled();
      return status;
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
