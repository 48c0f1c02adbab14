// The files of secrets: who may read them, what is refused, rotation, retirement, and a server that looks on.

import { chmodSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AccessError } from '../../lib/access/access-error.ts';
import {
  CONTROL_RIGHTS,
  ControlGate,
  controlFileOf,
  makeControlFile,
  readControlTokens,
} from '../../lib/access/control-tokens.ts';
import { KeyWatch } from '../../lib/access/key-watch.ts';
import { MAX_KEYS, MAX_SECRET_FILE_BYTES } from '../../lib/access/limits.ts';
import { isLoopback } from '../../lib/access/loopback.ts';
import { judgeToken, signToken, TokenFault, type TokenKey } from '../../lib/access/token.ts';
import { keyFileOf, listKeys, makeKeyFile, readTokenKeys, retireKey, rotateKeys } from '../../lib/access/token-keys.ts';
import { waitFor } from '../net/raw-client.ts';

const NOW = 1_700_000_000;

/** Checks that an AccessError with this code comes, without a secret in it. */
function refuses(t: Test, code: AccessError['code'], act: () => unknown, secrets: readonly string[] = []): void {
  try {
    act();
    t.fail(`not refused as ${code}`);
  } catch (error) {
    t.ok(error instanceof AccessError, String(error));
    t.equal((error as AccessError).code, code, (error as Error).message);
    for (const secret of secrets) t.notOk((error as Error).stack!.includes(secret), 'the secret is not shown');
  }
}

const files = {
  keys: { path: keyFileOf, make: (data: string) => makeKeyFile(data, NOW), read: readTokenKeys },
  control: { path: controlFileOf, make: makeControlFile, read: readControlTokens },
};

t.test('a control token can be the value of a flag: none looks like a flag itself', (t) => {
  const data = t.testdir({});
  for (let i = 0; i < 500; i++) {
    makeControlFile(data);
    const tokens = Object.values(readControlTokens(data));
    if (tokens.some((token) => token.startsWith('-'))) t.fail(`file ${i} has a token that starts with -`);
    rmSync(controlFileOf(data));
  }
  t.end();
});

for (const [name, { path, make, read }] of Object.entries(files)) {
  t.test(`the file of ${name} is made once, for its owner only`, (t) => {
    const data = t.testdir({});
    refuses(t, 'missing', () => read(data));
    t.equal(make(data), true);
    t.equal(statSync(path(data)).mode & 0o777, 0o600);
    const text = readFileSync(path(data), 'utf8');
    t.equal(make(data), false, 'there is one');
    t.equal(readFileSync(path(data), 'utf8'), text);
    t.notOk(existsSync(`${path(data)}.new`));
    t.end();
  });

  t.test(`the file of ${name} is refused when others have any right to it, and taken when they have none`, (t) => {
    const data = t.testdir({});
    make(data);
    const secrets = [...readFileSync(path(data), 'utf8').matchAll(/[\w-]{43}/g)].map(([secret]) => secret);
    t.ok(secrets.length > 0);
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777]) {
      chmodSync(path(data), mode);
      refuses(t, 'exposed', () => read(data), secrets);
    }
    for (const mode of [0o600, 0o400, 0o700]) {
      chmodSync(path(data), mode);
      t.ok(read(data));
    }
    t.end();
  });

  t.test(`the file of ${name} is refused when it is a link, or is damaged, and its words are not repeated`, (t) => {
    const data = t.testdir({});
    make(data);
    const text = readFileSync(path(data), 'utf8');
    const secrets = [...text.matchAll(/[\w-]{43}/g)].map(([secret]) => secret);
    for (const damaged of ['', '{', text.slice(0, -4), text.replace(secrets[0], 'short'), text.replace('1', '2')]) {
      writeFileSync(path(data), damaged);
      refuses(t, 'damaged', () => read(data), secrets);
    }
    writeFileSync(path(data), text + ' '.repeat(MAX_SECRET_FILE_BYTES - text.length));
    t.ok(read(data), 'as large as it may be');
    writeFileSync(path(data), text + ' '.repeat(MAX_SECRET_FILE_BYTES - text.length + 1));
    refuses(t, 'damaged', () => read(data));
    rmSync(path(data));
    writeFileSync(join(data, 'elsewhere'), text, { mode: 0o600 });
    symlinkSync('elsewhere', path(data));
    refuses(t, 'exposed', () => read(data));
    t.end();
  });
}

t.test('after a rotation the new key signs, and tokens of the old one are good until it is retired', (t) => {
  const data = t.testdir({});
  makeKeyFile(data, NOW);
  const [first] = readTokenKeys(data);
  const old = signToken(first, 42, NOW + 3600);
  const id = rotateKeys(data, NOW + 1);
  const keys = readTokenKeys(data);
  t.strictSame(
    keys.map((key) => key.id),
    [first.id, id],
  );
  t.notSame(keys[1].secret, keys[0].secret);
  t.equal(judgeToken(keys, old, 42, NOW), undefined);
  t.equal(judgeToken(keys, signToken(keys.at(-1)!, 42, NOW + 3600), 42, NOW), undefined);
  t.equal(statSync(keyFileOf(data)).mode & 0o777, 0o600);

  refuses(t, 'refused', () => retireKey(data, id, NOW));
  refuses(t, 'refused', () => retireKey(data, 'unknown1', NOW));
  retireKey(data, first.id, NOW + 2);
  refuses(t, 'refused', () => retireKey(data, first.id, NOW));
  t.equal(judgeToken(readTokenKeys(data), old, 42, NOW), TokenFault.KEY);
  t.strictSame(listKeys(data), [
    { id: first.id, createdAt: NOW, retiredAt: NOW + 2, isSigning: false },
    { id, createdAt: NOW + 1, retiredAt: undefined, isSigning: true },
  ]);
  const gone = Buffer.from(first.secret).toString('base64url');
  t.notOk(readFileSync(keyFileOf(data), 'utf8').includes(gone), 'a retired secret is deleted');
  t.end();
});

t.test('a file is full of keys in use, and has room again when one of them is retired', (t) => {
  const data = t.testdir({});
  makeKeyFile(data, NOW);
  while (listKeys(data).length < MAX_KEYS) rotateKeys(data, NOW);
  refuses(t, 'refused', () => rotateKeys(data, NOW));
  t.equal(listKeys(data).length, MAX_KEYS);
  const [oldest] = listKeys(data);
  retireKey(data, oldest.id, NOW);
  const id = rotateKeys(data, NOW);
  t.equal(listKeys(data).length, MAX_KEYS);
  t.equal(listKeys(data).at(-1)!.id, id);
  t.notOk(listKeys(data).some((key) => key.id === oldest.id));
  t.end();
});

t.test('two changes at once cannot undo each other, and one that failed leaves nothing behind', (t) => {
  const data = t.testdir({});
  makeKeyFile(data, NOW);
  refuses(t, 'refused', () => retireKey(data, 'unknown1', NOW));
  t.notOk(existsSync(`${keyFileOf(data)}.new`));
  writeFileSync(`${keyFileOf(data)}.new`, '');
  refuses(t, 'busy', () => rotateKeys(data, NOW));
  t.ok(existsSync(`${keyFileOf(data)}.new`), 'that of the other change is left alone');
  rmSync(`${keyFileOf(data)}.new`);
  rotateKeys(data, NOW);
  t.end();
});

t.test('a running server hears of another file, and keeps its keys when that one is bad', async (t) => {
  const data = t.testdir({});
  makeKeyFile(data, NOW);
  const told: TokenKey[][] = [];
  const errors: string[] = [];
  const watch = new KeyWatch({
    data,
    onKeys: (keys) => told.push(keys),
    onError: (error) => errors.push(error.message),
  });
  t.teardown(() => watch.stop());
  t.strictSame(await watch.start(), readTokenKeys(data));
  rotateKeys(data, NOW);
  await waitFor('the new keys', () => told.length === 1);
  t.strictSame(told[0], readTokenKeys(data));
  chmodSync(keyFileOf(data), 0o644);
  await waitFor('the error', () => errors.length === 1);
  t.match(errors[0], /the keys stay as they were: others may read/);
  chmodSync(keyFileOf(data), 0o600);
  await waitFor('the keys again', () => told.length === 2);
  rmSync(keyFileOf(data));
  await waitFor('the error', () => errors.length === 2);
  t.match(errors[1], /the keys stay as they were: there is no/);
});

t.test('the gate of the control API knows its two tokens, and nothing else', (t) => {
  const data = t.testdir({});
  makeControlFile(data);
  const tokens = readControlTokens(data);
  t.not(tokens.read, tokens.operate);
  const gate = new ControlGate(tokens);
  for (const right of CONTROL_RIGHTS) {
    t.equal(gate.rightOf(`Bearer ${tokens[right]}`), right);
    t.equal(gate.rightOf(`bearer ${tokens[right]}`), right);
    const bytes = Buffer.from(tokens[right]);
    for (let place = 0; place < bytes.length; place++) {
      const forged = Buffer.from(bytes);
      forged[place] ^= 1;
      t.equal(gate.rightOf(`Bearer ${forged.toString('latin1')}`), undefined);
    }
    for (const header of [
      tokens[right],
      `Basic ${tokens[right]}`,
      `Bearer ${tokens[right]}A`,
      `Bearer ${tokens[right]} `,
    ]) {
      t.equal(gate.rightOf(header), undefined);
    }
  }
  for (const header of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${'A'.repeat(100_000)}`]) {
    t.equal(gate.rightOf(header), undefined);
  }
  t.end();
});

t.test('loopback is what only this machine reaches; a name may be anything', (t) => {
  for (const host of [
    '127.0.0.1',
    '127.1.2.3',
    'localhost',
    'LocalHost',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
  ]) {
    t.ok(isLoopback(host), host);
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '',
    '10.0.0.1',
    '128.0.0.1',
    '127.0.0.1.example',
    'localhost.example',
    '::2',
    'host',
  ]) {
    t.notOk(isLoopback(host), host);
  }
  t.end();
});
