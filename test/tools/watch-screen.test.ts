// Tries the full screen of `hongbao watch`: frames and what they are drawn with, and the terminal, which is given back.

import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { formatBlocks } from '../../tools/watch/charts.ts';
import { buildFrame } from '../../tools/watch/frame.ts';
import { Screen } from '../../tools/watch/screen.ts';
import { cleanText, cutText, renderLine, widthOf } from '../../tools/watch/styled-text.ts';
import { WatchState } from '../../tools/watch/watch-state.ts';
import { HELLO, makeLive, makeSecond, NOON } from './watch-facts.ts';

function makeDrop(id: number) {
  const counts = { count: 1000, rate: 100, released: 450, claimed: 440 };
  return {
    id,
    ...counts,
    totalCents: 500_000,
    claimedCents: 123_400,
    refundedCents: 0,
    state: 'releasing',
    isPaused: false,
  };
}

const VIEWS: [string, (state: WatchState) => void][] = [
  ['nothing yet', () => {}],
  [
    'a quiet server',
    (state) => {
      state.take({ kind: 'seconds', seconds: [{ second: NOON }] });
      state.take({ kind: 'state', state: { nowMs: 0, sources: [], refused: {} } });
    },
  ],
  ['a busy minute', (state) => fillMinute(state)],
  [
    'everything at its largest',
    (state) => {
      fillMinute(state);
      const money = { funded: 9e15, claimed: -9e15, refunded: 9e15, outstanding: 9e15, difference: -9e15 };
      const drops = Array.from({ length: 50 }, (_, i) => ({ ...makeDrop(4e9 + i), count: 9e9, isPaused: true }));
      const source = { source: '红包'.repeat(32), role: 'client', lastSecond: NOON, lost: 9e9, qps: 9e9 } as const;
      const sources = Array.from({ length: 40 }, () => ({ ...source, state: 'missing' as const }));
      const lastRefusal = `🧧\x1b[2J\u202e\r\n${'红'.repeat(300)}`;
      state.take({
        kind: 'state',
        state: makeLive({ money, drops, sends: drops, sources, lastRefusal, refused: { bad: 9e9 } }),
      });
      state.take({ kind: 'cut', reason: `${'长'.repeat(300)}` });
    },
  ],
];

function fillMinute(state: WatchState): void {
  const seconds = Array.from({ length: 70 }, (_, i) => makeSecond(NOON + i, 1000 * i + 5, 1000 * i));
  state.take({ kind: 'seconds', seconds });
  state.take({ kind: 'state', state: makeLive({ drops: [makeDrop(7), { ...makeDrop(6), state: 'closed' }] }) });
}

/** The state of a viewer that has just connected, and what has come since. */
function makeState(fill: (state: WatchState) => void): WatchState {
  const state = new WatchState('http://127.0.0.1:8989');
  state.take({ kind: 'hello', hello: HELLO });
  fill(state);
  return state;
}

t.test('a frame is never wider or higher than the terminal, and the same with colours', (t) => {
  const sizes = [
    [80, 24],
    [200, 60],
    [20, 5],
    [100, 30],
    [1, 1],
    [80, 10],
    [40, 100],
  ];
  for (const [name, fill] of VIEWS) {
    for (const [columns, rows] of sizes) {
      const state = makeState(fill);
      const frame = buildFrame(state, columns, rows, false);
      t.ok(frame.length <= rows, `${name} in ${columns}x${rows}: ${frame.length} lines`);
      const widest = Math.max(...frame.map(widthOf));
      t.ok(widest <= columns, `${name} in ${columns}x${rows}: ${widest} columns`);
      t.notMatch(frame.join(''), /\p{C}|NaN|undefined|Infinity|\[object/u);
      const colored = buildFrame(state, columns, rows, true).map(stripVTControlCharacters);
      t.strictSame(colored, frame);
    }
  }
  t.end();
});

t.test('80 by 24 show rates, charts, latency, money, drops, sources and refusals', (t) => {
  const text = buildFrame(makeState(fillMinute), 80, 24, false).join('\n');
  t.match(text, /^hongbao 9\.9\.9 {2}http:\/\/127\.0\.0\.1:8989 .*level 1 .*q quits$/m);
  t.match(text, /^client +68,006\/s [▁▂▃▄▅▆▇█]{60}$/m, 'the last whole second, and a minute');
  t.match(text, /^server +68,011\/s ▂.*█$/m);
  t.match(text, /^client +68,006 +67,999 +2 +- +3 +6 +1,200$/m);
  t.match(text, /^server +68,011 +68,005 +2 +4 +3 +6 +1,234$/m);
  t.match(text, /^client shake +500 +0\.200 +0\.400 +0\.800 +1\.600 +3\.200$/m);
  t.match(text, /^server grab( +-){6}$/m);
  t.match(text, /^ring wait 0\.10, worst 0\.78 ms {3}sync 2\.50 ms {3}CPU server 0\.25, client 0\.00$/m);
  t.match(text, /issued = claimed \+ refunded \+ outstanding {3}difference 0\.00$/m);
  t.match(text, /^5,000\.00 = 3,000\.00 \+ 500\.00 \+ 1,500\.00$/m);
  t.match(text, /^open drops 1, open sends 0/m, 'a closed one is not shown');
  t.match(text, /^drop 7 +releasing +\[####------\] {2}45% {2}450 of 1,000 {2}1,234\.00 of 5,000\.00$/m);
  t.match(text, /^sources 2 here$/m);
  t.match(text, /^samples refused none$/m);
  t.end();
});

t.test('more room shows more charts, and all drops, sends and sources', (t) => {
  const state = makeState(fillMinute);
  const drops = Array.from({ length: 9 }, (_, i) => makeDrop(i + 1));
  state.take({ kind: 'state', state: makeLive({ drops, sends: drops }) });
  const large = buildFrame(state, 200, 60, false).join('\n');
  for (let id = 1; id <= 9; id++) t.match(large, new RegExp(`^drop ${id} .*\n(.*\n)*send ${id} `, 'm'));
  t.match(large, /^sync +2\.500 ms █+$/m);
  t.match(large, /^client {2}client-1 +here +last \d\d:\d\d:\d\d {2}30,000 shakes a second asked$/m);
  const small = buildFrame(state, 80, 24, false).join('\n');
  t.match(small, /^drop 3 .*\nand 15 more$/m);
  t.match(small, /^sources 2 here$/m);
  t.end();
});

t.test('what is wrong is red: a difference, a source that is missing, a cut; without colours it is words', (t) => {
  const state = makeState((state) => {
    fillMinute(state);
    const money = { funded: 100, claimed: 90, refunded: 0, outstanding: 0, difference: 10 };
    const sources = [{ ...makeLive().sources[1], state: 'missing' as const }];
    state.take({ kind: 'state', state: makeLive({ money, sources, refused: { schema: 2 }, lastRefusal: 'no name' }) });
    state.take({ kind: 'cut', reason: 'connect ECONNREFUSED' });
  });
  const colored = buildFrame(state, 80, 24, true).join('\n');
  t.match(colored, '\x1b[31mdifference 0.10\x1b[0m');
  t.match(colored, '\x1b[31m1.00 = 0.90 + 0.00 + 0.00\x1b[0m');
  t.match(colored, '\x1b[31m, 1 missing: client-1 since ');
  t.match(colored, '\x1b[31mcut: connect ECONNREFUSED; trying to connect again');
  const plain = buildFrame(state, 80, 24, false).join('\n');
  t.match(plain, /^samples refused 2 schema; the last one: no name$/m);
  t.notMatch(plain, '\x1b');
  state.take({ kind: 'hello', hello: HELLO });
  t.notMatch(buildFrame(state, 80, 24, false).join('\n'), /cut:/);
  t.end();
});

t.test('blocks are as high as their values, and a second that is not there is a gap', (t) => {
  t.equal(formatBlocks([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█');
  t.equal(formatBlocks([undefined, 0, 0]), ' ▁▁');
  t.equal(formatBlocks([1, 1_000_000, undefined]), '▂█ ', 'anything above nothing can be seen');
  t.equal(formatBlocks([]), '');
  t.end();
});

t.test('wide characters take two columns, and others none', (t) => {
  const widths: [string, number][] = [
    ['plain', 5],
    ['红包', 4],
    ['🧧', 2],
    ['e\u0301', 1],
    ['한글', 4],
    ['ｆｕ', 4],
    ['▁█', 2],
    ['', 0],
  ];
  for (const [text, width] of widths) t.equal(widthOf(text), width, text);
  t.equal(cutText('a红包', 2), 'a', 'no half of a character');
  t.equal(cutText('a红包', 3), 'a红');
  t.equal(cutText('e\u0301x', 1), 'e\u0301');
  t.equal(cutText('abc', -1), '');
  t.equal(cleanText('a\x1b[2J\r\n\u202eb\u{f0000}'), 'a?[2J???b?');
  t.equal(
    renderLine([{ text: '红包', style: 'red' }, 'x'], 3, true),
    '\x1b[31m红\x1b[0m',
    'what is behind a cut is cut too',
  );
  t.end();
});

/** A terminal that keeps what is written to it. */
function makeTerminal() {
  const listeners = new Map<string, (keys: Buffer) => void>();
  const terminal = {
    written: '',
    isRaw: false,
    isTTY: true,
    columns: 80,
    rows: 24,
    write: (text: string) => {
      terminal.written += text;
    },
    setRawMode: (isRaw: boolean) => {
      terminal.isRaw = isRaw;
    },
    resume: () => {},
    pause: () => {},
    on: (name: string, listener: (keys: Buffer) => void) => listeners.set(name, listener),
    off: (name: string) => listeners.delete(name),
    emit: (name: string, keys = '') => listeners.get(name)?.(Buffer.from(keys)),
    listeners,
  };
  return terminal;
}

t.test('the terminal is given back as it was, also when the process ends by itself', (t) => {
  const exit = () => process.listeners('exit').at(-1)!(1);
  const fault = () => process.listeners('uncaughtExceptionMonitor').at(-1)!(new Error('a fault'), 'uncaughtException');
  for (const leave of [(screen: Screen) => screen.leave(), exit, fault]) {
    const terminal = makeTerminal();
    let quits = 0;
    let resizes = 0;
    const screen = new Screen(
      terminal,
      terminal,
      () => quits++,
      () => resizes++,
    );
    screen.leave();
    t.equal(terminal.written, '', 'nothing to give back yet');
    screen.enter();
    screen.enter();
    t.equal(terminal.written, '\x1b[?1049h\x1b[?25l\x1b[2J');
    t.ok(terminal.isRaw);
    for (const keys of ['x', 'q', '\x03', '\x1b[A']) terminal.emit('data', keys);
    t.equal(quits, 2);
    terminal.emit('resize');
    t.equal(resizes, 1);
    terminal.written = '';
    screen.draw(['one', 'two']);
    t.equal(terminal.written, '\x1b[H\x1b[Kone\r\n\x1b[Ktwo\r\n\x1b[J');
    terminal.written = '';
    leave(screen);
    screen.leave();
    t.equal(terminal.written, '\x1b[?25h\x1b[?1049l', 'once');
    t.notOk(terminal.isRaw);
    t.equal(terminal.listeners.size, 0);
  }
  t.end();
});
