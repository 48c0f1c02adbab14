// What the experiment does when: the published one, scaled to this machine.
//
// The published experiment: a million users connect; 30,000 shakes a second while 40,000 packets are released at 200 a
// second, then 20,000 packets are sent at 200 a second to 3 users each; the same again at 60,000 shakes a second; then
// everybody stops, and both ends compare what they counted.

/** The numbers of the published experiment. */
export const PUBLISHED = { connections: 1_000_000, drops: 40_000, sends: 20_000, packetsPerSecond: 200, shares: 3 };

/** Cents that a released packet has on average, and a sent one at the least and at the most. */
const DROP_CENTS = 100;
const SEND_CENTS = [100, 600] as const;

/** Seconds at a rate before the packets come, between the two kinds, and after them. */
const LEAD_SECONDS = 2;
const BETWEEN_SECONDS = 2;
const TAIL_SECONDS = 3;

export interface PlanRequest {
  connections: number;
  /** Shakes a second, one phase each. */
  rates: readonly number[];
  /** Share of the published numbers of packets, above 0. */
  scale: number;
}

/** A time at one rate. Times are seconds since the first shake. */
export interface Phase {
  qps: number;
  fromSecond: number;
  untilSecond: number;
  drop: { atSecond: number; count: number; rate: number; budget: number };
  send: { atSecond: number; count: number; rate: number; shares: number; total: readonly [number, number] };
}

export interface ExperimentPlan {
  connections: number;
  phases: Phase[];
  /** How long there are shakes. */
  seconds: number;
}

export function planExperiment({ connections, rates, scale }: PlanRequest): ExperimentPlan {
  const rate = PUBLISHED.packetsPerSecond;
  const drops = Math.max(1, Math.round(PUBLISHED.drops * scale));
  const sends = Math.max(1, Math.round(PUBLISHED.sends * scale));
  const phases: Phase[] = [];
  let second = 0;
  for (const qps of rates) {
    const dropAt = second + LEAD_SECONDS;
    const sendAt = dropAt + Math.ceil(drops / rate) + BETWEEN_SECONDS;
    const untilSecond = sendAt + Math.ceil(sends / rate) + TAIL_SECONDS;
    phases.push({
      qps,
      fromSecond: second,
      untilSecond,
      drop: { atSecond: dropAt, count: drops, rate, budget: drops * DROP_CENTS },
      send: { atSecond: sendAt, count: sends, rate, shares: PUBLISHED.shares, total: SEND_CENTS },
    });
    second = untilSecond;
  }
  return { connections, phases, seconds: second };
}
