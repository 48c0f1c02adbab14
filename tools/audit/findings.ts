// What an audit finds: one line each, with the place where it is. All are counted, the first hundred are kept.

/** Findings that are kept and printed; more of them say no more. */
export const MOST_FINDINGS = 100;

/** Where in the journal something is: as much of it as is known. */
export interface Place {
  segment?: number;
  batch?: number | undefined;
  sequence?: number | undefined;
  /** Instead of the three: the file beside the journal. */
  file?: string;
}

export interface Finding extends Place {
  text: string;
}

export class FindingList {
  readonly kept: Finding[] = [];
  count = 0;

  add(place: Place, text: string): void {
    this.count++;
    if (this.kept.length < MOST_FINDINGS) this.kept.push({ ...place, text });
  }

  /** Adds what another list kept, and counts what it counted. */
  addAll(other: { kept: readonly Finding[]; count: number }): void {
    this.count += other.count;
    this.kept.push(...other.kept.slice(0, MOST_FINDINGS - this.kept.length));
  }
}

/** A finding as one line. */
export function formatFinding({ file, segment, batch, sequence, text }: Finding): string {
  const place = [
    file,
    segment === undefined ? undefined : `segment ${segment}`,
    batch === undefined ? undefined : `batch ${batch}`,
    sequence === undefined ? undefined : `record ${sequence}`,
  ].filter((part) => part !== undefined);
  return `${place.join(', ')}: ${text}`;
}
