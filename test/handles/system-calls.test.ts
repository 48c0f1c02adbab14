// System calls that are of use without io_uring too.

import t from 'tap';
import { findSystemCalls } from '../../lib/handles/system-calls.ts';
import { loadHandleParts, type TcpHandle } from '../../lib/handles/tcp-handle.ts';

const calls = findSystemCalls();

t.test(
  'a TCP socket that is bound to an address has no port before it connects',
  { skip: calls === undefined },
  (t) => {
    const handle = loadHandleParts().makeHandle() as TcpHandle & { getsockname(name: object): number };
    t.equal(handle.open(calls!.makeTcpSocket()), 0);
    t.equal(handle.bind('127.0.0.7', 0), 0);
    const name: { address?: string; port?: number } = {};
    t.equal(handle.getsockname(name), 0);
    t.match(name, { address: '127.0.0.7', port: 0 });
    handle.close(() => t.end());
  },
);
