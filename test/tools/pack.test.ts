// The npm package: what `npm pack` makes can be installed in another folder, and its command and its library work there.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { makeDataDirectory } from '../data-directory.ts';
import { collect, type Ended, ServerProcess } from '../server-process.ts';

/** Long for a busy machine; it starts many processes. */
t.setTimeout(300_000);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What is in npm's cache is not fetched again, and a registry that cannot be reached fails the test at once. */
const NPM_FLAGS = ['--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries=0'];

const PROGRAM = `
import { HongbaoClient, type ShakeResultOf } from 'hongbao';

const client: HongbaoClient = await HongbaoClient.connect({ port: Number(process.argv[2]), reconnect: false });
await client.login(3);
const answer: ShakeResultOf = await client.shake();
console.log(JSON.stringify(answer));
client.close();
`;

/** Runs a command in a folder; it must end with 0. */
async function run(t: Test, folder: string, command: string, ...args: string[]): Promise<Ended> {
  const ended = await collect(spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }));
  t.equal(ended.code, 0, `${command} ${args[0]}${ended.code === 0 ? '' : `: ${ended.stderr}`}`);
  return ended;
}

t.test('the packed package works where it is installed', async (t) => {
  const folder = makeDataDirectory();
  await run(t, ROOT, 'npm', 'pack', '--pack-destination', folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'elsewhere', private: true, type: 'module' }));
  await run(t, folder, 'npm', 'install', ...NPM_FLAGS, './hongbao-0.1.0.tgz');

  t.match((await run(t, folder, 'npx', 'hongbao', '--version')).stdout, /0\.1\.0/);
  t.match((await run(t, folder, 'npx', 'hongbao', 'load', '--help')).stdout, /--connections/);

  const server = await ServerProcess.start();
  t.teardown(() => server.signal('SIGKILL'));
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'src/program.ts'), PROGRAM);
  const tsc = ['--module', 'nodenext', '--target', 'es2024', '--strict', '--skipLibCheck', '--ignoreConfig'];
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  await run(t, folder, join(ROOT, 'node_modules/.bin/tsc'), ...tsc, ...types, '--outDir', 'out', 'src/program.ts');
  const { stdout } = await run(t, folder, process.execPath, 'out/program.js', String(server.port));
  t.strictSame(JSON.parse(stdout), { result: 'none', packetId: 0, amountCents: 0 });

  const load = [
    'load',
    '--target',
    `127.0.0.1:${server.port}`,
    '--connections',
    '10',
    '--qps',
    '100',
    '--duration',
    '1',
  ];
  t.match((await run(t, folder, 'npx', 'hongbao', ...load)).stdout, /shakes answered\s+100\s/);
  await server.stop();
});
