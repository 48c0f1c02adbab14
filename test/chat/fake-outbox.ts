// What a chat service is given in tests: every push is kept by user, and packets are what the test says.

import type { ServiceOutbox } from '../../lib/chat/chat-service.ts';
import type { RichNotice } from '../../lib/protocol/extended.ts';

export interface Pushed {
  opcode: number;
  // biome-ignore lint/suspicious/noExplicitAny: what is in a body is what the tests look into
  body: any;
}

export class FakeOutbox implements ServiceOutbox {
  readonly pushes = new Map<number, Pushed[]>();
  readonly watched = new Set<number>();
  readonly packets = new Map<number, RichNotice>();
  transient = 0;

  push(userIds: number | readonly number[], opcode: number, body: unknown, isTransient = false): boolean {
    if (isTransient) this.transient++;
    for (const userId of typeof userIds === 'number' ? [userIds] : userIds) {
      this.pushes.set(userId, [...(this.pushes.get(userId) ?? []), { opcode, body }]);
    }
    return true;
  }

  watch(userId: number): void {
    this.watched.add(userId);
  }

  async readPacket(packetId: number): Promise<RichNotice | undefined> {
    return this.packets.get(packetId);
  }

  /** What a user was told since the last call. */
  take(userId: number): Pushed[] {
    const pushes = this.pushes.get(userId) ?? [];
    this.pushes.delete(userId);
    return pushes;
  }
}
