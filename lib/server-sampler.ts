// Makes the server's sample of each second from its counters and books, and hands it on: to its own monitor, and to another
// one if it was given an address.
//
// Main thread. It only reads shared counters: the threads that serve do not know of it.

import type { LatencyInterval, LatencyLog } from './monitor/latency-log.ts';
import type { Sample } from './monitor/sample.ts';
import { SampleMaker, type SampleOrigin, type Totals } from './monitor/sample-maker.ts';
import type { LatencyKind } from './net/latency.ts';
import type { ServerCounts, StatusBoard } from './server-status.ts';
import type { ProcessWatch } from './vitals/process-vitals.ts';
import { everySecond } from './vitals/second-timer.ts';

/** When in a second the sample is taken, in milliseconds: the acceptors have told of the last one by then. */
const OFFSET_MS = 60;

export interface SamplerParts {
  origin: SampleOrigin;
  board: StatusBoard;
  latency: LatencyLog<LatencyKind>;
  watch: ProcessWatch;
  onSample: (sample: Sample) => void;
}

export class ServerSampler {
  readonly #parts: SamplerParts;
  readonly #latency: LatencyInterval<LatencyKind>;
  readonly #maker: SampleMaker;
  #stopTimer: () => void = () => {};

  private constructor(parts: SamplerParts, atStart: ServerCounts) {
    this.#parts = parts;
    this.#latency = parts.latency.openInterval();
    this.#maker = new SampleMaker(parts.origin, toTotals(atStart));
  }

  /** Begins to sample. */
  static async start(parts: SamplerParts): Promise<ServerSampler> {
    const sampler = new ServerSampler(parts, await parts.board.readCounts());
    sampler.#stopTimer = everySecond(OFFSET_MS, () => void sampler.#sample(false));
    return sampler;
  }

  /** Takes the last sample. */
  async stop(): Promise<void> {
    this.#stopTimer();
    await this.#sample(true);
    this.#parts.watch.stop();
  }

  async #sample(isLast: boolean): Promise<void> {
    const { board, watch, onSample } = this.#parts;
    const counts = await board.readCounts();
    const vitals = watch.take();
    const totals: Totals = {
      totals: toTotals(counts),
      counts: vitals.counts,
      gauges: { ...toGauges(counts), ...vitals.gauges },
      latency: this.#latency.takeEncoded(),
    };
    onSample(this.#maker.make(totals, isLast));
  }
}

/** Names of sample-fields.ts: the server's counts since its start. */
function toTotals(counts: ServerCounts): Record<string, number> {
  const { connections, requests, shakes, grabs, packets, money, notices, bytes, ring, journal, shed, chat } = counts;
  const totals: Record<string, number> = {
    connectionsAccepted: connections.accepted,
    shakesWon: shakes.won,
    shakesWonCents: shakes.wonCents,
    shakesNone: shakes.none,
    shakesOverload: shakes.overload,
    shakesShed: shed.shakes,
    shakesLimited: shed.limited,
    sideShed: shed.side,
    slowDowns: shed.slowDowns,
    packetsReleased: packets.released,
    releasedCents: packets.releasedCents,
    packetsSent: packets.sent,
    sentCents: packets.sentCents,
    packetsExpired: packets.expired,
    refundedCents: money.refunded,
    noticesSent: notices.sent,
    noticesDropped: notices.dropped,
    chatRequests: chat.requests,
    chatAnswers: chat.answers,
    chatPushes: chat.pushes,
    chatDropped: chat.dropped,
    chatBusy: chat.busy,
    chatUnavailable: chat.unavailable,
    chatLimited: chat.limited,
    bytesReceived: bytes.received,
    bytesSent: bytes.sent,
    ringBatches: ring.batches,
    ringWaitUs: ring.waitUs,
    journalBatches: journal.batches,
    journalRecords: journal.records,
    journalBytes: journal.bytes,
    journalSyncs: journal.syncs,
    journalSyncUs: journal.syncUs,
  };
  for (const [opcode, count] of Object.entries(requests)) totals[`requests${capitalize(opcode)}`] = count;
  for (const [result, count] of Object.entries(grabs)) totals[`grabs${capitalize(result)}`] = count;
  for (const [reason, count] of Object.entries(connections.closed)) totals[`closed:${reason}`] = count;
  return totals;
}

/** How the server stands. */
function toGauges({ connections, sessions, packets, level, ring, money }: ServerCounts): Record<string, number> {
  return {
    connections: connections.open,
    sessions,
    packetsOpen: packets.open,
    level,
    ringFill: ring.fill,
    ringWaitMaxUs: ring.waitMaxUs,
    fundedCents: money.funded,
    claimedCents: money.claimed,
    refundedTotalCents: money.refunded,
    outstandingCents: money.outstanding,
    differenceCents: money.difference,
  };
}

function capitalize(word: string): string {
  return `${word[0].toUpperCase()}${word.slice(1)}`;
}
