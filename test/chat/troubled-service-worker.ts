// A chat service for tests that does what its requests say: echo, throw, block its loop, end its thread, never answer, push.

import type { ChatService, ServiceOutbox } from '../../lib/chat/chat-service.ts';

interface Wish {
  do: 'echo' | 'throw' | 'block' | 'crash' | 'end' | 'never' | 'flood';
  ms?: number;
  to?: number;
  count?: number;
  bytes?: number;
}

export function createService(outbox: ServiceOutbox): ChatService {
  return {
    handle({ userId, opcode, body }) {
      const wish = body as Wish;
      switch (wish.do) {
        case 'throw':
          throw new Error('as it was told to');
        case 'block':
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wish.ms);
          break;
        case 'crash':
          setImmediate(() => {
            throw new Error('a crash as it was told to');
          });
          return new Promise(() => {});
        case 'end':
          return process.exit(7);
        case 'never':
          return new Promise(() => {});
        case 'flood':
          for (let n = 0; n < wish.count!; n++) outbox.push(wish.to!, 0x02f0, { n, text: 'x'.repeat(wish.bytes ?? 0) });
      }
      return { userId, opcode, body };
    },
  };
}
