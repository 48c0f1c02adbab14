// The sockets that an acceptor leaves behind, as main finds them.

import { closeSync, openSync, writeSync } from 'node:fs';
import t from 'tap';
import { allocateSockets, closeSockets, NO_SOCKET, SocketTable } from '../../lib/net/socket-table.ts';

t.test('a place holds a descriptor until it is taken, also descriptor 0', (t) => {
  const memory = allocateSockets(3);
  const table = new SocketTable(memory);
  t.equal(table.listener, 3, 'behind the connections');
  t.equal(table.get(1), NO_SOCKET);
  for (const descriptor of [0, 19_999]) {
    table.set(1, descriptor);
    t.equal(new SocketTable(memory).get(1), descriptor, 'for everybody who has the memory');
    t.equal(table.take(1), descriptor);
    t.equal(table.take(1), NO_SOCKET, 'once');
  }
  t.end();
});

t.test('what is left is closed once, and nothing else', (t) => {
  const open = () => openSync('/dev/null', 'w');
  const isOpen = (descriptor: number) => {
    try {
      return writeSync(descriptor, 'x') === 1;
    } catch {
      return false;
    }
  };
  const memory = allocateSockets(3);
  const table = new SocketTable(memory);
  const [first, taken, listener] = [open(), open(), open()];
  table.set(0, first);
  table.set(2, taken);
  table.set(table.listener, listener);
  table.take(2);
  closeSockets(memory);
  closeSockets(memory);
  t.strictSame([first, taken, listener].map(isOpen), [false, true, false]);
  closeSync(taken);
  t.end();
});
