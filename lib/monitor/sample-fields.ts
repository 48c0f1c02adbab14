// What the names in a sample mean. Counts are events (or cents, bytes, microseconds) of the interval; gauges are values at
// its end, or its worst. Names that are not here are taken as they come, and added up.
//
// | count, server                  | meaning                                                                            |
// |--------------------------------|------------------------------------------------------------------------------------|
// | requestsLogin ... Chat         | requests read, by opcode: Login, Shake, Grab, Hello, Ping, Send, Wallet, Records,  |
// |                                | and those of Chat                                                                  |
// | shakesWon, None, Overload      | shakes answered, by result; shakesWonCents: cents won                              |
// | shakesShed, sideShed           | of these, and of records and the like: shed because of the level; slowDowns: told  |
// | shakesLimited                  | of these: of users who shook more often than they may                              |
// | grabsWon, Repeat, Empty, ...   | grabs answered: Won, Repeat, Empty, Expired, NotInvited, NotFound, Busy            |
// | grabsWonCents                  | cents grabbed                                                                      |
// | packetsReleased, releasedCents | shake packets put into the SETs, and the cents in them                             |
// | packetsSent, sentCents         | sent packets opened, and the cents in them                                         |
// | packetsExpired, refundedCents  | sent packets that expired with something left; cents that went back                |
// | noticesSent, noticesDropped    | notices to users                                                                   |
// | chatRequests, Answers, Pushes  | handed to the chat service; answered; told to users; chatDropped: lost to a bound  |
// | chatBusy, Unavailable, Limited | requests for chat that were not tried, had no answer, were over a user's rate      |
// | connectionsAccepted            | connections opened; closed:REASON: ended, by reason                                |
// | bytesReceived, bytesSent       | of user connections                                                                |
// | ringBatches, ringWaitUs        | batches taken from request rings, and how long the first of each had waited        |
// | journalBatches, Records, Bytes | written; journalSyncs, journalSyncUs: syncs, and the time in them                  |
//
// | count, client                  | meaning                                                                            |
// |--------------------------------|------------------------------------------------------------------------------------|
// | sent, answered, skipped        | shakes; skipped: due, and not sent: no connection, due too long ago, asked to wait |
// | won, none, overload, wonCents  | shakes answered, by result; cents won                                              |
// | notices                        | notices received                                                                   |
// | grabsSent, grabsAnswered       | grabs; grabsWon, grabsNothing: by result; grabCents: cents grabbed                 |
// | failedConnects, lostConnections, refusedLogins, unexpected | what went wrong                                        |
//
// | count, both                    | meaning                                                                            |
// |--------------------------------|------------------------------------------------------------------------------------|
// | cpuUs                          | CPU time of the process, system time included                                      |
// | gcPauses, gcUs                 | pauses for garbage collection on threads with an event loop, and the time in them  |
// | nicRxPackets, nicTxPackets, nicRxBytes, nicTxBytes | the machine's network interfaces, as the kernel counts them    |
//
// Gauges are in GAUGES below.

/** How the gauges of several processes become one. */
const GAUGES: Record<string, 'sum' | 'max'> = {
  /** Server: connections open, users logged in, sent packets with shares left. */
  connections: 'sum',
  sessions: 'sum',
  packetsOpen: 'sum',
  /** Server: level of overload, 0 is normal. */
  level: 'max',
  /** Server: the fullest request ring, 0 to 1, and the longest wait in one within the last second or two. */
  ringFill: 'max',
  ringWaitMaxUs: 'max',
  /** Server, since the first record: funded = claimed + refunded + outstanding; difference is what is missing. */
  fundedCents: 'sum',
  claimedCents: 'sum',
  refundedTotalCents: 'sum',
  outstandingCents: 'sum',
  differenceCents: 'sum',
  /** Client: users connected and logged in. */
  connected: 'sum',
  /** Client: shakes a second that it is asked for, over the whole population: every client of one says the same. */
  qps: 'max',
  /** Both: the longest that something due had to wait for an event loop, and the longest pause for garbage collection. */
  loopDelayMaxUs: 'max',
  gcMaxUs: 'max',
  /** Both: resident memory, and the heap of the main thread. */
  rssBytes: 'sum',
  heapBytes: 'sum',
};

/** One gauge of two processes. */
export function mergeGauge(name: string, a: number, b: number): number {
  return GAUGES[name] === 'max' ? Math.max(a, b) : a + b;
}
