// The key file of a data directory: the keys that sign and verify the tokens of users, from oldest to newest.
//
// The newest key signs; every key that is not retired verifies. A retired key is kept by its id, without its secret, so
// that a look at the file tells what became of it.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { AccessError } from './access-error.ts';
import { KEY_ID_BYTES, MAX_KEYS, SECRET_BYTES } from './limits.ts';
import { changeSecretFile, makeSecretFile, readSecretFile } from './secret-file.ts';
import type { TokenKey } from './token.ts';

const KEY_FILE_NAME = 'token-keys.json';

const keySchema = z.strictObject({
  id: z.string().regex(/^[a-z\d]{8}$/),
  /** Unix seconds. */
  createdAt: z.int().min(0),
  /** base64url; a retired key has none. */
  secret: z
    .string()
    .regex(/^[\w-]{43}$/)
    .optional(),
  retiredAt: z.int().min(0).optional(),
});

const fileSchema = z
  .strictObject({ version: z.literal(1), keys: z.array(keySchema).min(1).max(MAX_KEYS) })
  .refine(({ keys }) => keys.at(-1)?.secret !== undefined)
  .refine(({ keys }) => keys.every(({ secret, retiredAt }) => (secret === undefined) !== (retiredAt === undefined)))
  .refine(({ keys }) => new Set(keys.map(({ id }) => id)).size === keys.length);

type KeyFile = z.infer<typeof fileSchema>;

/** A key as people may see it. */
export interface KeyFacts {
  id: string;
  createdAt: number;
  retiredAt: number | undefined;
  isSigning: boolean;
}

/** Where the key file of a data directory is. */
export function keyFileOf(data: string): string {
  return join(data, KEY_FILE_NAME);
}

/** Makes the key file with one key, unless there is one. Tells whether it was made. @throws {AccessError} busy, system */
export function makeKeyFile(data: string, nowSeconds: number): boolean {
  return makeSecretFile(keyFileOf(data), { version: 1, keys: [makeKey(nowSeconds, [])] });
}

/** The keys that verify, the one that signs last. @throws {AccessError} missing, exposed, damaged, system */
export function readTokenKeys(data: string): TokenKey[] {
  const { keys } = readSecretFile(keyFileOf(data), fileSchema);
  return keys.flatMap(({ id, secret }) =>
    secret === undefined ? [] : [{ id, secret: new Uint8Array(Buffer.from(secret, 'base64url')) }],
  );
}

/** Every key of the file, without its secret. @throws {AccessError} missing, exposed, damaged, system */
export function listKeys(data: string): KeyFacts[] {
  const { keys } = readSecretFile(keyFileOf(data), fileSchema);
  const signing = keys.at(-1);
  return keys.map((key) => ({
    id: key.id,
    createdAt: key.createdAt,
    retiredAt: key.retiredAt,
    isSigning: key === signing,
  }));
}

/** Adds a key, which signs from now on. Returns its id. @throws {AccessError} refused, and those of every change */
export function rotateKeys(data: string, nowSeconds: number): string {
  let id = '';
  changeSecretFile(keyFileOf(data), fileSchema, ({ version, keys }) => {
    // The oldest retired keys make room: only what they were called is lost.
    const kept = keys.length < MAX_KEYS ? keys : dropOldestRetired(keys);
    const key = makeKey(nowSeconds, keys);
    id = key.id;
    return { version, keys: [...kept, key] };
  });
  return id;
}

/** Ends a key: no token that it signed is taken any more. @throws {AccessError} refused, and those of every change */
export function retireKey(data: string, id: string, nowSeconds: number): void {
  changeSecretFile(keyFileOf(data), fileSchema, ({ version, keys }) => {
    const key = keys.find((each) => each.id === id);
    if (key === undefined) throw new AccessError('refused', `there is no key ${id}`);
    if (key.secret === undefined) throw new AccessError('refused', `the key ${id} is retired already`);
    if (key === keys.at(-1)) throw new AccessError('refused', `the key ${id} signs: rotate first`);
    const retired = { id, createdAt: key.createdAt, retiredAt: nowSeconds };
    return { version, keys: keys.map((each) => (each === key ? retired : each)) };
  });
}

function dropOldestRetired(keys: KeyFile['keys']): KeyFile['keys'] {
  const oldest = keys.find(({ secret }) => secret === undefined);
  if (oldest === undefined) throw new AccessError('refused', `there are ${MAX_KEYS} keys in use: retire some first`);
  return keys.filter((key) => key !== oldest);
}

/** @param others whose ids it may not have */
function makeKey(nowSeconds: number, others: KeyFile['keys']): KeyFile['keys'][number] {
  let id: string;
  do id = randomBytes(KEY_ID_BYTES).toString('hex');
  while (others.some((other) => other.id === id));
  return {
    id,
    createdAt: nowSeconds,
    secret: randomBytes(SECRET_BYTES).toString('base64url'),
  };
}
