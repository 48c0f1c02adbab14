// Entries one after the other: nothing of a longer one shows in the next.

import t from 'tap';
import { ENTRY_PAYLOAD, ENTRY_REPLY, ENTRY_SLOTS, ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { EntryWriter } from '../../lib/ledger/entry-writer.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';

t.test('the last word of bytes is padded with zeros, also behind an entry with more slots and bytes', (t) => {
  const entries = new EntryWriter(
    new Producer(allocateRing(64, ENTRY_WORDS)),
    new DoorbellRinger(allocateDoorbell(), () => {}),
  );
  entries.begin(1, 400);
  t.equal(entries.setBytes(300, new Uint8Array(128).fill(255)), 32);
  t.ok(entries.words[placeOf(entries) + ENTRY_SLOTS] > 1);
  entries.publish();
  entries.begin(1, 3);
  t.equal(entries.setText(0, Uint8Array.of(1, 2, 3, 4, 5)), 3);
  const place = placeOf(entries);
  t.equal(entries.words[place + ENTRY_SLOTS], 1);
  const payload = entries.words.slice(place + ENTRY_PAYLOAD, place + ENTRY_PAYLOAD + 3);
  t.strictSame([...new Uint8Array(payload.buffer)], [5, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0]);
  t.equal(entries.setBytes(0, new Uint8Array(0)), 0);
  t.throws(() => entries.setBytes(0, new Uint8Array(129)), { code: 'ERR_ASSERTION' });
  t.end();
});

/** Where the entry that is being built begins. */
function placeOf(entries: EntryWriter): number {
  return entries.addReply(0, 0) - ENTRY_REPLY;
}
