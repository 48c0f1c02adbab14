// Runs the simulation with many seeds: `node test/sim/run-sim.ts --seeds 5000 --from 1`. Prints one line with what
// happened in them, and ends with 1 at the first seed that fails, whose number it prints.

import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '5000' }, from: { type: 'string', default: '1' } },
});
const from = Number(values.from);
const seeds = Number(values.seeds);
const startedAt = performance.now();
const totals: Record<string, number> = {};
for (let seed = from; seed < from + seeds; seed++) {
  try {
    for (const [name, count] of Object.entries(await simulate(seed))) totals[name] = (totals[name] ?? 0) + count;
  } catch (error) {
    process.stderr.write(
      `${(error as Error).stack}\nseed ${seed} fails; SEED=${seed} or --from ${seed} --seeds 1 repeats it\n`,
    );
    process.exit(1);
  }
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
const counts = Object.entries(totals).map(([name, count]) => `${name} ${count}`);
process.stdout.write(`seeds ${seeds}, ${counts.join(', ')}, seconds ${seconds}\n`);
