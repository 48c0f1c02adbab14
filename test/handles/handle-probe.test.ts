// The probe: what works is found to work, and what does not is noticed in time, whatever it is that is different.

import t from 'tap';
import { probeHandles } from '../../lib/handles/handle-probe.ts';
import { type HandleParts, loadHandleParts, type TcpHandle } from '../../lib/handles/tcp-handle.ts';

t.test('this Node has the handles', async (t) => {
  t.type(await probeHandles(), 'object');
});

t.test('a Node that keeps its handles to itself is told apart', async (t) => {
  const refused = await probeHandles(() => {
    throw new Error('process.binding is not allowed');
  });
  t.equal(refused, 'process.binding is not allowed');
});

/** The parts of this Node, with the methods of accepted handles changed. */
function change(methods: Partial<Record<keyof TcpHandle, (...args: never[]) => unknown>>): () => HandleParts {
  const parts = loadHandleParts();
  const prototype = Object.getPrototypeOf(parts.makeHandle());
  const chained = Object.fromEntries(
    Object.keys(methods).map((name) => {
      let owner = prototype;
      while (!Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner);
      return [name, { owner, before: Object.getOwnPropertyDescriptor(owner, name)! }];
    }),
  );
  for (const [name, { owner }] of Object.entries(chained)) {
    Object.defineProperty(owner, name, { configurable: true, writable: true, value: methods[name as keyof TcpHandle] });
  }
  restore = () => {
    for (const [name, { owner, before }] of Object.entries(chained)) Object.defineProperty(owner, name, before);
  };
  return () => parts;
}
let restore = () => {};
t.afterEach(() => restore());

t.test('a write that does nothing is noticed', { timeout: 10_000 }, async (t) => {
  t.type(await probeHandles(change({ writeBuffer: () => -1 })), 'string');
});

t.test('a write that says it is done but is not is noticed', { timeout: 10_000 }, async (t) => {
  t.type(await probeHandles(change({ writeBuffer: () => 0 })), 'string');
});

t.test('reads that never come are noticed', { timeout: 10_000 }, async (t) => {
  t.equal(await probeHandles(change({ readStart: () => 0 })), 'an exchange over its handles did not end');
});
