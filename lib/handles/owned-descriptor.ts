// Descriptors that Node did not open, in the care of its pipe handles: they wait in the loop's poll for an event that the
// kernel counts up (eventfd), and close what is theirs when the thread ends, however it does.

import type { HandleParts, TcpHandle } from './tcp-handle.ts';

/** A descriptor in the care of its thread: closed when the thread ends, or before. It keeps no loop alive. */
export interface OwnedDescriptor {
  close(): void;
}

/** More than the eight bytes of a count: a read that is not full needs no second one to see that nothing is left. */
const READ_BYTES = 64;

interface PipeHandle extends Pick<TcpHandle, 'onread' | 'useUserBuffer' | 'readStart' | 'close'> {
  open(descriptor: number): number;
  unref(): void;
}

interface PipeBinding {
  Pipe: new (type: number) => PipeHandle;
  constants: { SOCKET: number };
}

/** Has the descriptor closed at the end of the thread at the latest. @throws Error if Node refuses */
export function ownDescriptor(descriptor: number): OwnedDescriptor {
  return ownerOf(openPipe(descriptor));
}

/** Calls `onEvent` whenever the descriptor was counted up, which is owned from then on. @throws Error if Node refuses */
export function openEventPipe({ state }: HandleParts, descriptor: number, onEvent: () => void): OwnedDescriptor {
  const pipe = openPipe(descriptor);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  // HOT
  pipe.onread = () => {
    // Holds the buffer, which Node does not.
    if (state.words[state.READ] > 0 && buffer.length > 0) onEvent();
  };
  pipe.useUserBuffer(buffer);
  if (pipe.readStart() < 0) throw new Error('its pipes do not read an event');
  return ownerOf(pipe);
}

function openPipe(descriptor: number): PipeHandle {
  const binding = (process as unknown as { binding: (name: string) => unknown }).binding;
  const { Pipe, constants } = binding('pipe_wrap') as PipeBinding;
  const pipe = new Pipe(constants.SOCKET);
  if (pipe.open(descriptor) < 0) throw new Error('its pipes do not take a descriptor');
  pipe.unref();
  return pipe;
}

function ownerOf(pipe: PipeHandle): OwnedDescriptor {
  return { close: () => pipe.close(() => {}) };
}
