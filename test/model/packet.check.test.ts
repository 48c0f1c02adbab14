// Every interleaving of grabs, the closing of a packet, and the next packet in its slot: a share is one user's or goes back,
// never both and never neither; nobody gets a share of a packet that he did not ask for, or the amount of another.

import t from 'tap';
import { checkModel } from './checker.ts';
import { PacketModel, type PacketScene } from './packet-model.ts';

const SOUND: [string, PacketScene][] = [
  [
    'two users, two shares, each grabs twice',
    {
      grabs: [
        [1, 1],
        [1, 1],
      ],
      packets: 1,
      shares: 2,
    },
  ],
  ['three users, two shares', { grabs: [[1], [1], [1]], packets: 1, shares: 2 }],
  [
    'an old id while the slot has its next packet',
    {
      grabs: [
        [1, 2],
        [1, 1],
      ],
      packets: 2,
      shares: 1,
    },
  ],
  ['two packets of two shares', { grabs: [[1, 1], [2]], packets: 2, shares: 2 }],
  [
    'three packets in one slot',
    {
      grabs: [
        [1, 3],
        [2, 1],
      ],
      packets: 3,
      shares: 1,
    },
  ],
];

t.test('grabs, the closing and the reuse of a slot, in every interleaving', (t) => {
  let states = 0;
  let steps = 0;
  for (const [name, scene] of SOUND) {
    const checked = checkModel(new PacketModel(scene));
    t.same(checked.wrong, undefined, `${name}: ${checked.states} states, ${checked.steps} steps`);
    t.ok(checked.ends > 0 && checked.states > 100, 'it came to its end, and there was something to explore');
    states += checked.states;
    steps += checked.steps;
  }
  t.comment(`${states} states, ${steps} steps`);
  t.end();
});

const ONE: PacketScene = { grabs: [[1]], packets: 1, shares: 2 };
const REUSED: PacketScene = { grabs: [[1, 1]], packets: 2, shares: 1 };

/** Each of these is wrong, and the check must say how. */
const FLAWED: [PacketScene, RegExp][] = [
  [{ ...ONE, flaw: 'closes with a load and a store' }, /goes back that a user has/],
  [{ ...REUSED, flaw: 'grabs with a blind add' }, /takes a share of packet 2/],
  [{ ...REUSED, flaw: 'does not wait for the claims' }, /reads the amount of another packet/],
  [{ ...REUSED, flaw: 'leaves its claim before it has read' }, /reads the amount of another packet/],
  [{ ...REUSED, flaw: 'does not confirm the state' }, /told again of an amount that he did not get/],
  [{ ...REUSED, flaw: 'uses the same generation again' }, /takes a share of packet 2/],
  [
    { grabs: [[2]], packets: 2, shares: 1, flaw: 'opens a packet before it is filled' },
    /reads the amount of another packet/,
  ],
];

t.test('the check finds what is left out or in the wrong order, by the fewest steps', (t) => {
  for (const [scene, what] of FLAWED) {
    const { wrong } = checkModel(new PacketModel(scene));
    t.match(wrong?.what, what, `${scene.flaw}`);
    t.comment([`${scene.flaw}: ${wrong?.what}`, ...(wrong?.path ?? [])].join('\n    '));
  }
  t.end();
});
