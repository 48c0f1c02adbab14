// The tokens of users: what is made is taken, and nothing else is.

import fc from 'fast-check';
import t from 'tap';
import { MAX_TOKEN_USER_ID, SECRET_BYTES } from '../../lib/access/limits.ts';
import { judgeToken, signToken, TokenFault, type TokenKey } from '../../lib/access/token.ts';
import { MAX_TOKEN_LENGTH, MAX_USER_ID } from '../../lib/protocol/limits.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

const NOW = 1_700_000_000;

const keys = fc.record({
  id: fc.stringMatching(/^[a-z\d]{8}$/),
  secret: fc.uint8Array({ minLength: SECRET_BYTES, maxLength: SECRET_BYTES }),
});
const userIds = fc.integer({ min: 0, max: MAX_TOKEN_USER_ID });
const lives = fc.integer({ min: 1, max: 400 * 86_400 });

const key: TokenKey = { id: '5c01f00d', secret: new Uint8Array(SECRET_BYTES).fill(7) };

t.test('user ids of tokens are those of the wire, and a token fits into HELLO', (t) => {
  t.equal(MAX_TOKEN_USER_ID, MAX_USER_ID);
  t.ok(signToken(key, MAX_USER_ID, 999_999_999_999_999).length <= MAX_TOKEN_LENGTH);
  t.end();
});

t.test('the form is the one that is described', (t) => {
  // By another program: printf hb1.5c01f00d.42.1700003600 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707... -binary | base64
  t.equal(signToken(key, 42, 1_700_003_600), 'hb1.5c01f00d.42.1700003600.rbr1rd6MshR7gWc0DJVqB7ZL7h4dCUI3Kf7XpJT56jg');
  t.end();
});

t.test('a token is taken from its user until it expires, whichever key in use signed it', async (t) => {
  await checkProperty(
    t,
    'taken',
    fc.property(
      fc.uniqueArray(keys, { minLength: 1, maxLength: 5, selector: ({ id }) => id }),
      userIds,
      lives,
      (ring, userId, life) => {
        const tokens = ring.map((key) => signToken(key, userId, NOW + life));
        return tokens.every((token) => judgeToken(ring, token, userId, NOW) === undefined);
      },
    ),
    200,
  );
});

t.test('it is good in the second before it expires, and not in that second', (t) => {
  const token = signToken(key, 5, NOW);
  t.equal(judgeToken([key], token, 5, NOW - 1), undefined);
  t.equal(judgeToken([key], token, 5, NOW), TokenFault.EXPIRED);
  t.equal(judgeToken([key], token, 5, NOW + 1), TokenFault.EXPIRED);
  t.end();
});

t.test('no byte of a token can be another one: every one of the 255 others is refused', (t) => {
  const token = signToken(key, 2_147_483_647, NOW + 3600);
  const bytes = Buffer.from(token, 'latin1');
  const taken: string[] = [];
  for (let place = 0; place < bytes.length; place++) {
    for (let flip = 1; flip < 256; flip++) {
      const forged = Buffer.from(bytes);
      forged[place] ^= flip;
      const text = forged.toString('latin1');
      // The user of the forged text, too: a token that changes its user must not log that one in.
      const user = Number(text.split('.')[2]);
      for (const userId of [2_147_483_647, user]) {
        if (judgeToken([key], text, userId, NOW) === undefined) taken.push(text);
      }
    }
  }
  t.strictSame(taken, []);
  t.end();
});

t.test('what is cut short, made longer or written otherwise is refused', (t) => {
  const token = signToken(key, 42, NOW + 3600);
  const signature = token.split('.')[4];
  for (let length = 0; length < token.length; length++) {
    t.notOk(judgeToken([key], token.slice(0, length), 42, NOW) === undefined, `${length} characters`);
  }
  for (const other of [
    `${token}A`,
    `${token}=`,
    `${token}\n`,
    ` ${token}`,
    token.replace('.42.', '.042.'),
    token.replace('.42.', '.42.0.'),
    token.replace('.42.', '.+42.'),
    token.replace('.42.', '.4294967338.'),
    token.replace('hb1.', 'hb2.'),
    token.replace(signature, ''),
    token.toUpperCase(),
  ]) {
    t.ok([TokenFault.FORM, TokenFault.KEY].includes(judgeToken([key], other, 42, NOW) as never), JSON.stringify(other));
  }
  t.end();
});

t.test('another user, a key that is not in use, and another key of the same id are told apart', (t) => {
  const token = signToken(key, 42, NOW + 3600);
  const other: TokenKey = { id: 'aaaaaaaa', secret: key.secret };
  const impostor: TokenKey = { id: key.id, secret: new Uint8Array(SECRET_BYTES).fill(8) };
  t.equal(judgeToken([key], token, 43, NOW), TokenFault.USER);
  t.equal(judgeToken([other], token, 42, NOW), TokenFault.KEY);
  t.equal(judgeToken([], token, 42, NOW), TokenFault.KEY);
  t.equal(judgeToken([impostor], token, 42, NOW), TokenFault.SIGNATURE);
  t.equal(judgeToken([other, key], token, 42, NOW), undefined);
  t.end();
});

t.test('no text at all is taken by chance', async (t) => {
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^hb1\.5c01f00d\.\d{1,9}\.1[89]\d{8}\.[\w-]{43}$/));
  await checkProperty(
    t,
    'refused',
    fc.property(texts, (text) => judgeToken([key], text, Number(text.split('.')[2]), NOW) !== undefined),
    2000,
  );
});
