// The keys that chat remembers: for each user, and of all.

import t from 'tap';
import { KeyMemory } from '../../lib/chat/key-memory.ts';
import { MAX_KEYS_PER_USER } from '../../lib/chat/limits.ts';

const known = (answer: number) => ({ digest: 'd', answer });

t.test('a key is remembered until as many others of its user came after it as may be', (t) => {
  const keys = new KeyMemory<number>();
  for (let i = 0; i < MAX_KEYS_PER_USER; i++) keys.add(1, `k${i}`, known(i));
  t.strictSame(keys.find(1, 'k0'), known(0));
  t.equal(keys.find(2, 'k0'), undefined, 'keys are of one user');
  keys.add(1, 'one more', known(99));
  t.equal(keys.find(1, 'k0'), undefined);
  t.strictSame(keys.find(1, 'k1'), known(1));
  t.equal(keys.size, MAX_KEYS_PER_USER);
  t.end();
});

t.test('when all keys are too many, the oldest of whoever was away longest is forgotten', (t) => {
  const keys = new KeyMemory<number>(4);
  keys.add(1, 'a', known(1));
  keys.add(2, 'b', known(2));
  keys.add(1, 'c', known(3));
  keys.add(3, 'd', known(4));
  keys.add(4, 'e', known(5));
  t.equal(keys.find(2, 'b'), undefined, 'user 1 was here since');
  t.ok(keys.find(1, 'a'));
  for (let i = 0; i < 1000; i++) keys.add(i, `n${i}`, known(i));
  t.equal(keys.size, 4);
  t.end();
});

t.test('a key that is taken back may be used anew', (t) => {
  const keys = new KeyMemory<number>();
  keys.add(1, 'a', known(1));
  keys.remove(1, 'a');
  keys.remove(1, 'a');
  t.strictSame([keys.find(1, 'a'), keys.size], [undefined, 0]);
  t.end();
});
