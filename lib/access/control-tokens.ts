// The two tokens of the control API: one lets its bearer look on, the other operate. They are in a file of the data
// directory, made with random bytes at the first start that needs them.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { SECRET_BYTES } from './limits.ts';
import { makeSecretFile, readSecretFile } from './secret-file.ts';

const CONTROL_FILE_NAME = 'control-tokens.json';

export const CONTROL_RIGHTS = ['read', 'operate'] as const;

/** `read`: to see everything. `operate`: to see and to change everything. */
export type ControlRight = (typeof CONTROL_RIGHTS)[number];

const token = z.string().regex(/^[\w-]{43}$/);
const fileSchema = z
  .strictObject({ version: z.literal(1), read: token, operate: token })
  .refine(({ read, operate }) => read !== operate);

/** Where the control tokens of a data directory are. */
export function controlFileOf(data: string): string {
  return join(data, CONTROL_FILE_NAME);
}

/** Makes the file, unless there is one. Tells whether it was made. @throws {AccessError} busy, system */
export function makeControlFile(data: string): boolean {
  return makeSecretFile(controlFileOf(data), { version: 1, read: draw(), operate: draw() });
}

/** Draws a token. None starts with a dash: after `--control-token` a command would take it for a flag. */
function draw(): string {
  for (;;) {
    const token = randomBytes(SECRET_BYTES).toString('base64url');
    if (!token.startsWith('-')) return token;
  }
}

/** The tokens by right. @throws {AccessError} missing, exposed, damaged, system */
export function readControlTokens(data: string): Record<ControlRight, string> {
  const { read, operate } = readSecretFile(controlFileOf(data), fileSchema);
  return { read, operate };
}

/** Tells what right the header of a request gives, in a time that says nothing of the tokens. */
export class ControlGate {
  /** Digests, so that what is compared has one length whatever was sent. */
  readonly #read: Buffer;
  readonly #operate: Buffer;

  constructor({ read, operate }: Record<ControlRight, string>) {
    this.#read = digest(read);
    this.#operate = digest(operate);
  }

  /** @param authorization the header of that name, as it came */
  rightOf(authorization: string | undefined): ControlRight | undefined {
    const [, bearer = ''] = /^Bearer +([\w-]{1,200})$/i.exec(authorization ?? '') ?? [];
    const shown = digest(bearer);
    const mayOperate = timingSafeEqual(shown, this.#operate);
    const mayRead = timingSafeEqual(shown, this.#read);
    return mayOperate ? 'operate' : mayRead ? 'read' : undefined;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
