// The shared words by which main tells the acceptors how much they may do, all Int32.
//
// | word | name        | who writes | who reads | how                                                                  |
// |------|-------------|------------|-----------|----------------------------------------------------------------------|
// | 0    | LEVEL       | main       | acceptors | plain on both sides: a read that is a moment late does no harm        |
// | 1    | SHED_SHARE  | main       | acceptors | the same; of SHED_WHOLE shakes so many are answered "none" at level 2 |

/** How much is shed. Each level does what those below it do. */
export const Level = {
  NORMAL: 0,
  /** What is neither shakes nor money waits: records, chat. */
  SIDE: 1,
  /** A share of the shakes is answered "none", and clients are told to shake less often. */
  SHARE: 2,
  /** All shakes are answered OVERLOAD; only grabs and money run. */
  SHAKES: 3,
} as const;
export type Level = (typeof Level)[keyof typeof Level];

export const MOST_LEVEL = Level.SHAKES;

export const LEVEL_WORD = 0;
export const SHED_SHARE_WORD = 1;
const LEVEL_WORDS = 2;

/** The whole of the shakes. */
export const SHED_WHOLE = 65_536;

export function allocateLevels(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * LEVEL_WORDS);
}
