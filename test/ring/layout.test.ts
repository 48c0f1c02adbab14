// Checks where the cells of rings and doorbells lie: apart from one another, and every slot on words of its own.

import t from 'tap';
import { allocateDoorbell, DoorbellListener } from '../../lib/ring/doorbell.ts';
import { allocateRing, Ring } from '../../lib/ring/ring.ts';
import { CURSOR_WORD, GATING_WORD, SLOTS_WORD } from '../../lib/ring/ring-layout.ts';

t.test('cursor, gating sequence and slots begin 128 bytes apart', (t) => {
  t.equal(4 * (GATING_WORD - CURSOR_WORD), 128);
  t.equal(4 * (SLOTS_WORD - GATING_WORD), 128);
  t.end();
});

t.test('the slots fill a ring to its end and do not overlap', (t) => {
  for (const [capacity, slotWords] of [
    [2, 1],
    [8, 6],
    [64, 1024],
  ]) {
    const ring = new Ring(allocateRing(capacity, slotWords));
    const owners = new Int32Array(ring.words.length).fill(-1);
    // Sequences over the sign's edge: one lap.
    for (let i = 0; i < capacity; i++) {
      const place = ring.slotAt(2 ** 31 - 1 + i);
      for (let word = place; word < place + slotWords; word++) {
        if (owners[word] !== -1 || word < SLOTS_WORD) t.fail(`word ${word} belongs to two`);
        owners[word] = i;
      }
    }
    t.notOk(owners.subarray(SLOTS_WORD).includes(-1), 'no word is left over');
    t.equal(ring.slotAt(5), ring.slotAt(5 + capacity), 'a lap later, the same slot');
    t.equal(ring.slotAt(-1), ring.slotAt(2 ** 32 - 1), 'sequences wrap at 2^32');
  }
  t.end();
});

t.test('a doorbell has 128 bytes of its own and uses the first word', (t) => {
  const memory = allocateDoorbell();
  t.equal(memory.byteLength, 128);
  const listener = new DoorbellListener(memory);
  listener.announceSleep();
  t.same(
    Array.from(listener.words, (word) => word !== 0),
    Array.from({ length: 32 }, (_, word) => word === 0),
  );
  t.end();
});
