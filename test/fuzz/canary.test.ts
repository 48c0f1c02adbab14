// The canary: the fuzzer's own checks, against servers that are broken on purpose. Each must be noticed, and for its own reason.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readReproducer } from '../../tools/fuzz/reproducer.ts';
import { type FuzzResult, MEMORY_RULE, runFuzz } from '../../tools/fuzz/run-fuzz.ts';
import { type Breakage, startBroken } from './broken-server.ts';

const SEED = Number(process.env.SEED ?? 11);
t.comment(`SEED=${SEED}`);
t.setTimeout(300_000);

async function fuzz(t: Test, breakage: Breakage | undefined, seconds = 1.5): Promise<FuzzResult> {
  const directory = t.testdir({});
  const data = join(directory, 'data');
  mkdirSync(data);
  const target = await startBroken(data, breakage);
  const result = await runFuzz(target, {
    seed: SEED,
    inputs: Number.POSITIVE_INFINITY,
    seconds,
    connections: 16,
    directory,
    hasPatience: false,
    memoryRule: MEMORY_RULE,
    // Long enough for a server that does answer, on a machine that does other things too.
    patienceMs: breakage === 'swallows a reply' || breakage === 'does not close' ? 1000 : 30_000,
    onProgress: () => {},
  });
  if (breakage === 'dies') await target.stop();
  return result;
}

t.test('a server behind the same relay that breaks nothing is found right', { timeout: 120_000 }, async (t) => {
  const { wrongs, counts } = await fuzz(t, undefined);
  t.strictSame(wrongs, []);
  t.ok(counts.connections > 20 && counts.inputs > 500, `${counts.inputs} inputs on ${counts.connections} connections`);
});

/** What is broken; the first few are tried in every run, all of them with CANARY=all, which takes some minutes. */
const BROKEN: [Breakage, RegExp, number?][] = [
  ['closes without a word', /the last word was none and not (frame|body|not-logged-in)/],
  ['counts wrongly', /the server counted \d+ closes/],
  ['dies', /the server ended with SIGSEGV/],
  ['audits badly', /audit: a record is missing/],
  ['swallows a reply', /waited 1000 ms for replies/],
  ['does not close', /waited 1000 ms for the server to close/],
  ['tells an honest user another amount', /honest user \d+: the (server|control API) says/, 3],
  ['fails over HTTP', /request \d+: answered HTTP\/1.1 500/, 4],
  ['leaks memory', /resident memory is not flat/, 4],
];

const TRIED = 4;

for (const [breakage, sentence, seconds] of BROKEN.slice(0, process.env.CANARY === 'all' ? BROKEN.length : TRIED)) {
  t.test(`a server that ${breakage} is noticed`, { timeout: 120_000 }, async (t) => {
    const { wrongs, reproducers } = await fuzz(t, breakage, seconds);
    t.match(
      wrongs.find((wrong) => sentence.test(wrong)),
      sentence,
      wrongs.join('\n'),
    );
    if (!/^(connection|request)/.test(wrongs[0])) return;
    const { connections, requests } = readReproducer(reproducers[0]);
    t.equal(connections.length + requests.length, 1, 'and one connection or request shows it again');
    for (const { inputs } of connections) t.ok(inputs.length <= 10, `made small: ${inputs.length} inputs`);
  });
}
