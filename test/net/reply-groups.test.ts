// Sorting a batch of replies by connection: each connection's in their order, all of one connection together.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { NONE, ReplyGroups } from '../../lib/net/reply-groups.ts';
import { checkProperty } from '../packets/check-property.ts';

const CONNECTIONS = 20;

function walk(groups: ReplyGroups): number[] {
  const places: number[] = [];
  for (let place = groups.first(); place !== NONE; place = groups.after(place)) places.push(place);
  return places;
}

t.test('an empty batch has no replies', (t) => {
  const groups = new ReplyGroups(CONNECTIONS);
  groups.clear();
  t.strictSame(walk(groups), []);
  t.end();
});

t.test('replies come by connection, in the order of the first ones, each connection in its own order', async (t) => {
  const groups = new ReplyGroups(CONNECTIONS);
  const reply = fc.record({ connection: fc.nat(CONNECTIONS - 1), slots: fc.integer({ min: 1, max: 3 }) });
  const property = fc.property(fc.array(reply, { maxLength: 3000 }), (replies) => {
    groups.clear();
    const byConnection = new Map<number, number[]>();
    let place = 0;
    for (const { connection, slots } of replies) {
      groups.add(connection, place);
      byConnection.set(connection, [...(byConnection.get(connection) ?? []), place]);
      place += slots;
    }
    assert.deepEqual(walk(groups), [...byConnection.values()].flat());
  });
  await checkProperty(t, 'every batch', property, 300);
});
