// What a load client counts, and how the counts of threads add up.

/** Counts since the start; money in cents. */
export interface LoadTotals {
  /** Connections that are logged in now. */
  connected: number;
  /** Connections that could not be made, or were lost; each is tried again. */
  failedConnects: number;
  lostConnections: number;
  /** Logins that the server refused. */
  refusedLogins: number;
  /** Shakes. skipped: due, and not sent: no connection, due too long ago, too many unanswered, or asked to wait. */
  sent: number;
  answered: number;
  skipped: number;
  won: number;
  none: number;
  overload: number;
  wonCents: number;
  notices: number;
  /** Grabs. */
  grabsSent: number;
  grabsAnswered: number;
  grabsWon: number;
  grabsNothing: number;
  grabCents: number;
  /** Frames that answer nothing that was asked, or answer it a second time. */
  unexpected: number;
}

export function emptyTotals(): LoadTotals {
  return {
    connected: 0,
    failedConnects: 0,
    lostConnections: 0,
    refusedLogins: 0,
    sent: 0,
    answered: 0,
    skipped: 0,
    won: 0,
    none: 0,
    overload: 0,
    wonCents: 0,
    notices: 0,
    grabsSent: 0,
    grabsAnswered: 0,
    grabsWon: 0,
    grabsNothing: 0,
    grabCents: 0,
    unexpected: 0,
  };
}

/** The sum of what the threads counted. */
export function addTotals(parts: readonly LoadTotals[]): LoadTotals {
  const sum = emptyTotals();
  for (const part of parts) {
    for (const name of Object.keys(sum) as (keyof LoadTotals)[]) sum[name] += part[name];
  }
  return sum;
}

/** Requests that have no reply yet. */
export function countUnanswered(totals: LoadTotals): number {
  return totals.sent - totals.answered + totals.grabsSent - totals.grabsAnswered;
}
