// Every opcode with every telling length, against the tables of docs/PROTOCOL.md written down once more.

import t from 'tap';
import {
  CLIENT_RULES,
  FrameFault,
  type FrameRules,
  judgeHeader,
  SERVER_RULES,
} from '../../lib/protocol/frame-rules.ts';

const ANY_TO_16_KIB = 'any';
const TO_SERVER = new Map<number, number | typeof ANY_TO_16_KIB | 'short'>([
  [0x0000, 16],
  [0x0002, 16],
  [0x0005, 20],
  [0x0100, ANY_TO_16_KIB],
  [0x0110, ANY_TO_16_KIB],
  [0x0120, ANY_TO_16_KIB],
  [0x0122, ANY_TO_16_KIB],
  [0x0124, ANY_TO_16_KIB],
]);
const TO_CLIENT = new Map<number, number | typeof ANY_TO_16_KIB | 'short'>([
  [0x0001, 20],
  [0x0003, 28],
  [0x0004, 36],
  [0x0006, 20],
  [0x0101, ANY_TO_16_KIB],
  [0x0104, ANY_TO_16_KIB],
  [0x0106, ANY_TO_16_KIB],
  [0x0111, ANY_TO_16_KIB],
  [0x0112, ANY_TO_16_KIB],
  [0x0113, ANY_TO_16_KIB],
  [0x0114, ANY_TO_16_KIB],
  [0x0121, ANY_TO_16_KIB],
  [0x0123, ANY_TO_16_KIB],
  [0x0125, ANY_TO_16_KIB],
]);
/** Chat: what a server is asked has even opcodes below 0x0280 and at most 4,000 bytes; all others of the range are for clients. */
const UP_TO_4000 = 'short';
for (let opcode = 0x0200; opcode <= 0x02ff; opcode++) {
  if (opcode < 0x0280 && opcode % 2 === 0) TO_SERVER.set(opcode, UP_TO_4000);
  else TO_CLIENT.set(opcode, ANY_TO_16_KIB);
}
const LENGTHS = [
  0, 1, 4, 11, 12, 13, 15, 16, 17, 19, 20, 21, 27, 28, 29, 35, 36, 37, 4000, 4001, 16_383, 16_384, 16_385, 32_768,
  65_535,
];

function expectedFault(table: typeof TO_SERVER, length: number, opcode: number): FrameFault {
  const rule = table.get(opcode);
  if (rule === undefined) return FrameFault.UNKNOWN_OPCODE;
  if (typeof rule === 'number') return length === rule ? FrameFault.NONE : FrameFault.WRONG_LENGTH;
  if (length < 12) return FrameFault.WRONG_LENGTH;
  return length > (rule === UP_TO_4000 ? 4000 : 16_384) ? FrameFault.OVERSIZE : FrameFault.NONE;
}

function listDifferences(rules: FrameRules, table: typeof TO_SERVER): string[] {
  const differences: string[] = [];
  for (let opcode = 0; opcode <= 0xffff; opcode++) {
    for (const length of LENGTHS) {
      const found = judgeHeader(rules, length, opcode);
      const expected = expectedFault(table, length, opcode);
      if (found !== expected) differences.push(`opcode ${opcode}, length ${length}: ${found}, not ${expected}`);
    }
  }
  return differences;
}

t.test('a server accepts what a client sends, at its length, and nothing else', (t) => {
  t.strictSame(listDifferences(SERVER_RULES, TO_SERVER), []);
  t.end();
});

t.test('a client accepts what a server sends, at its length, and nothing else', (t) => {
  t.strictSame(listDifferences(CLIENT_RULES, TO_CLIENT), []);
  t.end();
});
