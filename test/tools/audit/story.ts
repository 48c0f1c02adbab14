// A small journal in which everything happens once, for the tests of the audit to add to: it ends with drop 2 and packet
// OPEN_PACKET half given away.

import {
  dropClose,
  dropOpen,
  type Entry,
  grab,
  HOUSE,
  JournalMaker,
  noticeDropped,
  packetClose,
  packetOpen,
  reserve,
  sendOpen,
  settle,
  topUp,
  win,
  withdraw,
} from './journal-maker.ts';

export const SHAKE = 2 ** 31;
export const EXPIRED_PACKET = 0x100000;
export const EMPTY_PACKET = 0x100001;
export const OPEN_PACKET = 0x100002;
export const RESERVED_PACKET = 0x100003;

/** The batches of the story, segment by segment. */
export const STORY: Entry[][][] = [
  [
    [dropOpen({ drop: 1, firstNumber: SHAKE - 1 }), topUp(7, 5000, 'a')],
    [win(1, 0, SHAKE + SHAKE - 1, 5, 256), win(1, 2, SHAKE + 1, 5, 236)],
    [sendOpen({ send: 1 }), packetOpen({ packet: EXPIRED_PACKET, send: 1, invited: [5, 6, 7] })],
    [grab(EXPIRED_PACKET, 0, 5, 256), grab(EXPIRED_PACKET, 2, 6, 236)],
  ],
  [
    [
      packetClose(EXPIRED_PACKET, 2, 508),
      packetOpen({ packet: EMPTY_PACKET, sender: 7, source: 1, total: 1000, mode: 2, key: 'b', note: '恭喜发财' }),
    ],
    [grab(EMPTY_PACKET, 1, 6, 333), grab(EMPTY_PACKET, 0, 5, 334), grab(EMPTY_PACKET, 2, 9, 333)],
    [dropClose(1, 2, 508), withdraw(5, 100, 'a'), noticeDropped(7, EXPIRED_PACKET)],
  ],
  [
    [
      packetOpen({ packet: OPEN_PACKET, send: 1, index: 1, invited: [5, 6, 8] }),
      dropOpen({ drop: 2, winsPerUser: 1, firstNumber: 3 }),
      reserve(7, 1000, 4, 'c'),
    ],
    [
      grab(OPEN_PACKET, 1, 5, 508),
      win(2, 1, SHAKE + 4, 6, 508),
      packetOpen({ packet: RESERVED_PACKET, sender: 7, source: 2, reservation: 4, mode: 1, key: 'c' }),
      settle(1, 4),
    ],
    [
      packetClose(RESERVED_PACKET, 0, 1000),
      packetOpen({ packet: EXPIRED_PACKET, sender: HOUSE, shares: 1, total: 50, max: 50 }),
      grab(EXPIRED_PACKET, 0, 5, 50),
    ],
  ],
];

/** What the users have at the end of the story. */
export const STORY_CENTS: [user: number, cents: number][] = [
  [5, 256 + 236 + 256 + 334 - 100 + 508 + 50],
  [6, 236 + 333 + 508],
  [7, 5000 - 1000 + 1000],
  [9, 333],
];

/** What came in less what went out by the end of the story, in the order of the records. */
export const STORY_FUNDING = 1000 + 5000 + 1000 - 508 - 508 - 100 + 1000 + 1000 + 1000 + 50;

/** Writes the story, and then these batches in the last segment. Returns the maker, with the last segment written. */
export function writeStory(directory: string, ...more: Entry[][]): JournalMaker {
  const maker = new JournalMaker(directory);
  for (const [i, batches] of STORY.entries()) {
    if (i > 0) {
      maker.endSegment();
      maker.beginSegment();
    }
    for (const entries of batches) maker.addBatch(entries);
  }
  for (const entries of more) maker.addBatch(entries);
  maker.endSegment();
  return maker;
}
