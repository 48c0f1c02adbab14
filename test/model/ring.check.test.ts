// Every interleaving of producers and a consumer that sleeps, for small rings, over the wrap of the sequences: no wake-up is
// lost, no slot is read too early or written too soon, all messages come in their order, once, and everybody gets on.

import t from 'tap';
import { checkModel } from './checker.ts';
import { RingModel, type RingScene } from './ring-model.ts';

/** Sequences that carry a few messages over the wrap of 31 bits, and over that of 32. */
const WRAP = 2 ** 31 - 2;

const SOUND: [string, RingScene][] = [
  ['one producer, a ring of two', { messages: [5], capacity: 2 }],
  ['one producer, a ring of four, over the sign', { messages: [6], capacity: 4, start: WRAP }],
  ['one producer over the end of 32 bits', { messages: [5], capacity: 2, start: -2 }],
  ['one producer, sleeps that end by themselves', { messages: [4], capacity: 2, timeouts: 2 }],
  ['one producer, a consumer that looks twice before it parks', { messages: [4], capacity: 2, spins: 2 }],
  ['two producers', { messages: [2, 2], capacity: 2 }],
  ['two producers and sleeps that end by themselves', { messages: [2, 1], capacity: 2, timeouts: 1 }],
  ['two producers, more than their rings hold', { messages: [3, 3], capacity: 2 }],
  ['three producers', { messages: [1, 1, 1], capacity: 2 }],
  ['an event loop', { messages: [5], capacity: 2, eventLoop: { reads: 2 } }],
  ['an event loop and two producers', { messages: [2, 2], capacity: 2, eventLoop: { reads: 1 } }],
];

t.test('the ring and its doorbell, in every interleaving', (t) => {
  let states = 0;
  let steps = 0;
  for (const [name, scene] of SOUND) {
    const checked = checkModel(new RingModel(scene));
    t.same(checked.wrong, undefined, `${name}: ${checked.states} states, ${checked.steps} steps`);
    t.ok(checked.ends > 0 && checked.states > 100, 'it came to its end, and there was something to explore');
    states += checked.states;
    steps += checked.steps;
  }
  t.comment(`${states} states, ${steps} steps`);
  t.end();
});

/** Each of these is wrong, and the check must say how. */
const FLAWED: [RingScene, RegExp][] = [
  [{ messages: [1], capacity: 2, flaw: 'no look again' }, /the consumer sleeps, there is work/],
  [{ messages: [1], capacity: 2, flaw: 'looks, then announces' }, /the consumer sleeps, there is work/],
  [{ messages: [1], capacity: 2, flaw: 'never rings' }, /the consumer sleeps, there is work/],
  [{ messages: [1], capacity: 2, flaw: 'looks at the bell, then publishes' }, /the consumer sleeps, there is work/],
  [{ messages: [1], capacity: 2, flaw: 'never rings', eventLoop: { reads: 0 } }, /the consumer sleeps, there is work/],
  [
    { messages: [1, 1], capacity: 2, flaw: 'looks again into its first ring only' },
    /the consumer sleeps, there is work/,
  ],
  [
    { messages: [1, 1], capacity: 2, flaw: 'clears the bell without comparing', eventLoop: { reads: 0 } },
    /two ring for one sleep/,
  ],
  [{ messages: [2], capacity: 2, flaw: 'wakes, then clears the bell' }, /the consumer sleeps, there is work/],
  [{ messages: [1], capacity: 2, flaw: 'publishes, then writes' }, /in the place of message 1 it reads nothing/],
  [
    { messages: [4], capacity: 2, flaw: 'releases, then reads' },
    /in the place of message|before the consumer has released/,
  ],
  [{ messages: [3], capacity: 2, flaw: 'one slot too many' }, /written before the consumer has released it/],
  [
    { messages: [5], capacity: 2, flaw: 'compares without wrapping', start: WRAP },
    /written before the consumer has released/,
  ],
];

t.test('the check finds what is left out or in the wrong order, by the fewest steps', (t) => {
  for (const [scene, what] of FLAWED) {
    const { wrong } = checkModel(new RingModel(scene));
    t.match(wrong?.what, what, `${scene.flaw}`);
    t.comment([`${scene.flaw}: ${wrong?.what}`, ...(wrong?.path ?? [])].join('\n    '));
  }
  t.end();
});
