// Files of secrets in the data directory: made with rights for their owner only, and refused when others can get at them.
//
// A change is written beside the old file, synced, and put in its place, so a reader sees one or the other. The name of
// the new file is always the same and made exclusively: two changes at once cannot undo each other.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { AccessError } from './access-error.ts';
import { MAX_SECRET_FILE_BYTES } from './limits.ts';

const OWNER_ONLY = 0o600;

/** The rights of everybody but the owner. */
const OTHERS = 0o077;

/**
 * Reads a file of secrets.
 * @throws {AccessError} missing, exposed, damaged, system
 */
export function readSecretFile<T>(path: string, schema: z.ZodType<T>): T {
  const text = readOwned(path);
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // Without the cause: it may quote what is in the file.
    throw new AccessError('damaged', `${path} is damaged: put back a copy, or move it away to have a new one made`);
  }
}

/**
 * Makes a file of secrets, unless there is one. Returns false if there was.
 * @throws {AccessError} busy, system
 */
export function makeSecretFile(path: string, content: object): boolean {
  return replace(
    path,
    () => content,
    (from) => {
      try {
        // A link, not a rename: it never takes the place of a file that another process has just made.
        linkSync(from, path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
        throw error;
      } finally {
        unlinkSync(from);
      }
    },
  );
}

/**
 * Changes a file of secrets; `change` gets what is in it, and nobody else changes it meanwhile.
 * @throws {AccessError} missing, exposed, damaged, busy, system; and what `change` throws
 */
export function changeSecretFile<T extends object>(
  path: string,
  schema: z.ZodType<T>,
  change: (content: T) => T,
): void {
  replace(
    path,
    () => change(readSecretFile(path, schema)),
    (from) => renameSync(from, path),
  );
}

function replace<T>(path: string, makeContent: () => object, put: (from: string) => T): T {
  const next = `${path}.new`;
  let file: number;
  try {
    file = openSync(next, 'wx', OWNER_ONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw systemError(path, error);
    const message = `${next} is there: another change is under way, or one was interrupted; then delete it`;
    throw new AccessError('busy', message, { cause: error });
  }
  let isPut = false;
  try {
    writeSync(file, `${JSON.stringify(makeContent(), null, 2)}\n`);
    fsyncSync(file);
    isPut = true;
    const result = put(next);
    syncDirectory(dirname(path));
    return result;
  } catch (error) {
    if (!isPut) unlinkSync(next);
    throw error instanceof AccessError ? error : systemError(path, error);
  } finally {
    closeSync(file);
  }
}

function readOwned(path: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new AccessError('missing', `there is no ${path}`, { cause: error });
    if (code === 'ELOOP') throw new AccessError('exposed', `${path} is a link: put the file itself there`);
    throw systemError(path, error);
  }
  try {
    // Of the open file, not of its name: that could be another one by now.
    const { mode, uid, size } = fstatSync(file);
    if ((mode & OTHERS) !== 0) {
      throw new AccessError(
        'exposed',
        `others may read or change ${path}: run chmod 600 ${path}, and rotate what is in it`,
      );
    }
    const self = process.geteuid?.();
    if (self !== undefined && self !== 0 && uid !== self) {
      throw new AccessError('exposed', `${path} belongs to another user: give it to the one who runs this`);
    }
    if (size > MAX_SECRET_FILE_BYTES) throw new AccessError('damaged', `${path} is too large to be what it should be`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw error instanceof AccessError ? error : systemError(path, error);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function systemError(path: string, error: unknown): AccessError {
  return new AccessError('system', `cannot use ${path}: ${(error as Error).message}`, { cause: error });
}
