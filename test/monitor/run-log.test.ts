// Tries the run log: what is written is read back, over rotated files too; old files go; a disk that fails is told once.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeRunHeader } from '../../lib/monitor/run-header.ts';
import { RunLog } from '../../lib/monitor/run-log.ts';
import { readRun } from '../../lib/monitor/run-reader.ts';
import { encodeValues, makeSample, SECOND } from './make-samples.ts';

const header = { ...makeRunHeader('test', 'hongbao test'), name: 'run' };

function open(t: Test, parts: { fileBytes?: number; keptBytes?: number } = {}) {
  const directory = join(t.testdir({}), 'runs');
  const errors: string[] = [];
  const log = new RunLog({ directory, header, onError: ({ message }) => errors.push(message), ...parts });
  return { directory, errors, log };
}

t.test('what is written is read back', async (t) => {
  const { log, errors } = open(t);
  const sample = makeSample({ counts: { won: 3 }, gauges: { level: 1 }, latency: { shake: encodeValues({ 7: 2 }) } });
  const verdict = {
    isPassed: true,
    checks: [{ what: 'shakes', target: '30,000/s', reached: '29,990/s', isPassed: true }],
    bothEnds: [{ what: 'won', client: 5, server: 5, isCents: false }],
  };
  log.write({ type: 'sample', sample });
  log.write({ type: 'mark', atMs: SECOND * 1000, text: '六万次每秒' });
  log.write({ type: 'verdict', ...verdict });
  await log.close();
  log.write({ type: 'mark', atMs: 1, text: 'too late' });
  const run = await readRun(log.path);
  t.match(run, { header, samples: [sample], marks: [{ text: '六万次每秒' }], verdict, badLines: 0 });
  t.equal(run.marks.length, 1);
  t.strictSame(errors, []);
});

t.test('a log that grows goes on in another file, and is read as one; each file says what it is', async (t) => {
  const { log, directory } = open(t, { fileBytes: 2000 });
  for (let sequence = 0; sequence < 100; sequence++) log.write({ type: 'sample', sample: makeSample({ sequence }) });
  await log.close();
  const names = readdirSync(directory);
  t.ok(names.length > 5 && names.includes('run.ndjson') && names.includes('run.1.ndjson'));
  for (const name of names)
    t.match(JSON.parse(readFileSync(join(directory, name), 'utf8').split('\n')[0]), { name: 'run' });
  const { samples } = await readRun(log.path);
  t.strictSame(
    samples.map(({ sequence }) => sequence),
    Array.from({ length: 100 }, (_, i) => i),
  );
  rmSync(log.path);
  const rest = await readRun(join(directory, 'run.1.ndjson'));
  t.equal(rest.samples.at(-1)!.sequence, 99, 'also when the first file is gone');
  t.ok(rest.samples[0].sequence > 0);
});

t.test('once it is closed all of its files are with the system, not the last one only', async (t) => {
  const text = 'x'.repeat(7 * 1024 * 1024);
  for (let round = 0; round < 10; round++) {
    const { log } = open(t, { fileBytes: 1000 });
    for (let i = 0; i < 4; i++) log.write({ type: 'mark', atMs: i, text: i === 3 ? 'the last' : text });
    await log.close();
    const { marks, badLines } = await readRun(log.path);
    t.strictSame([marks.map(({ atMs }) => atMs), badLines], [[0, 1, 2, 3], 0]);
    rmSync(join(log.path, '..'), { recursive: true });
  }
});

t.test('the oldest files go when all runs together are too much', async (t) => {
  const directory = join(t.testdir({}), 'runs');
  mkdirSync(directory);
  for (let i = 0; i < 5; i++) {
    const path = join(directory, `old-${i}.ndjson`);
    writeFileSync(path, 'x'.repeat(1000));
    utimesSync(path, SECOND + i, SECOND + i);
  }
  writeFileSync(join(directory, 'notes.txt'), 'y'.repeat(5000));
  const log = new RunLog({ directory, header, onError: (error) => t.fail(error.message), keptBytes: 2500 });
  await log.close();
  t.strictSame(readdirSync(directory).sort(), ['notes.txt', 'old-3.ndjson', 'old-4.ndjson', 'run.ndjson']);
});

t.test('a log that was cut off, or has rubbish in it, is read as far as it goes', async (t) => {
  const { log } = open(t);
  log.write({ type: 'sample', sample: makeSample() });
  await log.close();
  appendFileSync(log.path, '{"type":"sample","sample":{}}\n\nnull\n7\n{"type":"other"}\n{"type":"sample","samp');
  const { samples, badLines } = await readRun(log.path);
  t.strictSame([samples.length, badLines], [1, 5]);
});

t.test('what is no run log is an error', async (t) => {
  const directory = t.testdir({ 'empty.ndjson': '', 'text.ndjson': 'hello\n', 'sample.ndjson': '{"type":"mark"}\n' });
  await t.rejects(readRun(join(directory, 'empty.ndjson')), { message: /is not a run log: it is empty/ });
  await t.rejects(readRun(join(directory, 'text.ndjson')), { message: /text.ndjson is not a run log/ });
  await t.rejects(readRun(join(directory, 'sample.ndjson')), { message: /is not a run log/ });
  await t.rejects(readRun(join(directory, 'none.ndjson')), { code: 'ENOENT' });
});

t.test('a file that cannot be written is told once, and the rest is let go', async (t) => {
  const { log, errors, directory } = open(t);
  await log.close();
  t.equal(readdirSync(directory).length, 1);
  const second = new RunLog({ directory, header, onError: ({ message }) => errors.push(message) });
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (let i = 0; i < 10; i++) second.write({ type: 'sample', sample: makeSample() });
  await second.close();
  t.equal(errors.length, 1);
  t.match(errors[0], /EEXIST/);
});

t.test('so is one that fails when the log has gone on in another file already', async (t) => {
  const { log, errors, directory } = open(t, { fileBytes: 1000 });
  writeFileSync(join(directory, 'run.1.ndjson'), '');
  for (let i = 0; i < 20; i++) log.write({ type: 'sample', sample: makeSample() });
  await log.close();
  t.equal(errors.length, 1);
  t.match(errors[0], /EEXIST.*run\.1\.ndjson/);
});
