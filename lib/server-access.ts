// What a server asks for before it listens to somebody: the keys for tokens of users, the tokens of the control API, TLS.
//
// Main thread. Reads, and at the first start makes, the files of secrets in the data directory. No secret leaves it but by
// message to the acceptors.

import { readFileSync } from 'node:fs';
import { AccessError } from './access/access-error.ts';
import { ControlGate, controlFileOf, makeControlFile, readControlTokens } from './access/control-tokens.ts';
import { KeyWatch } from './access/key-watch.ts';
import { isLoopback } from './access/loopback.ts';
import type { TokenKey } from './access/token.ts';
import { keyFileOf, makeKeyFile } from './access/token-keys.ts';
import { makeTlsContext, type TlsFiles } from './net/tls-sockets.ts';
import { ServerError } from './server-error.ts';
import type { ServerOptions } from './server-options.ts';

export interface AccessEvents {
  /** The key file has changed. */
  onKeys: (keys: TokenKey[]) => void;
  onError: (error: Error) => void;
  onInfo: (sentence: string) => void;
}

export interface ServerAccess {
  /** What verifies tokens of users, as of now; undefined if none are asked for. */
  keys: TokenKey[] | undefined;
  /** What lets into the control API; undefined lets everybody in. */
  gate: ControlGate | undefined;
  tls: TlsFiles | undefined;
  /** Looks at the key file no more. */
  stop(): void;
}

/** Sets up what the options ask for. @throws {ServerError} data, bad_option */
export async function openAccess(options: ServerOptions, events: AccessEvents): Promise<ServerAccess> {
  const tls = readTls(options);
  try {
    const gate = openGate(options.data, isControlGuarded(options), events.onInfo);
    if (options.auth === 'open') return { keys: undefined, gate, tls, stop: () => {} };
    const { data } = options;
    if (makeKeyFile(data, Math.floor(Date.now() / 1000))) events.onInfo(`made a key for tokens: ${keyFileOf(data)}`);
    const watch = new KeyWatch({
      data,
      onKeys: (keys) => {
        access.keys = keys;
        events.onInfo(`the keys for tokens have changed: ${keys.length} in use`);
        events.onKeys(keys);
      },
      onError: events.onError,
    });
    const access: ServerAccess = { keys: await watch.start(), gate, tls, stop: () => watch.stop() };
    return access;
  } catch (error) {
    if (error instanceof AccessError) throw new ServerError('data', error.message, { cause: error });
    throw error;
  }
}

/** The gate of a control API; undefined if it is not guarded. @throws {AccessError} */
export function openGate(
  data: string,
  isGuarded: boolean,
  onInfo: (sentence: string) => void,
): ControlGate | undefined {
  if (!isGuarded) return undefined;
  if (makeControlFile(data))
    onInfo(`made tokens for the control API: ${controlFileOf(data)}; see hongbao control-token`);
  return new ControlGate(readControlTokens(data));
}

/** Whether the control API asks for a token: always beyond this machine. */
function isControlGuarded({ controlHost, controlAuth }: ServerOptions): boolean {
  return controlAuth === 'token' || !isLoopback(controlHost);
}

/** @throws {ServerError} bad_option, without a word of what is in the files */
function readTls({ tlsCert, tlsKey }: ServerOptions): TlsFiles | undefined {
  if (tlsCert === '' && tlsKey === '') return undefined;
  const files = { cert: readPem('--tls-cert', tlsCert), key: readPem('--tls-key', tlsKey) };
  try {
    makeTlsContext(files);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new ServerError('bad_option', `--tls-cert and --tls-key are not a PEM certificate and its key (${code})`);
  }
  return files;
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ServerError('bad_option', `${name}: ${(error as Error).message}`, { cause: error });
  }
}
