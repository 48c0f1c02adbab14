// Seeds are drawn for many at once, and each is nobody else's.

import t from 'tap';
import { SeedSource } from '../../lib/packets/seed-source.ts';

t.test('each seed is 32 bytes of its own, over several draws of the system', (t) => {
  const source = new SeedSource();
  const seeds = Array.from({ length: 1000 }, () => source.draw());
  t.ok(seeds.every(({ length, buffer }) => length === 32 && buffer.byteLength === 32));
  t.equal(new Set(seeds.map((seed) => Buffer.from(seed).toString('hex'))).size, 1000);
  const kept = Buffer.from(seeds[0]).toString('hex');
  source.draw();
  t.equal(Buffer.from(seeds[0]).toString('hex'), kept, 'it stays as it is when others are drawn');
  t.end();
});
