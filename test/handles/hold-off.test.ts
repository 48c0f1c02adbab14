// What did not pay is left alone for a while, longer each time it happens again, and shorter once it pays.

import t from 'tap';
import { HoldOff } from '../../lib/handles/hold-off.ts';

/** How many occasions are left alone now. */
function countSkipped(holdOff: HoldOff): number {
  let skipped = 0;
  while (holdOff.skips()) skipped++;
  return skipped;
}

t.test('twice as long each time, 16 to 4,096 occasions', (t) => {
  const holdOff = new HoldOff();
  t.equal(countSkipped(holdOff), 0);
  for (const skipped of [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096]) {
    holdOff.countLoss();
    t.equal(countSkipped(holdOff), skipped);
  }
  t.end();
});

t.test('each gain halves what the next loss costs', (t) => {
  const holdOff = new HoldOff();
  for (let losses = 0; losses < 4; losses++) holdOff.countLoss();
  holdOff.countGain();
  holdOff.countLoss();
  t.equal(countSkipped(holdOff), 128);
  for (let gains = 0; gains < 10; gains++) holdOff.countGain();
  holdOff.countLoss();
  t.equal(countSkipped(holdOff), 16);
  t.end();
});
