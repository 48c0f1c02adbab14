// Main's log of movements: what one turn enters is there at once, and the journal thread is woken for all of it together.

import t from 'tap';
import { ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { EntryWriter } from '../../lib/ledger/entry-writer.ts';
import { MovementJournal } from '../../lib/ledger/movement-journal.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';

t.test('a turn rings once, behind the last thing that it enters', async (t) => {
  const ring = allocateRing(64, ENTRY_WORDS);
  const consumer = new Consumer(ring);
  const memory = allocateDoorbell();
  const listener = new DoorbellListener(memory);
  const seen: number[] = [];
  const ringer = new DoorbellRinger(memory, () => seen.push(consumer.refresh()));
  const journal = new MovementJournal(new EntryWriter(new Producer(ring), ringer));
  listener.announceSleep();
  journal.closePacket(1, 0, 5);
  journal.closePacket(2, 0, 5);
  t.equal(consumer.refresh(), 2, 'what is entered can be taken at once, by a thread that is awake');
  journal.mark();
  await Promise.resolve();
  t.strictSame(seen, [3]);
  listener.announceSleep();
  journal.closePacket(3, 0, 5);
  await Promise.resolve();
  t.strictSame(seen, [3, 4], 'and the next turn rings again');
});
