// Where a thread may be interrupted by the others: between the steps that they can see of each other.
//
// The simulation has one thread. When a part comes to one of these points, `pause` may run steps of other threads right
// there, on top of its stack, before it goes on: so real code meets the interleavings of real threads, repeatably.

import { DropTable } from '../../lib/packets/drop-table.ts';
import { GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { replaceMethod, type Undo, undoAll } from './patches.ts';

/** Makes `pause` be called at every such point; it is told whether a share or a win is between its taking and its record. */
export function installPauses(pause: (isCritical: boolean) => void): Undo {
  const undos = [
    replaceMethod(Producer.prototype, 'publish', (real) => {
      return function (this: Producer) {
        pause(false);
        return real.call(this);
      };
    }),
    replaceMethod(Consumer.prototype, 'available', (real) => {
      return function (this: Consumer) {
        pause(false);
        return real.call(this);
      };
    }),
    replaceMethod(Consumer.prototype, 'refresh', (real) => {
      return function (this: Consumer) {
        pause(false);
        return real.call(this);
      };
    }),
    replaceMethod(PacketTable.prototype, 'grab', (real) => {
      return function (this: PacketTable, packetId, userId) {
        const outcome = real.call(this, packetId, userId);
        if (outcome === GrabOutcome.WON) pause(true);
        return outcome;
      };
    }),
    replaceMethod(PacketTable.prototype, 'leaveClaim', (real) => {
      return function (this: PacketTable, userId) {
        pause(true);
        real.call(this, userId);
      };
    }),
    replaceMethod(PacketTable.prototype, 'close', (real) => {
      return function (this: PacketTable, packetId) {
        pause(false);
        const cents = real.call(this, packetId);
        pause(false);
        return cents;
      };
    }),
    replaceMethod(DropTable.prototype, 'take', (real) => {
      return function (this: DropTable, slot, set, userId, mayWin) {
        const hasTaken = real.call(this, slot, set, userId, mayWin);
        if (hasTaken) pause(true);
        return hasTaken;
      };
    }),
    replaceMethod(DropTable.prototype, 'settle', (real) => {
      return function (this: DropTable, slot) {
        pause(true);
        real.call(this, slot);
      };
    }),
    replaceMethod(DropTable.prototype, 'takeBack', (real) => {
      return function (this: DropTable, slot, set, most) {
        pause(false);
        return real.call(this, slot, set, most);
      };
    }),
  ];
  return () => undoAll(undos);
}
