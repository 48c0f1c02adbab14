// Waits in the loop's poll for a descriptor that the kernel counts up (eventfd): one of Node's pipe handles reads from it.

import type { HandleParts, TcpHandle } from './tcp-handle.ts';

/** An event that the loop waits for. It keeps no loop alive. */
export interface EventPipe {
  /** Waits no more, and closes the descriptor. */
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

/** Calls `onEvent` whenever the descriptor was counted up. The descriptor belongs to the pipe. @throws Error if Node refuses */
export function openEventPipe({ state }: HandleParts, descriptor: number, onEvent: () => void): EventPipe {
  const binding = (process as unknown as { binding: (name: string) => unknown }).binding;
  const { Pipe, constants } = binding('pipe_wrap') as PipeBinding;
  const pipe = new Pipe(constants.SOCKET);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  // HOT
  pipe.onread = () => {
    // Holds the buffer, which Node does not.
    if (state.words[state.READ] > 0 && buffer.length > 0) onEvent();
  };
  if (pipe.open(descriptor) < 0) throw new Error('its pipes do not take an event');
  pipe.useUserBuffer(buffer);
  if (pipe.readStart() < 0) throw new Error('its pipes do not read an event');
  pipe.unref();
  return { close: () => pipe.close(() => {}) };
}
