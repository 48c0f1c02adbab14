// The monitor: takes samples of many processes, keeps them, writes them into a run log, and tells viewers.
//
// Main thread. What it is handed is judged, never trusted: what it cannot use is counted by reason, and the last reason
// is told in words. Merging a second costs about a millisecond and is done only while somebody looks.

import { decodeLatency } from './latency-coding.ts';
import type { LiveSecond, LiveState } from './live.ts';
import type { MergedSecond, MergedSide } from './merged-second.ts';
import { type Sample, sampleSchema } from './sample.ts';
import { type Refusal, SampleStore } from './sample-store.ts';

/** How long a second is left open for others to join before viewers are told of it, in milliseconds. */
const TELL_MS = 200;

/** What a refused sample lacks, in words. */
const REFUSALS: Record<Refusal, string> = {
  duplicate: 'was here before',
  late: 'is of a second that is closed; is its clock behind?',
  future: 'is of a second that has not come; is its clock ahead?',
  crowded: 'is of one process too many',
};

/** Where the samples go that could be used: a run log, or what hands them on to one. */
interface SampleSink {
  write(line: { type: 'sample'; sample: Sample }): void;
  close(): Promise<void>;
}

export type OnSeconds = (seconds: LiveSecond[]) => void;

export class Monitor {
  readonly #store: SampleStore;
  readonly #sink: SampleSink | undefined;
  readonly #viewers = new Set<OnSeconds>();
  /** Seconds that viewers have not been told of yet. */
  readonly #untold = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  readonly #refused: Record<string, number> = {};
  #lastRefusal: string | undefined;

  constructor(sink?: SampleSink, store = new SampleStore()) {
    this.#sink = sink;
    this.#store = store;
  }

  /** Takes what somebody sent from an address. True if it is a sample that could be used. */
  takeUnknown(value: unknown, address: string): boolean {
    const checked = sampleSchema.safeParse(value);
    if (!checked.success) {
      const [issue] = checked.error.issues;
      this.#refuse('bad', `not a sample: ${issue.path.join('.') || 'value'}: ${issue.message}`);
      return false;
    }
    try {
      for (const encoded of Object.values(checked.data.latency)) decodeLatency(encoded);
    } catch (error) {
      this.#refuse('bad', `a sample of ${checked.data.source} has ${(error as Error).message}`);
      return false;
    }
    return this.take(checked.data, address);
  }

  /** Takes a sample. True if it could be used. @param address where it was sent from, '' for this process */
  take(sample: Sample, address = ''): boolean {
    const refusal = this.#store.add(sample, address);
    if (refusal !== undefined) {
      this.#refuse(refusal, `a sample of ${sample.source} ${REFUSALS[refusal]}`);
      return false;
    }
    this.#sink?.write({ type: 'sample', sample });
    if (this.#viewers.size > 0) this.#tellLater(sample.second);
    return true;
  }

  /** The seconds from one on, in order. */
  since(second: number): LiveSecond[] {
    return this.#store.since(second).map(toLive);
  }

  /** Who is there and who is missing, and what was refused. */
  state(): Pick<LiveState, 'sources' | 'refused' | 'lastRefusal'> {
    const state: ReturnType<Monitor['state']> = { sources: this.#store.sources(), refused: { ...this.#refused } };
    if (this.#lastRefusal !== undefined) state.lastRefusal = this.#lastRefusal;
    return state;
  }

  /** The last sample of each process that is there, and where it came from. */
  present(): { sample: Sample; address: string }[] {
    return this.#store.present();
  }

  /** Tells of each second once it has something, and again when more joins it. Returns how to end it. */
  subscribe(viewer: OnSeconds): () => void {
    this.#viewers.add(viewer);
    return () => this.#viewers.delete(viewer);
  }

  /** Ends the run log, or what stands before it. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#viewers.clear();
    await this.#sink?.close();
  }

  /** Counts something that was no use. @param sentence for whoever looks */
  #refuse(reason: string, sentence: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    this.#lastRefusal = sentence.slice(0, 200);
  }

  #tellLater(second: number): void {
    this.#untold.add(second);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const seconds = [...this.#untold].sort((a, b) => a - b).map((known) => this.#store.second(known));
      this.#untold.clear();
      const live = seconds.filter((merged) => merged !== undefined).map(toLive);
      for (const viewer of this.#viewers) viewer(live);
    }, TELL_MS);
  }
}

function toLive({ second, server, client }: MergedSecond): LiveSecond {
  const live: LiveSecond = { second };
  if (server !== undefined) live.server = withoutCounts(server);
  if (client !== undefined) live.client = withoutCounts(client);
  return live;
}

/** Rates with as many digits as a chart can show. */
function withoutCounts({ counts: _, rates, ...rest }: MergedSide): NonNullable<LiveSecond['server']> {
  const rounded = Object.fromEntries(Object.entries(rates).map(([name, rate]) => [name, Math.round(rate * 100) / 100]));
  return { ...rest, rates: rounded };
}
