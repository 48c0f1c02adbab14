// The system calls that Node has no name for, through node:ffi: the one file that calls into the C library.
//
// node:ffi is young and may be missing or different in another Node, and a kernel or a sandbox may refuse what is asked: all
// of it is tried before anything relies on it (see uring-probe.ts).

import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';

type Ffi = typeof import('node:ffi');

/** Numbers of the calls on every architecture that Node runs on. */
const IO_URING_SETUP = 425;
const IO_URING_ENTER = 426;
const IO_URING_REGISTER = 427;

/** Numbers of older calls differ: sched_setattr, and behind it sched_getattr. */
const SCHED_SETATTR: Partial<Record<NodeJS.Architecture, number>> = { x64: 314, arm64: 274 };
/** Bytes of a struct sched_attr as it was first, and where in it is what. */
const SCHED_ATTR_BYTES = 48;
const SCHED_ATTR_POLICY = 4;
const SCHED_ATTR_RUNTIME = 24;
const SCHED_OTHER = 0;
const SCHED_BATCH = 3;

const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATED = 0x8001;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const EFD_CLOEXEC_NONBLOCK = 0x80800;
const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM_NONBLOCK = 0x801;
const SOCK_CLOEXEC = 0x80000;
const AF_INET6 = 10;
/** Bytes of a struct sockaddr_in6, and where in it, and in a sockaddr_in, the address begins. */
const SOCKADDR_BYTES = 28;
const INET6_PLACE = 8;
const INET_PLACE = 4;
const INET6_TEXT_BYTES = 46;
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_CONGESTION = 13;
/** Every kernel has it, and lets everybody choose it. */
const RENO = Buffer.from('reno');

const ENTER_GETEVENTS = 1;

export interface SystemCalls {
  /** `params` is a struct io_uring_params, which is filled in. Returns the descriptor. @throws Error */
  setUpRing(entries: number, params: Uint32Array): number;
  /** Submits `count` entries, and waits until there are `least` completions. What was taken shows in the ring. */
  enterRing(descriptor: number, count: number, least: number): void;
  /** @throws Error */
  register(descriptor: number, opcode: number, argument: Uint32Array | Int32Array, count: number): void;
  /** Maps what a ring shares with us. It stays mapped as long as the process lives, and the ring is there as long. @throws Error */
  mapRing(descriptor: number, offset: number, length: number): ArrayBuffer;
  /** Memory that begins with a page, for the kernel to write into: never given back, so that it is nobody else's. @throws Error */
  mapMemory(length: number): ArrayBuffer;
  /** A descriptor that becomes readable when the kernel counts it up. @throws Error */
  makeEvent(): number;
  /** What this thread's event loop polls: readable when the loop has something to do. @throws Error */
  findLoopPoll(): number;
  /** Two connected stream sockets that block nobody. @throws Error */
  makeSocketPair(): [number, number];
  /**
   * A TCP socket for IPv4 that gets its port when it connects, also if it is bound to an address before. A bind that chooses
   * the port looks for one that nobody has whomever he talks to, and takes milliseconds when a third of them are in use.
   * @throws Error
   */
  makeTcpSocket(): number;
  /**
   * Asks for turns of so many nanoseconds on a core for this thread, 100,000 to 100,000,000, if it is an ordinary thread: who
   * asks for short ones gets them sooner. Kernels before 6.12 take it and change nothing. @throws Error
   */
  setSlice(nanoseconds: number): void;
  /**
   * Marks a thread of this process, if it is an ordinary one, as one that takes no core from another when it wakes: it waits
   * until the other sleeps or its turn is over. Its share and its niceness are as before. @throws Error
   */
  setBatch(thread: number): void;
  /** Another descriptor of the same. @throws Error */
  duplicate(descriptor: number): number;
  /**
   * What a socket that listens accepts sends at once, and asks after so many seconds of silence whether the peer is still
   * there, ten times, a second apart. Its congestion control is reno, if the kernel lets us choose: it reckons least at each
   * acknowledgement, and none ever holds back answers as short as ours. @throws Error
   */
  setAccepted(listener: number, keepAliveSeconds: number): void;
  /** The address of who is at the other end, as text; undefined if nobody is. */
  peerOf(descriptor: number): string | undefined;
  close(descriptor: number): void;
  /** Where bytes lie: low and high word. Good while they are alive, if they were made from an ArrayBuffer or are many. */
  addressOf(bytes: Uint8Array | Uint16Array | BigInt64Array): readonly [low: number, high: number];
}

/** Looks the calls up. @throws Error that says why they cannot be used */
export function loadSystemCalls(): SystemCalls {
  if (process.platform !== 'linux') throw new Error(`${process.platform} has no io_uring`);
  if (endianness() !== 'LE') throw new Error('the byte order of this machine is another');
  const ffi = loadFfi();
  if (ffi === undefined) throw new Error(`Node ${process.versions.node} has no node:ffi`);
  const open = <T extends Parameters<Ffi['dlopen']>[1]>(definitions: T) => ffi.dlopen(null, definitions!).functions;
  // A symbol has one signature a library: so each shape of syscall(2) has a library of its own.
  const {
    syscall: enter,
    mmap,
    eventfd,
    socketpair,
    socket,
    setsockopt,
    getpeername,
    inet_ntop: toText,
    dup,
    sched_getscheduler: getPolicy,
    sched_setscheduler: setPolicy,
    close,
    __errno_location: errnoPlace,
    uv_backend_fd: findPoll,
  } = open({
    syscall: { arguments: ['int32', 'int32', 'int32', 'int32', 'int32', 'pointer'], return: 'int32' },
    mmap: { arguments: ['pointer', 'uint64', 'int32', 'int32', 'int32', 'int64'], return: 'pointer' },
    eventfd: { arguments: ['uint32', 'int32'], return: 'int32' },
    socketpair: { arguments: ['int32', 'int32', 'int32', 'buffer'], return: 'int32' },
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    getpeername: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
    inet_ntop: { arguments: ['int32', 'buffer', 'buffer', 'uint32'], return: 'pointer' },
    dup: { arguments: ['int32'], return: 'int32' },
    sched_getscheduler: { arguments: ['int32'], return: 'int32' },
    sched_setscheduler: { arguments: ['int32', 'int32', 'buffer'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
    __errno_location: { return: 'pointer' },
    uv_backend_fd: { arguments: ['pointer'], return: 'int32' },
  });
  const { syscall: setUp } = open({ syscall: { arguments: ['int32', 'uint32', 'buffer'], return: 'int32' } });
  const { syscall: register } = open({
    syscall: { arguments: ['int32', 'int32', 'int32', 'buffer', 'int32'], return: 'int32' },
  });
  const { syscall: setAttributes } = open({
    syscall: { arguments: ['int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
  });
  const { syscall: getAttributes } = open({
    syscall: { arguments: ['int32', 'int32', 'buffer', 'uint32', 'uint32'], return: 'int32' },
  });
  const check = (result: number, what: string): number => {
    if (result >= 0) return result;
    throw new Error(`${what} fails: ${getSystemErrorName(-ffi.getInt32(errnoPlace()))}`);
  };
  const map = (descriptor: number, flags: number, offset: number, length: number): ArrayBuffer => {
    const place = mmap(0n, BigInt(length), PROT_READ_WRITE, flags, descriptor, BigInt(offset));
    if (place === MAP_FAILED) check(-1, 'mmap');
    return ffi.toArrayBuffer(place, length, false);
  };
  const setOption = (descriptor: number, level: number, option: number, value: number) => {
    const number = new Int32Array([value]);
    check(setsockopt(descriptor, level, option, number, number.byteLength), 'setsockopt');
  };
  const peer = Buffer.alloc(SOCKADDR_BYTES);
  const peerLength = new Uint32Array(1);
  const text = Buffer.alloc(INET6_TEXT_BYTES);
  return {
    setUpRing: (entries, params) => check(setUp(IO_URING_SETUP, entries, params), 'io_uring_setup'),
    // HOT
    enterRing: (descriptor, count, least) => void enter(IO_URING_ENTER, descriptor, count, least, ENTER_GETEVENTS, 0n),
    register: (descriptor, opcode, argument, count) => {
      check(register(IO_URING_REGISTER, descriptor, opcode, argument, count), 'io_uring_register');
    },
    mapRing: (descriptor, offset, length) => map(descriptor, MAP_SHARED_POPULATED, offset, length),
    mapMemory: (length) => map(-1, MAP_PRIVATE_ANONYMOUS, 0, length),
    makeEvent: () => check(eventfd(0, EFD_CLOEXEC_NONBLOCK), 'eventfd'),
    findLoopPoll: () => check(findPoll(ffi.getCurrentEventLoop()), 'uv_backend_fd'),
    makeSocketPair: () => {
      const pair = new Int32Array(2);
      check(socketpair(AF_UNIX, SOCK_STREAM_NONBLOCK, 0, pair), 'socketpair');
      return [pair[0], pair[1]];
    },
    makeTcpSocket: () => {
      const descriptor = check(socket(AF_INET, SOCK_STREAM_NONBLOCK | SOCK_CLOEXEC, 0), 'socket');
      setOption(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      return descriptor;
    },
    duplicate: (descriptor) => check(dup(descriptor), 'dup'),
    setAccepted: (listener, keepAliveSeconds) => {
      setOption(listener, IPPROTO_TCP, TCP_NODELAY, 1);
      setOption(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
      setOption(listener, IPPROTO_TCP, TCP_KEEPIDLE, keepAliveSeconds);
      setOption(listener, IPPROTO_TCP, TCP_KEEPINTVL, 1);
      setOption(listener, IPPROTO_TCP, TCP_KEEPCNT, 10);
      setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, RENO, RENO.length);
    },
    peerOf: (descriptor) => {
      peerLength[0] = peer.length;
      if (getpeername(descriptor, peer, peerLength) < 0) return undefined;
      const family = peer.readUInt16LE(0);
      if (family === AF_INET) return peer.subarray(INET_PLACE, INET_PLACE + 4).join('.');
      if (family !== AF_INET6) return undefined;
      toText(AF_INET6, peer.subarray(INET6_PLACE, INET6_PLACE + 16), text, text.length);
      return text.toString('latin1', 0, text.indexOf(0));
    },
    setSlice: (nanoseconds) => {
      const number = SCHED_SETATTR[process.arch];
      if (number === undefined) throw new Error(`the number of sched_setattr on ${process.arch} is not known`);
      const attributes = Buffer.alloc(SCHED_ATTR_BYTES);
      check(getAttributes(number + 1, 0, attributes, attributes.length, 0), 'sched_getattr');
      if (attributes.readUInt32LE(SCHED_ATTR_POLICY) !== SCHED_OTHER) return;
      attributes.writeBigUInt64LE(BigInt(nanoseconds), SCHED_ATTR_RUNTIME);
      check(setAttributes(number, 0, attributes, 0), 'sched_setattr');
    },
    setBatch: (thread) => {
      if (check(getPolicy(thread), 'sched_getscheduler') !== SCHED_OTHER) return;
      check(setPolicy(thread, SCHED_BATCH, new Int32Array(1)), 'sched_setscheduler');
    },
    close: (descriptor) => void close(descriptor),
    addressOf: (bytes) => {
      const address = ffi.getRawPointer(bytes);
      return [Number(address & 0xffff_ffffn), Number(address >> 32n)];
    },
  };
}

/** The calls, or undefined where they cannot be used. */
export function findSystemCalls(): SystemCalls | undefined {
  try {
    return loadSystemCalls();
  } catch {
    return undefined;
  }
}

/** node:ffi, or undefined; without the warning that it may change, which the probe answers. */
function loadFfi(): Ffi | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}
