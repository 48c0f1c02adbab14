// The probe of io_uring: where it does not do what the fast lane relies on, or is refused, that is said, and nothing is left open.

import { readdirSync } from 'node:fs';
import t from 'tap';
import { loadSystemCalls, type SystemCalls } from '../../lib/handles/system-calls.ts';
import { loadHandleParts } from '../../lib/handles/tcp-handle.ts';
import { SETUP_NO_MMAP } from '../../lib/handles/uring-layout.ts';
import { probeUring } from '../../lib/handles/uring-probe.ts';

const handles = loadHandleParts();
const parts = await probeUring(handles);
if (typeof parts === 'string') t.comment(`io_uring cannot be used here: ${parts}`);

t.test('a kernel that refuses a ring is told apart', async (t) => {
  const refused = await probeUring(handles, () => {
    throw new Error('io_uring_setup fails: EPERM');
  });
  t.equal(refused, 'io_uring_setup fails: EPERM');
});

t.test('another machine is told apart', async (t) => {
  const { platform } = process;
  t.teardown(() => Object.defineProperty(process, 'platform', { value: platform }));
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  t.equal(await probeUring(handles), 'darwin has no io_uring');
});

t.test('a Node without node:ffi is told apart, and no warning is left switched off', async (t) => {
  const { getBuiltinModule, emitWarning } = process;
  t.teardown(() => {
    process.getBuiltinModule = getBuiltinModule;
  });
  process.getBuiltinModule = (() => undefined) as typeof getBuiltinModule;
  t.equal(await probeUring(handles), `Node ${process.versions.node} has no node:ffi`);
  t.equal(process.emitWarning, emitWarning);
});

const skip = typeof parts === 'string' && 'io_uring cannot be used here';

/** This machine's calls with one of them changed. */
function change(changed: (calls: SystemCalls) => Partial<SystemCalls>): () => SystemCalls {
  return () => {
    const calls = loadSystemCalls();
    return { ...calls, ...changed(calls) };
  };
}

t.test('what is not done is noticed', { skip }, async (t) => {
  const before = await countDescriptors();
  const stuck = change(() => ({ enterRing: () => {} }));
  t.equal(await probeUring(handles, stuck), 'the kernel does not take what is submitted');
  for (const opcode of [4, 22]) {
    const refusing = change((calls) => ({
      register: registerAllBut(opcode, calls, () => {
        throw new Error(`io_uring_register fails: EINVAL`);
      }),
    }));
    t.equal(await probeUring(handles, refusing), 'io_uring_register fails: EINVAL');
  }
  const silent = change((calls) => ({ register: registerAllBut(4, calls, () => {}) }));
  t.equal(await probeUring(handles, silent), 'io_uring does not wake the loop here');
  t.equal(await countDescriptors(), before, 'nothing is left open');
});

/** One kind of registration goes another way. */
function registerAllBut(other: number, calls: SystemCalls, otherwise: () => void): SystemCalls['register'] {
  return (descriptor, opcode, argument, count) => {
    if (opcode === other) otherwise();
    else calls.register(descriptor, opcode, argument, count);
  };
}

/** Of this process, once what was closed is gone. */
async function countDescriptors(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  return readdirSync('/proc/self/fd').length;
}

t.test('a kernel that has to map its own memory will do', { skip }, async (t) => {
  let refused = 0;
  const older = change((calls) => ({
    setUpRing: (entries, params) => {
      if ((params[2] & SETUP_NO_MMAP) === 0) return calls.setUpRing(entries, params);
      refused++;
      throw new Error('io_uring_setup fails: EINVAL');
    },
  }));
  t.type(await probeUring(handles, older), 'object');
  t.equal(refused, 1);
});

t.test('a probe leaves nothing open', { skip }, async (t) => {
  await probeUring(handles);
  const before = await countDescriptors();
  for (let i = 0; i < 5; i++) await probeUring(handles);
  t.equal(await countDescriptors(), before);
});

t.test('what the kernel refuses is named', { skip }, (t) => {
  const calls = loadSystemCalls();
  t.throws(() => calls.setUpRing(1 << 30, new Uint32Array(30)), { message: 'io_uring_setup fails: EINVAL' });
  t.throws(() => calls.register(99_999, 4, new Int32Array(1), 1), { message: 'io_uring_register fails: EBADF' });
  t.throws(() => calls.mapRing(-1, 0, 4096), { message: 'mmap fails: EBADF' });
  t.end();
});
