// The audit's own SHA-256 of a seed and a block number, against the crypto library.

import { hash, randomBytes } from 'node:crypto';
import t from 'tap';
import { makeSeedBlock } from '../../../tools/audit/seed-block.ts';

t.test('a block is the SHA-256 of the seed and the number', async (t) => {
  const block = new Uint32Array(8);
  for (let i = 0; i < 1000; i++) {
    const message = randomBytes(36);
    if (i === 0) message.fill(0);
    if (i === 1) message.fill(0xff);
    const words = Int32Array.from({ length: 8 }, (_, word) => message.readInt32BE(word * 4));
    makeSeedBlock(words, message.readUInt32BE(32), block);
    const bytes = Buffer.alloc(32);
    for (const [word, value] of block.entries()) bytes.writeUInt32BE(value, word * 4);
    if (bytes.toString('hex') !== hash('sha256', message, 'hex')) t.fail(message.toString('hex'));
  }
});
