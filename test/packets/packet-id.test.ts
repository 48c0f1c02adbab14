// Tries packet ids: they carry slot and generation, and ids of sent packets and of shake packets never meet.

import fc from 'fast-check';
import t from 'tap';
import { MAX_PACKET_SLOTS } from '../../lib/packets/limits.ts';
import {
  generationOf,
  MAX_GENERATION,
  packetIdOf,
  SHAKE_NUMBERS,
  shakePacketIdOf,
  slotOf,
} from '../../lib/packets/packet-id.ts';
import { checkProperty } from './check-property.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const slots = fc.integer({ min: 0, max: MAX_PACKET_SLOTS - 1 });
const generations = fc.integer({ min: 1, max: MAX_GENERATION });

t.test('a packet id gives its slot and generation back, and lies between 2^20 and 2^31 - 1', async (t) => {
  const property = fc.property(generations, slots, (generation, slot) => {
    const id = packetIdOf(generation, slot);
    const isInRange = id >= 2 ** 20 && id < 2 ** 31;
    return slotOf(id) === slot && generationOf(id) === generation && isInRange;
  });
  await checkProperty(t, 'any generation and slot', property, 1000);
  t.equal(packetIdOf(1, 0), 2 ** 20, 'the first');
  t.equal(packetIdOf(MAX_GENERATION, MAX_PACKET_SLOTS - 1), 2 ** 31 - 1, 'the last');
});

t.test('the id of a shake packet has bit 31, is unsigned, and names no slot of the table', async (t) => {
  const numbers = fc.oneof(fc.integer({ min: 0, max: SHAKE_NUMBERS - 1 }), fc.constant(SHAKE_NUMBERS - 1));
  const property = fc.property(numbers, generations, slots, (number, generation, slot) => {
    const id = shakePacketIdOf(number);
    const isShake = id === 2 ** 31 + number && generationOf(id) > MAX_GENERATION;
    return isShake && id !== packetIdOf(generation, slot);
  });
  await checkProperty(t, 'any number', property, 1000);
  t.equal(shakePacketIdOf(0), 2 ** 31);
  t.equal(shakePacketIdOf(SHAKE_NUMBERS - 1), 2 ** 32 - 1);
});

t.test('numbers of shake packets start again after 2^31', (t) => {
  t.equal(shakePacketIdOf(SHAKE_NUMBERS), 2 ** 31);
  t.equal(shakePacketIdOf(SHAKE_NUMBERS + 5), 2 ** 31 + 5);
  t.equal(shakePacketIdOf(2 * SHAKE_NUMBERS - 1), 2 ** 32 - 1);
  t.end();
});
