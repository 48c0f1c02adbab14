// The report of a run: its files, its pictures in both languages, what it leaves out, and what it says of logs that are none.

import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { mergeSamples } from '../../lib/monitor/merged-second.ts';
import type { RunHeader, RunLogLine } from '../../lib/monitor/run-log.ts';
import type { Run } from '../../lib/monitor/run-reader.ts';
import { formatAxisNumber, formatClock, logTicks, timeTicks } from '../../tools/report/axis.ts';
import { CHART_HEIGHT, CHART_WIDTH } from '../../tools/report/chart-frame.ts';
import { FONT_FILE } from '../../tools/report/draw.ts';
import { drawCharts } from '../../tools/report/draw-charts.ts';
import { findRun, loadRun } from '../../tools/report/find-run.ts';
import { MARK_FONT_PIXELS, measureText, placeMarks } from '../../tools/report/mark-labels.ts';
import { makePage } from '../../tools/report/page.ts';
import { makeTimeline, readPoints } from '../../tools/report/timeline.ts';
import { CHART_NAMES, FONT_CHARACTERS, type Language, WORDS } from '../../tools/report/words.ts';
import { writeReport } from '../../tools/report/write-report.ts';
import { UsageError } from '../../tools/usage-error.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { printSeed, seed } from '../packets/seed.ts';
import { runCommand } from '../server-process.ts';
import { readFontCharacters, readPng } from './report-files.ts';
import { FIRST_SECOND, makeRunLines, type SyntheticRun, writeRunLog } from './report-run.ts';

const HOSTILE = `<script>alert("x")</script><img src='http://evil.example/'>&`;

const TWO_PHASES: SyntheticRun = {
  seed,
  phases: [
    { qps: 3000, seconds: 60 },
    { qps: 6000, seconds: 60 },
  ],
  packetsPerSecond: 200,
  marks: [
    { atMs: FIRST_SECOND * 1000 + 400, text: 'phase 1: 3,000/s' },
    { atMs: (FIRST_SECOND + 60) * 1000, text: 'phase 2: 6,000/s' },
  ],
  verdict: {
    isPassed: false,
    checks: [
      { what: 'shakes/s of phase 2', target: '>= 5,900', reached: '6,001', isPassed: true },
      { what: 'p99', target: '<= 5 ms', reached: '9 ms', isPassed: false },
    ],
    bothEnds: [
      { what: 'shakes', client: 540_000, server: 540_000, isCents: false },
      { what: 'won', client: 13_200_055, server: 13_200_155, isCents: true },
    ],
  },
};

const SHORT: SyntheticRun = { ...TWO_PHASES, phases: [{ qps: 100, seconds: 5 }] };

printSeed(t);

/** Writes the log of a made-up run and its report. */
async function report(lines: readonly RunLogLine[], language: Language = 'en', torn = '') {
  const directory = makeDataDirectory();
  const log = join(directory, 'made-up.ndjson');
  writeRunLog(log, lines, torn);
  const output = join(directory, 'report');
  const { files } = await writeReport(await loadRun(log), output, { language });
  const page = readFileSync(join(output, 'index.html'), 'utf8');
  return { output, files, page };
}

/** Draws the charts of a made-up run and its page, without writing anything. */
function draw(lines: readonly RunLogLine[]) {
  const run: Run = { header: lines[0] as RunHeader & RunLogLine, samples: [], marks: [], badLines: 0 };
  for (const line of lines) {
    if (line.type === 'sample') run.samples.push(line.sample);
    else if (line.type === 'mark') run.marks.push(line);
    else if (line.type === 'verdict') run.verdict = line;
  }
  const timeline = makeTimeline(mergeSamples(run.samples));
  const charts = drawCharts({ words: WORDS.en, timeline, marks: run.marks });
  const svgs = new Map(charts.drawn.map(({ name, svg }) => [name, svg]));
  return { svgs, page: makePage(run, timeline, charts, WORDS.en) };
}

for (const language of ['en', 'zh'] as const) {
  t.test(`a run of both sides has every chart as SVG and PNG, and a page, in ${language}`, async (t) => {
    const { output, files, page } = await report(makeRunLines(TWO_PHASES), language, '{"type":"sample","sam');
    const wanted = ['index.html', ...CHART_NAMES.flatMap((name) => [`${name}.svg`, `${name}.png`])];
    t.strictSame(
      files,
      wanted.map((name) => join(output, name)),
    );
    t.strictSame(readdirSync(output).sort(), wanted.toSorted());
    const words = WORDS[language];
    for (const name of CHART_NAMES) {
      const { width, height, colors, inkedPixels } = readPng(join(output, `${name}.png`));
      t.strictSame([width, height], [2 * CHART_WIDTH, 2 * CHART_HEIGHT], `the size of ${name}.png`);
      t.ok(inkedPixels > 5000 && inkedPixels < width * height, `${name}.png shows something on white`);
      t.ok(colors > 20, `${name}.png has colours`);
      const svg = readFileSync(join(output, `${name}.svg`), 'utf8');
      const { title, shows, left, lines } = words.charts[name];
      const legend = Object.values(lines).length > 1 ? Object.values(lines) : [];
      for (const text of [title, shows, left, ...legend]) {
        t.ok(svg.includes(`>${text.replaceAll("'", '&#39;')}<`), `${name}.svg says ${text}`);
      }
      t.match(svg, />phase 1: 3,000\/s</);
      t.match(svg, />phase 2: 6,000\/s</);
      t.ok(page.includes(svg), `the page has ${name}.svg in it`);
    }
    t.match(page, language === 'en' ? '<html lang="en-US">' : '<html lang="zh-CN">');
    t.match(page, words.verdictFailed);
    t.match(page, '<td>132,000.55</td><td>132,001.55</td><td class="failed">-1.00</td>', 'cents are yuan');
    t.match(page, '<td>540,000</td><td>540,000</td><td class="passed">0</td>');
    t.match(page, /240 .*2 .*1 /, 'samples, marks, bad lines');
  });
}

t.test('the page runs no script and fetches nothing, and no element has the name of another', (t) => {
  const { page } = draw(makeRunLines(TWO_PHASES));
  t.notMatch(page, /<script|<link|<img|<iframe|@import|url\((?!#)/i);
  t.notMatch(page, /\b(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i);
  t.notMatch(page, / on\w+=/i);
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  t.ok(ids.length > CHART_NAMES.length);
  t.equal(new Set(ids).size, ids.length);
  t.end();
});

t.test('text of the log is text on the page and in the pictures', (t) => {
  const lines = makeRunLines({
    ...TWO_PHASES,
    header: {
      name: HOSTILE,
      program: HOSTILE,
      startedAt: HOSTILE,
      machine: { cpus: 1, cpu: HOSTILE, memoryBytes: 1, platform: HOSTILE, node: HOSTILE },
    },
    marks: [{ atMs: (FIRST_SECOND + 5) * 1000, text: HOSTILE }],
    verdict: {
      isPassed: true,
      checks: [{ what: HOSTILE, target: HOSTILE, reached: HOSTILE, isPassed: true }],
      bothEnds: [{ what: HOSTILE, client: 1, server: 1, isCents: true }],
    },
  });
  const { svgs, page } = draw(lines);
  t.notMatch(page, /<script|<img/);
  t.equal(page.split('&lt;script&gt;alert(&quot;x&quot;)').length - 1 >= 11, true, 'it is there, escaped');
  const svg = svgs.get('client-requests')!;
  t.notMatch(svg, /<script|<img/);
  t.match(svg, '&lt;script&gt;');
  t.end();
});

t.test('a verdict that compares no two ends has no table of them', (t) => {
  const verdict = { ...TWO_PHASES.verdict!, bothEnds: [] };
  t.match(draw(makeRunLines(SHORT)).page, WORDS.en.bothEnds.caption);
  const { page } = draw(makeRunLines({ ...SHORT, verdict }));
  t.notMatch(page, WORDS.en.bothEnds.caption);
  t.match(page, verdict.checks[0].what);
  t.end();
});

t.test('a gap in the samples is a gap in the line', (t) => {
  const countPieces = (gap?: { from: number; until: number }) => {
    const { svgs } = draw(makeRunLines({ ...TWO_PHASES, ...(gap === undefined ? {} : { gap }) }));
    const svg = svgs.get('requests-both-ends')!;
    const lines = [...svg.matchAll(/<path d="(M[^"]*)"[^>]*stroke="#(?:f6b57a|1f5fbf)"[^>]*stroke-linejoin/g)];
    t.equal(lines.length, 2, 'two lines');
    return lines.map(([, path]) => path.split('M').length - 1);
  };
  t.strictSame(countPieces(), [1, 1]);
  t.strictSame(countPieces({ from: 30, until: 40 }), [2, 2]);
  t.end();
});

t.test('without samples of a client, charts that need one are left out, and the page says why', (t) => {
  const { svgs, page } = draw(makeRunLines({ ...TWO_PHASES, roles: ['server'] }));
  for (const name of [
    'client-requests',
    'requests-both-ends',
    'packets-won',
    'client-latency',
    'client-latency-heat',
    'shedding',
  ] as const) {
    t.notOk(svgs.has(name), name);
    t.notMatch(page, `${name}.svg`);
  }
  t.match(page, 'Client: latency of a shake: the run has no samples of load clients.');
  t.match(page, 'Not drawn: client: received: the run has no samples of load clients.');
  t.notMatch(svgs.get('money-both-ends'), 'client: received');
  t.equal(svgs.size, CHART_NAMES.length - 6);
  t.end();
});

t.test('a chart whose names no sample has is left out, and files of an earlier report go', async (t) => {
  const lines = makeRunLines(SHORT);
  const { output } = await report(lines);
  for (const line of lines) {
    if (line.type !== 'sample') continue;
    delete line.sample.counts.nicRxPackets;
    delete line.sample.counts.nicTxPackets;
  }
  const log = join(makeDataDirectory(), 'without.ndjson');
  writeRunLog(log, lines);
  t.ok(existsSync(join(output, 'network.png')));
  await writeReport(await loadRun(log), output, { language: 'en' });
  t.notOk(existsSync(join(output, 'network.png')));
  t.match(
    readFileSync(join(output, 'index.html'), 'utf8'),
    'Server: network packets per second: the samples of the server have no nicRxPackets, nicTxPackets.',
  );
});

t.test('what is no histogram, mark or verdict counts as a bad line', async (t) => {
  const lines = makeRunLines(SHORT);
  const sample = lines.find((line) => line.type === 'sample')!.sample;
  sample.latency = { shake: 'AAAA' };
  lines.push({ type: 'mark', atMs: 'soon', text: 5 } as unknown as RunLogLine);
  const { page } = await report(lines);
  t.match(page, '9 samples, 2 marks, 2 lines that could not be read.');
  const verdictless = makeRunLines({ ...SHORT, verdict: { isPassed: true } as SyntheticRun['verdict'] & object });
  t.match((await report(verdictless)).page, WORDS.en.noVerdict);
});

t.test('every character of the texts has a glyph in the font of the pictures, which is small', (t) => {
  const glyphs = readFontCharacters(FONT_FILE);
  const missing = [...FONT_CHARACTERS].filter((character) => !glyphs.has(character));
  t.strictSame(missing, [], 'make the font again: tools/report/font/README.md says how');
  t.notOk(glyphs.has('龘'), 'the reader of the font can say no');
  t.ok(readFileSync(FONT_FILE).length < 300_000);
  t.match(readFileSync(join(FONT_FILE, '../OFL.txt'), 'utf8'), 'SIL OPEN FONT LICENSE Version 1.1');
  t.end();
});

t.test(
  'lines of long runs are thinned out: rates to their mean, latencies to their largest, totals to the last',
  (t) => {
    const seconds = Array.from({ length: 6000 }, (_, i) => ({
      second: FIRST_SECOND + i,
      server: { sources: 1, counts: {}, rates: { x: i % 4 }, gauges: {}, latency: {} },
    }));
    const timeline = makeTimeline(seconds.filter((_, i) => i < 2000 || i >= 2400));
    t.equal(timeline.pointSeconds, 4);
    const line = {
      key: 'x',
      role: 'server' as const,
      names: ['x'],
      read: ({ rates }: { rates: Record<string, number> }) => rates.x,
      color: '#000',
      width: 1,
    };
    const means = readPoints(timeline, line, 'mean');
    t.equal(means.length, 1401, 'with one gap');
    t.strictSame(means.slice(498, 503), [
      [1992, 1.5],
      [1996, 1.5],
      [2396, null],
      [2400, 1.5],
      [2404, 1.5],
    ]);
    t.strictSame(readPoints(timeline, line, 'max').slice(0, 2), [
      [0, 3],
      [4, 3],
    ]);
    t.strictSame(readPoints(timeline, line, 'total').slice(0, 2), [
      [0, 6],
      [4, 12],
    ]);
    t.end();
  },
);

t.test('labels of marks do not cover each other, stay inside, and become numbers when they are many', (t) => {
  const space = { firstSecond: 1000, lengthSeconds: 600, left: 92, right: 924 };
  const marksAt = (...seconds: number[]) =>
    seconds.map((at) => ({ atMs: (1000 + at) * 1000, text: `phase at ${at} s` }));
  for (const marks of [marksAt(0, 1, 300, 305, 599), marksAt(...Array.from({ length: 40 }, (_, i) => i * 15))]) {
    const { labels, rows } = placeMarks(marks, space);
    t.equal(labels.length, marks.length);
    t.ok(rows <= 3);
    const boxes = labels.map(({ labelX, text, row }) => ({
      row,
      from: labelX,
      to: labelX + measureText(text, MARK_FONT_PIXELS),
    }));
    for (const [i, a] of boxes.entries()) {
      t.ok(a.to <= space.right && a.from >= space.left, `label ${i} is inside`);
      t.ok(
        boxes.every((b, j) => i === j || a.row !== b.row || a.to < b.from || b.to < a.from),
        `label ${i} is alone`,
      );
    }
  }
  const texts = (marks: { atMs: number; text: string }[]) => placeMarks(marks, space).labels.map(({ text }) => text);
  t.strictSame(texts(marksAt(0, 300)), ['phase at 0 s', 'phase at 300 s']);
  t.strictSame(texts(marksAt(...Array.from({ length: 40 }, (_, i) => i * 15))).slice(0, 3), ['1', '2', '3']);
  t.strictSame(texts([{ atMs: 1_100_000, text: '龘' }]), ['1'], 'what the font has not is a number');
  t.strictSame(texts(marksAt(-1, -500, 5000, 601)), ['phase at -1 s', 'phase at 601 s'], 'near ones are at the edge');
  t.end();
});

t.test('ticks are at round values around the data, and numbers are readable', (t) => {
  t.strictSame(timeTicks(120), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
  t.ok(timeTicks(40 * 86_400).length <= 13);
  t.strictSame(logTicks(0.3, 7), [0.2, 0.5, 1, 2, 5, 10]);
  t.strictSame(logTicks(1, 1), [1, 2]);
  t.strictSame(logTicks(0.03, 500), [0.01, 0.1, 1, 10, 100, 1000]);
  t.strictSame([0, 59.6, 600, 3599, 3600, 86_399].map(formatClock), [
    '0:00',
    '1:00',
    '10:00',
    '59:59',
    '1:00:00',
    '23:59:59',
  ]);
  t.strictSame(
    [0.05, 30_000, 12_500_000].map((value) => formatAxisNumber(value, 'en-US')),
    ['0.05', '30,000', '12.5M'],
  );
  t.equal(formatAxisNumber(12_500_000, 'zh-CN'), '1250万');
  t.end();
});

t.test('a directory stands for the newest run in it, or in its runs', async (t) => {
  const directory = makeDataDirectory();
  t.throws(() => findRun(directory), { message: `there is no run log (NAME.ndjson) in ${directory}` });
  const runs = join(directory, 'runs');
  mkdirSync(runs);
  for (const [name, seconds] of [
    ['old.ndjson', 1000],
    ['long.ndjson', 500],
    ['long.1.ndjson', 2000],
  ] as const) {
    writeFileSync(join(runs, name), '');
    utimesSync(join(runs, name), seconds, seconds);
  }
  t.equal(findRun(directory), join(runs, 'long.ndjson'), 'a run goes on in further files');
  t.equal(findRun(runs), join(runs, 'long.ndjson'));
  writeFileSync(join(directory, 'here.ndjson'), '');
  t.equal(findRun(directory), join(directory, 'here.ndjson'));
});

t.test('the command says where the page is', async (t) => {
  const directory = makeDataDirectory();
  writeRunLog(join(directory, 'a.ndjson'), makeRunLines(SHORT));
  const output = join(directory, 'out');
  const { code, stdout, stderr } = await runCommand(['report', directory, '-o', output, '--lang', 'zh']);
  t.equal(code, 0, stderr);
  t.equal(stdout, `${join(output, 'index.html')}\n`);
  t.match(readFileSync(join(output, 'index.html'), 'utf8'), WORDS.zh.charts['client-requests'].title);
});

t.test('a mistake is one line, and exit code 1', async (t) => {
  const directory = makeDataDirectory();
  const fileOf = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const header = `${JSON.stringify(makeRunLines(SHORT)[0])}\n`;
  const whole = fileOf('whole.ndjson', '');
  writeRunLog(whole, makeRunLines(SHORT));
  const mistakes: [string[], RegExp][] = [
    [[join(directory, 'nothing.ndjson')], /^hongbao: there is no .*nothing\.ndjson$/],
    [[fileOf('text.ndjson', 'hello\n')], /^hongbao: cannot read the run: .* is not a run log$/],
    [[fileOf('bare.ndjson', header)], /^hongbao: the run synthetic has no samples: there is nothing to draw$/],
    [[whole, '--lang', 'fr'], /Invalid values/],
  ];
  for (const [args, message] of mistakes) {
    const { code, stderr } = await runCommand(['report', ...args]);
    t.equal(code, 1, args.join(' '));
    t.match(stderr.trim(), message);
    t.equal(stderr.trim().split('\n').length, 1, 'one line');
  }
  const isNoRunLog = { constructor: UsageError, message: /^cannot read the run: .* is not a run log/ };
  await t.rejects(loadRun(fileOf('empty.ndjson', '')), isNoRunLog);
  await t.rejects(loadRun(fileOf('other.ndjson', '{"type":"run"}\n')), isNoRunLog);
  await t.rejects(writeReport(await loadRun(whole), join(whole, 'x'), { language: 'en' }), {
    constructor: UsageError,
    message: /^cannot write the report to .*$/,
  });
});
