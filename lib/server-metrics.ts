// What GET /metrics says: the status in the names and units of Prometheus, and Node's own metrics of the main thread.
//
// Nothing is counted here: each scrape reads the shared counters and the books, as GET /status does. Money is in cents, for
// a metric is a double and a cent must not be lost; times are in seconds.

import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import type { LatencyLog } from './monitor/latency-log.ts';
import { CLOSE_REASONS } from './net/close-reasons.ts';
import { LATENCY_KINDS, type LatencyKind } from './net/latency.ts';
import type { ServerStatus, StatusBoard } from './server-status.ts';

/** Upper bounds of the latency buckets, in microseconds: 0.1 ms to 10 s. */
const BOUNDS_US = [
  100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
  10_000_000,
];

/** One value, or values by a label. */
type Values = number | Record<string, number | undefined>;

interface Definition {
  name: string;
  help: string;
  /** The label of values that are told apart by one. */
  label?: string;
  read: (status: ServerStatus) => Values;
}

/** What only grows while the process lives. */
const COUNTERS: readonly Definition[] = [
  { name: 'hongbao_requests_total', help: 'Requests read, by opcode.', label: 'opcode', read: (s) => s.requests },
  {
    name: 'hongbao_shakes_total',
    help: 'Shakes answered, by result.',
    label: 'result',
    read: ({ shakes: { won, none, overload } }) => ({ won, none, overload }),
  },
  {
    name: 'hongbao_shed_total',
    help: 'Shed because of the level, or over the limit of a user (limited), by what; and sessions asked to slow down.',
    label: 'what',
    read: ({ shed: { shakes, limited, side, slowDowns } }) => ({ shakes, limited, side, slow_downs: slowDowns }),
  },
  { name: 'hongbao_shakes_won_cents_total', help: 'Cents won by shaking.', read: (s) => s.shakes.wonCents },
  {
    name: 'hongbao_grabs_total',
    help: 'Grabs answered, by result.',
    label: 'result',
    read: ({ grabs: { wonCents: _, notInvited, notFound, ...rest } }) => ({
      ...rest,
      not_invited: notInvited,
      not_found: notFound,
    }),
  },
  { name: 'hongbao_grabs_won_cents_total', help: 'Cents grabbed.', read: (s) => s.grabs.wonCents },
  {
    name: 'hongbao_notices_total',
    help: 'Notices to users, sent or dropped because too many waited.',
    label: 'fate',
    read: (s) => ({ ...s.notices }),
  },
  {
    name: 'hongbao_packets_released_total',
    help: 'Packets of drops put into the SETs.',
    read: (s) => s.packets.released,
  },
  { name: 'hongbao_packets_sent_total', help: 'Packets sent to users.', read: (s) => s.packets.sent },
  {
    name: 'hongbao_packets_expired_total',
    help: 'Packets that expired with something left.',
    read: (s) => s.packets.expired,
  },
  { name: 'hongbao_connections_accepted_total', help: 'Connections accepted.', read: (s) => s.connections.accepted },
  {
    name: 'hongbao_connections_closed_total',
    help: 'Connections closed, by reason.',
    label: 'reason',
    // All reasons from the start: a rate needs to have seen a 0 before the first 1.
    read: (s) => Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, s.connections.closed[reason]])),
  },
  {
    name: 'hongbao_bytes_total',
    help: 'Bytes of user connections, by direction.',
    label: 'direction',
    read: (s) => ({ ...s.bytes }),
  },
  {
    name: 'hongbao_chat_total',
    help: 'Chat: requests handed to the service, answers and pushes sent, frames dropped, and requests that were not served.',
    label: 'event',
    read: ({ chat: { queued: _, restarts, ...rest } }) => ({ ...rest, restarts }),
  },
  { name: 'hongbao_ring_batches_total', help: 'Batches taken from request rings.', read: (s) => s.ring.batches },
  {
    name: 'hongbao_ring_wait_seconds_total',
    help: 'How long the first request of each batch had waited, added up.',
    read: (s) => s.ring.waitUs / 1e6,
  },
  { name: 'hongbao_journal_records_total', help: 'Journal records written.', read: (s) => s.journal.records },
  { name: 'hongbao_journal_batches_total', help: 'Journal batches written.', read: (s) => s.journal.batches },
  { name: 'hongbao_journal_bytes_total', help: 'Bytes of journal written.', read: (s) => s.journal.bytes },
  { name: 'hongbao_journal_syncs_total', help: 'Journal syncs.', read: (s) => s.journal.syncs },
  {
    name: 'hongbao_journal_sync_seconds_total',
    help: 'Time spent in journal syncs.',
    read: (s) => s.journal.syncUs / 1e6,
  },
];

/** What goes up and down, or was there before the process. */
const GAUGES: readonly Definition[] = [
  { name: 'hongbao_connections', help: 'Connections open.', read: (s) => s.connections.open },
  { name: 'hongbao_sessions', help: 'Users logged in.', read: (s) => s.sessions },
  { name: 'hongbao_chat_queued', help: 'Frames of chat that wait for their users.', read: (s) => s.chat.queued },
  { name: 'hongbao_packets_open', help: 'Sent packets with shares to grab.', read: (s) => s.packets.open },
  {
    name: 'hongbao_ring_wait_worst_seconds',
    help: 'The longest wait in a request ring within the last second or two.',
    read: (s) => s.ring.waitMaxUs / 1e6,
  },
  { name: 'hongbao_ring_fill', help: 'How full the fullest request ring is, 0 to 1.', read: (s) => s.ring.fill },
  { name: 'hongbao_level', help: 'Level of overload, 0 is normal.', read: (s) => s.level },
  {
    name: 'hongbao_money_cents',
    help: 'Cents since the first record: funded = claimed + refunded + outstanding, and what is missing (difference).',
    label: 'account',
    read: (s) => ({ ...s.money }),
  },
];

/** Main thread. */
export class ServerMetrics {
  readonly #board: StatusBoard;
  readonly #registry = new Registry();
  #isObservingNode = false;
  readonly #counters: readonly { metric: Counter; definition: Definition }[];
  readonly #gauges: readonly { metric: Gauge; definition: Definition }[];

  constructor(board: StatusBoard, latency: LatencyLog<LatencyKind>) {
    this.#board = board;
    const registers = [this.#registry];
    const optionsOf = ({ name, help, label }: Definition) => ({
      name,
      help,
      registers,
      labelNames: label === undefined ? [] : [label],
    });
    this.#counters = COUNTERS.map((definition) => ({ definition, metric: new Counter(optionsOf(definition)) }));
    this.#gauges = GAUGES.map((definition) => ({ definition, metric: new Gauge(optionsOf(definition)) }));
    this.#registry.registerMetric(latencyMetric(latency));
  }

  /** The metrics as text. */
  async read(): Promise<string> {
    this.#observeNode();
    const status = await this.#board.read();
    for (const { metric, definition } of this.#counters) {
      metric.reset();
      setValues(definition, status, (labels, value) => metric.inc(labels, value));
    }
    for (const { metric, definition } of this.#gauges) {
      setValues(definition, status, (labels, value) => metric.set(labels, value));
    }
    return this.#registry.metrics();
  }

  /** Begins with Node's metrics at the first scrape: watching the event loop wakes the thread, also when nobody asks. */
  #observeNode(): void {
    if (this.#isObservingNode) return;
    this.#isObservingNode = true;
    collectDefaultMetrics({ register: this.#registry });
  }
}

function setValues(
  { label, read }: Definition,
  status: ServerStatus,
  set: (labels: Record<string, string>, value: number) => void,
): void {
  const values = read(status);
  if (typeof values === 'number') set({}, values);
  else for (const [name, value] of Object.entries(values)) set({ [label!]: name }, value ?? 0);
}

/** A histogram that the threads have counted already: prom-client's own would count each request once more. */
function latencyMetric(latency: LatencyLog<LatencyKind>): Metric {
  const name = 'hongbao_request_seconds';
  const get = async () => ({
    name,
    help: 'Time in the server, from the read that brought a request to the write that answers it.',
    type: 'histogram',
    aggregator: 'sum',
    values: LATENCY_KINDS.flatMap((request) => {
      const { cumulative, count, sumUs } = latency.countTotal(request, BOUNDS_US);
      const bucket = (le: number | string, value: number) => ({
        metricName: `${name}_bucket`,
        labels: { le, request },
        value,
      });
      return [
        ...BOUNDS_US.map((us, i) => bucket(us / 1e6, cumulative[i])),
        bucket('+Inf', count),
        { metricName: `${name}_sum`, labels: { request }, value: sumUs / 1e6 },
        { metricName: `${name}_count`, labels: { request }, value: count },
      ];
    }),
  });
  return { name, get } as unknown as Metric;
}
