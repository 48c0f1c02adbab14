// Where the stock of the SETs lies in shared memory. All cells are Int32 words; a SET is one row of each column.
//
// | cell              | who writes                   | who reads                      | how                              |
// |-------------------|------------------------------|--------------------------------|----------------------------------|
// | released[set]     | main (generator)             | acceptors, main                | atomic add; wraps                |
// | taken[set]        | the SET's worker, and main   | acceptors, main                | atomic add; wraps                |
// | sessions[set]     | the SET's worker             | main                           | plain, one writer                |
//
// `taken` has two writers: the worker adds one for a packet that was won, main for packets that it took back. Both only
// add, so the order does not matter. released and taken of a SET are neighbours: an acceptor that compares them reads
// one cache line.

/** Words of a SET's row: released, taken. */
export const STOCK_ROW_WORDS = 2;
export const RELEASED_WORD = 0;
export const TAKEN_WORD = 1;
