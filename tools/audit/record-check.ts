// Judges one record by itself: known type, right length, whole texts, numbers within their bounds, a split that can be made.
//
// What a record means together with the others is for the books.

import { isUtf8 } from 'node:buffer';
import {
  DROP_CLOSE,
  DROP_OPEN,
  GRAB,
  HOUSE,
  MOST_USER,
  NOTICE_DROPPED,
  PACKET_CLOSE,
  PACKET_OPEN,
  PACKET_OPEN_INVITED_WORD,
  RECORD_NAMES,
  RESERVE,
  readU64,
  SEND_OPEN,
  SETTLE,
  SPLIT_MODES,
  TOPUP,
  WIN,
  WITHDRAW,
} from './journal-format.ts';
import { judgeTerms, type SplitTerms } from './split-check.ts';

/** Shares of one split at the most, 256 MB of amounts: more is taken for damage before memory is asked for it. */
const MOST_SHARES = 2 ** 26;

/** Amounts of shares, and totals of packets, are 31 bits. */
const MOST_SHARE_CENTS = 0x7fff_ffff;

/** Payload words of the types that have no text or list. */
const FIXED_WORDS: Readonly<Record<number, number>> = {
  [DROP_OPEN]: 20,
  [WIN]: 5,
  [DROP_CLOSE]: 4,
  [SEND_OPEN]: 22,
  [GRAB]: 4,
  [PACKET_CLOSE]: 3,
  [NOTICE_DROPPED]: 2,
  [SETTLE]: 4,
};
const KEY_WORD = 4;

/** What is wrong with a record, or undefined. @param at where its payload begins  @param words of the payload */
export function checkRecord(view: DataView, type: number, at: number, words: number): string | undefined {
  const fixed = FIXED_WORDS[type];
  if (fixed !== undefined) {
    if (words !== fixed) return `a ${RECORD_NAMES[type]} has ${fixed} words of payload, this one ${words}`;
    return checkFixed(view, type, at);
  }
  if (type === PACKET_OPEN) return checkPacketOpen(view, at, words);
  if (type === TOPUP || type === WITHDRAW || type === RESERVE) return checkKeyed(view, type, at, words);
  return `there is no record type ${type}`;
}

/** What the split of a DROP_OPEN is made from. @param at where its payload begins */
export function readDropTerms(view: DataView, at: number): SplitTerms {
  return {
    mode: 'lucky',
    totalCents: readU64(view, at + 32),
    shares: word(view, at, 1),
    minCents: word(view, at, 3),
    maxCents: word(view, at, 4),
  };
}

/** What the split of a PACKET_OPEN is made from. @param at where its payload begins */
export function readPacketTerms(view: DataView, at: number): SplitTerms {
  return {
    mode: SPLIT_MODES[word(view, at, 6)],
    totalCents: word(view, at, 4),
    shares: word(view, at, 5),
    minCents: word(view, at, 7),
    maxCents: word(view, at, 8),
  };
}

function checkFixed(view: DataView, type: number, at: number): string | undefined {
  switch (type) {
    case WIN:
      return checkUser(word(view, at, 3));
    case GRAB:
      return checkUser(word(view, at, 2));
    case NOTICE_DROPPED:
      return checkUser(word(view, at, 0));
    case DROP_OPEN:
      return checkU64(view, at, 8) ?? checkU64(view, at, 10) ?? checkTerms(readDropTerms(view, at));
    case DROP_CLOSE:
      return checkU64(view, at, 2);
    case SEND_OPEN:
      return checkSendOpen(view, at);
    case SETTLE:
      return checkSettle(view, at);
    default:
      return undefined;
  }
}

function checkSendOpen(view: DataView, at: number): string | undefined {
  const [mode, low, high] = [word(view, at, 3), word(view, at, 7), word(view, at, 8)];
  if (mode >= SPLIT_MODES.length) return `there is no split mode ${mode}`;
  if (low > high) return `its totals go from ${low} to ${high} cents`;
  return checkZero(view, at, 9) ?? checkU64(view, at, 12);
}

function checkSettle(view: DataView, at: number): string | undefined {
  const outcome = word(view, at, 0);
  if (outcome !== 1 && outcome !== 2) return `there is no outcome ${outcome} of a reservation`;
  return checkZero(view, at, 1) ?? checkU64(view, at, 2);
}

function checkPacketOpen(view: DataView, at: number, words: number): string | undefined {
  const lists = PACKET_OPEN_INVITED_WORD + 1;
  const invited = words < lists ? 0 : word(view, at, PACKET_OPEN_INVITED_WORD);
  if (words < lists + invited + 2) return `${words} words of payload are too few for a PACKET_OPEN`;
  const [packet, sender, mode, source] = [word(view, at, 0), word(view, at, 3), word(view, at, 6), word(view, at, 11)];
  if (packet > MOST_USER) return `the packet id ${packet} is one of packets won by shaking`;
  if (mode >= SPLIT_MODES.length) return `there is no split mode ${mode}`;
  if (source > 2) return `there is no source ${source} of a packet's money`;
  if (source > 0 && sender === HOUSE) return 'the house has neither a balance nor a reservation to send from';
  if (sender !== HOUSE && sender > MOST_USER) return `there is no user ${sender}`;
  for (let i = 0; i < invited; i++) {
    const wrong = checkUser(word(view, at, lists + i));
    if (wrong !== undefined) return wrong;
  }
  if (word(view, at, 4) > MOST_SHARE_CENTS) return `a total of ${word(view, at, 4)} cents is more than can be`;
  const wrong = checkTerms(readPacketTerms(view, at)) ?? checkU64(view, at, 12);
  if (wrong !== undefined) return wrong;
  const key = readText(view, at, lists + invited, words - 1);
  if (typeof key === 'string') return key;
  const note = readText(view, at, key, words);
  if (typeof note === 'string') return note;
  return note === words ? undefined : `${words - note} words follow its note`;
}

function checkKeyed(view: DataView, type: number, at: number, words: number): string | undefined {
  if (words <= KEY_WORD) return `${words} words of payload are too few for a ${RECORD_NAMES[type]}`;
  const zero = type === RESERVE ? undefined : checkZero(view, at, 1);
  const wrong = checkUser(word(view, at, 0)) ?? zero ?? checkU64(view, at, 2);
  if (wrong !== undefined) return wrong;
  const end = readText(view, at, KEY_WORD, words);
  if (typeof end === 'string') return end;
  return end === words ? undefined : `${words - end} words follow its key`;
}

/** The word behind a text, or what is wrong with the text. @param limit the word that it must not go beyond */
function readText(view: DataView, at: number, first: number, limit: number): number | string {
  const bytes = word(view, at, first);
  if (bytes === 0) return first + 1;
  const end = first + 1 + Math.ceil(bytes / 4);
  if (end > limit) return `a text of ${bytes} bytes does not fit into the record`;
  const start = at + (first + 1) * 4;
  for (let i = start + bytes; i < at + end * 4; i++) {
    if (view.getUint8(i) !== 0) return 'a text is not padded with zeros';
  }
  return isUtf8(new Uint8Array(view.buffer, view.byteOffset + start, bytes)) ? end : 'a text is not UTF-8';
}

function checkTerms(terms: SplitTerms): string | undefined {
  if (terms.shares > MOST_SHARES) return `${terms.shares} shares are more than can be`;
  if (terms.maxCents > MOST_SHARE_CENTS && terms.totalCents > MOST_SHARE_CENTS) {
    return `a share of ${terms.maxCents} cents is more than can be`;
  }
  const wrong = judgeTerms(terms);
  return wrong === undefined ? undefined : `it cannot be split: ${wrong}`;
}

function checkUser(user: number): string | undefined {
  return user <= MOST_USER ? undefined : `there is no user ${user}`;
}

function checkZero(view: DataView, at: number, index: number): string | undefined {
  return word(view, at, index) === 0 ? undefined : `word ${index} must be 0`;
}

function checkU64(view: DataView, at: number, index: number): string | undefined {
  return word(view, at, index + 1) < 2 ** 21 ? undefined : `words ${index} and ${index + 1} are 2^53 or more`;
}

function word(view: DataView, at: number, index: number): number {
  return view.getUint32(at + index * 4, true);
}
