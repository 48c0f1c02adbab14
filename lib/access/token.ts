// The tokens that users log in with: made from a key, and held against the keys. Pure: clock and keys are handed in.
//
//   hb1.KEYID.USER.EXPIRES.SIGNATURE     such as hb1.5c01f00d.42.1700003600.mF0x...
//
// | part | what it is |
// |---|---|
// | hb1 | the version of the form |
// | KEYID | id of the key that signed it, 8 letters and digits, all small |
// | USER | user id, decimal, 0 to 2^31 - 1 |
// | EXPIRES | Unix seconds, decimal; from then on it is worth nothing |
// | SIGNATURE | HMAC-SHA256 with that key over all before the last dot; 43 characters of base64url |
//
// The signature is compared as text: base64url leaves two bits of its last character unused, and a token has one form.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { MAX_TOKEN_USER_ID } from './limits.ts';

/** A key that signs and verifies tokens. */
export interface TokenKey {
  id: string;
  secret: Uint8Array;
}

export const TokenFault = {
  /** It has not the form of a token. */
  FORM: 'form',
  /** No key that is in use has this id. */
  KEY: 'key',
  /** The signature is not that key's. */
  SIGNATURE: 'signature',
  /** It is another user's. */
  USER: 'user',
  EXPIRED: 'expired',
} as const;
export type TokenFault = (typeof TokenFault)[keyof typeof TokenFault];

const FORM = /^(hb1\.([a-z\d]{8})\.(0|[1-9]\d{0,9})\.([1-9]\d{0,14}))\.([\w-]{43})$/;

/**
 * Makes the token of a user.
 * @param userId 0 to 2^31 - 1 @param expiresAt Unix seconds
 */
export function signToken(key: TokenKey, userId: number, expiresAt: number): string {
  const claims = `hb1.${key.id}.${userId}.${expiresAt}`;
  return `${claims}.${signatureOf(key, claims)}`;
}

/** Judges a token that a user shows: undefined if it is his and good, else why not. @param nowSeconds Unix seconds */
export function judgeToken(
  keys: readonly TokenKey[],
  token: string,
  userId: number,
  nowSeconds: number,
): TokenFault | undefined {
  const match = FORM.exec(token);
  if (match === null || Number(match[3]) > MAX_TOKEN_USER_ID) return TokenFault.FORM;
  const [, claims, keyId, user, expiresAt, signature] = match;
  const key = keys.find(({ id }) => id === keyId);
  if (key === undefined) return TokenFault.KEY;
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(signatureOf(key, claims)))) return TokenFault.SIGNATURE;
  if (Number(user) !== userId) return TokenFault.USER;
  return nowSeconds < Number(expiresAt) ? undefined : TokenFault.EXPIRED;
}

function signatureOf({ secret }: TokenKey, claims: string): string {
  return createHmac('sha256', secret).update(claims).digest('base64url');
}
