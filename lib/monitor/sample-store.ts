// Keeps an hour of seconds, put together from the samples of all processes, late ones too; and knows who is missing.
//
// The samples of the last two minutes are kept as they came, so that a late one still joins its second; older seconds are
// kept merged, so that memory is bounded whoever sends how much. Nothing here trusts a clock of a sender, or our own.

import type { LiveSource } from './live.ts';
import { type MergedSecond, mergeSecond } from './merged-second.ts';
import type { Sample } from './sample.ts';

/** Why a sample is not taken. */
export type Refusal = 'duplicate' | 'late' | 'future' | 'crowded';

/** How long seconds are kept, and how long samples may still join one. */
export const KEPT_SECONDS = 3600;
export const OPEN_SECONDS = 120;

/** A sample may be so far ahead of our clock, in seconds. */
const AHEAD_SECONDS = 5;

/** Processes at once; a million connections take about a hundred. */
const MOST_SOURCES = 512;

/** Samples of one second: two of each process, for clocks that are set back. Merging a second takes as long as there are. */
const MOST_SAMPLES = 1024;

/** A source is missing when nothing has come from it for so long, and is forgotten after so long, in milliseconds. */
const MISSING_MS = 3500;
const FORGOTTEN_MS = 600_000;

/** Sequences of a source that are remembered to tell a sample that comes twice. */
const REMEMBERED = 256;

interface Source {
  sample: Sample;
  /** Where it sends from; '' for this process. */
  address: string;
  heardMs: number;
  hasEnded: boolean;
  received: number;
  firstSequence: number;
  highest: number;
  recent: Set<number>;
}

export class SampleStore {
  readonly #wallMs: () => number;
  readonly #nowMs: () => number;
  readonly #open = new Map<number, Sample[]>();
  readonly #merged = new Map<number, MergedSecond>();
  readonly #sources = new Map<string, Source>();

  /** @param wallMs Unix milliseconds @param nowMs a clock that never steps */
  constructor(wallMs: () => number = () => Date.now(), nowMs: () => number = () => performance.now()) {
    this.#wallMs = wallMs;
    this.#nowMs = nowMs;
  }

  /** Takes a sample in; or says why not. @param address where it was sent from, '' for this process */
  add(sample: Sample, address = ''): Refusal | undefined {
    const nowSecond = Math.floor(this.#wallMs() / 1000);
    if (sample.second > nowSecond + AHEAD_SECONDS) return 'future';
    if (sample.second <= nowSecond - OPEN_SECONDS || this.#merged.has(sample.second)) return 'late';
    const same = this.#open.get(sample.second);
    if (same !== undefined && same.length >= MOST_SAMPLES) return 'crowded';
    const refusal = this.#countSource(sample, address);
    if (refusal !== undefined) return refusal;
    if (same === undefined) {
      this.#open.set(sample.second, [sample]);
      this.#close(nowSecond);
    } else {
      same.push(sample);
    }
    return undefined;
  }

  /** One second, if anything was told of it. */
  second(second: number): MergedSecond | undefined {
    const open = this.#open.get(second);
    return open === undefined ? this.#merged.get(second) : mergeSecond(second, open);
  }

  /** The seconds from one on, in order. */
  since(second: number): MergedSecond[] {
    return [...this.#merged.keys(), ...this.#open.keys()]
      .filter((known) => known >= second)
      .sort((a, b) => a - b)
      .map((known) => this.second(known)!);
  }

  /** Every process that has sent, servers first, then by name. */
  sources(): LiveSource[] {
    const nowMs = this.#nowMs();
    return [...this.#sources.values()]
      .map(({ sample, heardMs, hasEnded, received, firstSequence, highest }): LiveSource => {
        const { source, role, second, gauges, controlPort } = sample;
        const source_: LiveSource = {
          source,
          role,
          state: hasEnded ? 'ended' : nowMs - heardMs > MISSING_MS ? 'missing' : 'here',
          lastSecond: second,
          lost: highest - firstSequence + 1 - received,
        };
        if (controlPort !== undefined && gauges.qps !== undefined) source_.qps = gauges.qps;
        return source_;
      })
      .sort((a, b) => b.role.localeCompare(a.role) || a.source.localeCompare(b.source));
  }

  /** The last sample of each process that is there, and where it came from. */
  present(): { sample: Sample; address: string }[] {
    const nowMs = this.#nowMs();
    return [...this.#sources.values()]
      .filter(({ heardMs, hasEnded }) => !hasEnded && nowMs - heardMs <= MISSING_MS)
      .map(({ sample, address }) => ({ sample, address }));
  }

  #countSource(sample: Sample, address: string): Refusal | undefined {
    const key = `${sample.source}/${sample.run}`;
    const nowMs = this.#nowMs();
    let source = this.#sources.get(key);
    if (source === undefined) {
      this.#forgetSources(sample, nowMs);
      if (this.#sources.size >= MOST_SOURCES) return 'crowded';
      const { sequence } = sample;
      source = {
        sample,
        address,
        heardMs: nowMs,
        hasEnded: false,
        received: 0,
        firstSequence: sequence,
        highest: sequence,
        recent: new Set(),
      };
      this.#sources.set(key, source);
    } else if (source.recent.has(sample.sequence) || sample.sequence <= source.highest - REMEMBERED) {
      return 'duplicate';
    }
    source.recent.add(sample.sequence);
    source.received++;
    source.heardMs = nowMs;
    source.firstSequence = Math.min(source.firstSequence, sample.sequence);
    if (sample.sequence >= source.highest) {
      source.highest = sample.sequence;
      source.sample = sample;
      source.hasEnded = sample.isLast === true;
    }
    for (const old of source.recent) {
      if (source.recent.size <= REMEMBERED) break;
      source.recent.delete(old);
    }
    return undefined;
  }

  /** Lets go of processes that are long gone, and of earlier runs of the one that sends now. */
  #forgetSources({ source, run }: Sample, nowMs: number): void {
    for (const [key, known] of this.#sources) {
      const isGone = known.hasEnded || nowMs - known.heardMs > MISSING_MS;
      const isEarlierRun = known.sample.source === source && known.sample.run !== run;
      if (nowMs - known.heardMs > FORGOTTEN_MS || (isGone && isEarlierRun)) this.#sources.delete(key);
    }
  }

  /** Merges for good what is too old to be joined, and forgets what is too old to be kept. */
  #close(nowSecond: number): void {
    for (const [second, samples] of this.#open) {
      if (second > nowSecond - OPEN_SECONDS) continue;
      this.#open.delete(second);
      this.#merged.set(second, mergeSecond(second, samples));
    }
    for (const second of this.#merged.keys()) {
      if (second <= nowSecond - KEPT_SECONDS) this.#merged.delete(second);
    }
  }
}
