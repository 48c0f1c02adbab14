// Rules of the server that are broken on purpose: a simulation that does not notice is worth nothing.

import { RecoveredState } from '../../lib/ledger/recovered-state.ts';
import type { Recovery } from '../../lib/ledger/recovery.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import { slotOf } from '../../lib/packets/packet-id.ts';
import {
  countBlockWords,
  FIRST_WORD_WORD,
  HAS_ORDER_WORD,
  INVITED_WORD,
  NOTE_BYTES_WORD,
  PACKET_ROW_WORDS,
  STATE_WORD,
} from '../../lib/packets/packet-layout.ts';
import { PacketTable } from '../../lib/packets/packet-table.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { Outbox } from '../../lib/sets/outbox.ts';
import { RequestKeys } from '../../lib/sets/request-keys.ts';
import { replaceMethod, type Undo } from './patches.ts';

export interface BrokenRule {
  name: string;
  /** Where to begin to look, for a rule whose breach seldom shows. */
  firstSeed?: number;
  /** Breaks it in all servers; for what can be broken so. */
  install?: () => Undo;
  /** Breaks it in what recovery found. */
  onRecovered?: (table: PacketTable, recovery: Recovery) => void;
}

export const BROKEN_RULES: readonly BrokenRule[] = [
  {
    name: 'replies leave before their records are synced',
    install: () => replaceMethod(SegmentWriter.prototype, 'sync', () => () => false),
  },
  {
    name: 'a repeat does not wait for the record of its grab',
    install: () =>
      replaceMethod(Outbox.prototype, 'claimMoneyReply', () => {
        return function (this: Outbox, acceptor) {
          return this.claimReply(acceptor);
        };
      }),
  },
  {
    name: 'request keys are not looked up',
    install: () => replaceMethod(RequestKeys.prototype, 'find', () => () => undefined),
  },
  {
    name: 'recovery takes shares whose grabs were lost for grabbed',
    onRecovered: (table, { openPackets }) => {
      for (const packetId of openPackets) keepHoles(table, packetId);
    },
  },
  {
    name: 'a packet is closed in the journal before all its claims are there',
    install: () => replaceMethod(PacketTable.prototype, 'hasAllClaims', () => () => true),
  },
  {
    name: 'recovery forgets who is to be told',
    install: () =>
      replaceMethod(RecoveredState.prototype, 'listNotices', () => {
        return function* () {};
      }),
  },
  {
    name: 'the journal relies on an earlier look at what the workers have entered',
    firstSeed: 240,
    install: () =>
      replaceMethod(Consumer.prototype, 'refresh', () => {
        return function (this: Consumer) {
          return this.available();
        };
      }),
  },
];

/** Puts shares back into the order of the split, and takes those between the grabbed ones for grabbed as well. */
function keepHoles(table: PacketTable, packetId: number): void {
  const { rows, blocks } = table;
  const row = slotOf(packetId) * PACKET_ROW_WORDS;
  if (rows[row + HAS_ORDER_WORD] === 0) return;
  const { grabs, shares } = table.view(packetId)!;
  const first = rows[row + FIRST_WORD_WORD];
  const orderAt = first + countBlockWords(shares, rows[row + INVITED_WORD], rows[row + NOTE_BYTES_WORD], false);
  const amounts = blocks.slice(first, first + shares);
  const order = blocks.slice(orderAt, orderAt + shares);
  for (let place = 0; place < shares; place++) {
    blocks[first + order[place]] = amounts[place];
    blocks[first + shares + place] = 0;
    blocks[orderAt + place] = place;
  }
  for (const { share, userId } of grabs) blocks[first + shares + share] = userId;
  const taken = 1 + Math.max(...grabs.map(({ share }) => share));
  for (let share = taken; share < shares; share++) blocks[first + shares + share] = -1;
  rows[row + STATE_WORD] += taken - grabs.length;
}
