// The request keys of users: found while they are among the last 256, whatever others do.

import t from 'tap';
import { KEYS_PER_USER } from '../../lib/ledger/limits.ts';
import { type KeyUse, RequestKeys } from '../../lib/sets/request-keys.ts';

const use = (signature: number, packetId = 5): KeyUse => ({ kind: 'send', signature, packetId });

t.test('a key is known to its user alone, with what it did', (t) => {
  const keys = new RequestKeys();
  keys.add(1, 'a', use(10));
  t.strictSame(keys.find(1, 'a'), use(10));
  t.equal(keys.find(2, 'a'), undefined);
  t.equal(keys.find(1, 'b'), undefined);
  keys.remove(1, 'a');
  t.equal(keys.find(1, 'a'), undefined);
  keys.remove(1, 'a');
  t.end();
});

t.test('one key more than are remembered makes the oldest forgotten, of that user only', (t) => {
  const keys = new RequestKeys();
  keys.add(2, 'key 0', use(0));
  for (let i = 0; i < KEYS_PER_USER; i++) keys.add(1, `key ${i}`, use(i));
  t.ok(keys.find(1, 'key 0'));
  keys.add(1, 'one more', use(1));
  t.equal(keys.find(1, 'key 0'), undefined);
  t.ok(keys.find(1, 'key 1'));
  t.ok(keys.find(2, 'key 0'));
  t.end();
});

t.test('a send that is under way is not forgotten', (t) => {
  const keys = new RequestKeys();
  keys.add(1, 'under way', use(0, 0));
  for (let i = 0; i < 2 * KEYS_PER_USER; i++) keys.add(1, `key ${i}`, use(i));
  t.ok(keys.find(1, 'under way'));
  keys.find(1, 'under way')!.packetId = 9;
  keys.add(1, 'one more', use(1));
  t.equal(keys.find(1, 'under way'), undefined, 'but is, once it has ended');
  t.end();
});
