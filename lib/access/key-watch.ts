// Notices that the key file of a running server has changed, and hands the new keys on.
//
// It looks at the file once a second instead of waiting for SIGHUP: nobody has to find the process, it works the same in a
// container, and a closed terminal, which sends SIGHUP too, means nothing. One stat() a second costs nothing. A file that
// is exposed, damaged or gone is told once and changes nothing: the keys of before go on.

import { stat } from 'node:fs/promises';
import { KEY_WATCH_MS } from './limits.ts';
import type { TokenKey } from './token.ts';
import { keyFileOf, readTokenKeys } from './token-keys.ts';

export interface KeyWatchParts {
  /** The data directory. */
  data: string;
  onKeys: (keys: TokenKey[]) => void;
  onError: (error: Error) => void;
}

export class KeyWatch {
  readonly #parts: KeyWatchParts;
  /** What the file looked like when it was read last. */
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(parts: KeyWatchParts) {
    this.#parts = parts;
  }

  /** Reads the keys, and looks for other ones from now on. Returns them. @throws {AccessError} of readTokenKeys */
  async start(): Promise<TokenKey[]> {
    // Looked at before it is read: a change in between is read once more.
    this.#seen = await this.#look();
    const keys = readTokenKeys(this.#parts.data);
    this.#plan();
    return keys;
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #plan(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(async () => {
      await this.#check();
      this.#plan();
    }, KEY_WATCH_MS).unref();
  }

  async #check(): Promise<void> {
    const { data, onKeys, onError } = this.#parts;
    const now = await this.#look();
    if (now === this.#seen || this.#isStopped) return;
    this.#seen = now;
    try {
      onKeys(readTokenKeys(data));
    } catch (error) {
      onError(new Error(`the keys stay as they were: ${(error as Error).message}`));
    }
  }

  /** What changes when the file does; '' when it is not there. */
  async #look(): Promise<string> {
    try {
      const { ino, mtimeMs, ctimeMs, size } = await stat(keyFileOf(this.#parts.data));
      return `${ino} ${mtimeMs} ${ctimeMs} ${size}`;
    } catch {
      return '';
    }
  }
}
