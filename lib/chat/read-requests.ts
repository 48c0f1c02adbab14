// The bodies of requests to the built-in service, judged: each field in its bounds, or the sentence that says what is wrong.

import { MAX_KEY_BYTES, MAX_USER_ID } from '../protocol/limits.ts';
import { MAX_GROUP_NAME_CHARACTERS, MAX_GROUP_USERS, MAX_TEXT_BYTES, MAX_TEXT_CHARACTERS } from './limits.ts';

/** Group ids are counted from 1; packet ids are u32. */
const MAX_ID = 0xffff_ffff;

/** What is wrong with a body. */
export class BadBody extends Error {}

type Fields = Record<string, unknown>;

/** The body as a map, its key judged. @throws {BadBody} */
export function readFields(body: unknown): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || ArrayBuffer.isView(body)) {
    throw new BadBody('the body must be a map');
  }
  const { key } = body as Fields;
  if (key !== undefined && !(isText(key) && key !== '' && Buffer.byteLength(key) <= MAX_KEY_BYTES)) {
    throw new BadBody(`key must be a text of 1 to ${MAX_KEY_BYTES} bytes`);
  }
  return body as Fields;
}

/** @throws {BadBody} */
export function readUser({ userId }: Fields): number {
  if (!isWhole(userId, 0, MAX_USER_ID)) throw new BadBody(`userId must be a whole number from 0 to ${MAX_USER_ID}`);
  return userId;
}

/** @throws {BadBody} */
export function readUsers({ users }: Fields): number[] {
  const isList = Array.isArray(users) && users.length >= 1 && users.length < MAX_GROUP_USERS;
  if (!isList || !users.every((userId) => isWhole(userId, 0, MAX_USER_ID)) || new Set(users).size !== users.length) {
    throw new BadBody(`users must be 1 to ${MAX_GROUP_USERS - 1} different user ids`);
  }
  return users;
}

/** @throws {BadBody} */
export function readGroup({ groupId }: Fields): number {
  if (!isWhole(groupId, 1, MAX_ID)) throw new BadBody('groupId must be a whole number from 1 to 2^32 - 1');
  return groupId;
}

/** @throws {BadBody} */
export function readPacket({ packetId }: Fields): number {
  if (!isWhole(packetId, 1, MAX_ID)) throw new BadBody('packetId must be a whole number from 1 to 2^32 - 1');
  return packetId;
}

/** @throws {BadBody} */
export function readText({ text }: Fields): string {
  if (isText(text) && text !== '' && Buffer.byteLength(text) <= MAX_TEXT_BYTES) {
    if ([...text].length <= MAX_TEXT_CHARACTERS) return text;
  }
  throw new BadBody(`text must have 1 to ${MAX_TEXT_CHARACTERS} characters and at most ${MAX_TEXT_BYTES} bytes`);
}

/** @throws {BadBody} */
export function readName({ name }: Fields): string {
  if (isText(name) && name !== '' && name.length <= 2 * MAX_GROUP_NAME_CHARACTERS) {
    if ([...name].length <= MAX_GROUP_NAME_CHARACTERS) return name;
  }
  throw new BadBody(`name must have 1 to ${MAX_GROUP_NAME_CHARACTERS} characters`);
}

function isWhole(value: unknown, low: number, high: number): value is number {
  return Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
}

/** Half a surrogate pair has no UTF-8. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Surrogate}/u.test(value);
}
