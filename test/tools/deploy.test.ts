// The unit of systemd and the Dockerfile: they ship, what they call exists, and their bounds agree with each other.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { DEFAULT_SERVER_OPTIONS } from '../../lib/server-options.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { runCommand } from '../server-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const unit = readFileSync(join(ROOT, 'tools/systemd/hongbao.service'), 'utf8');
const dockerfile = readFileSync(join(ROOT, 'tools/docker/Dockerfile'), 'utf8');

const settings = new Map(
  unit
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
);

t.test('every flag that the unit and the Dockerfile use is one of serve --help', async (t) => {
  const { stdout } = await runCommand(['serve', '--help']);
  const flags = [
    ...`${unit}\n${dockerfile}`.matchAll(/hongbao (?:serve|hongbao serve)? *(--.*)$|CMD \["serve", (.*)\]/gm),
  ]
    .flatMap(([line]) => [...line.matchAll(/--[a-z][a-z-]*/g)])
    .map(([flag]) => flag)
    .filter((flag) => !['--ulimit', '--stop-timeout', '--global'].includes(flag));
  t.ok(flags.includes('--config') && flags.includes('--drain-seconds') && flags.length >= 8, flags.join(' '));
  for (const flag of flags) t.match(stdout, new RegExp(`^ +${flag} `, 'm'), flag);
});

t.test('the unit waits longer than the server drains, and lets it have the connections of a process', (t) => {
  const drain = Number(/--drain-seconds (\d+)/.exec(settings.get('ExecStart')!)![1]);
  t.equal(drain, DEFAULT_SERVER_OPTIONS.drainSeconds);
  t.ok(Number(settings.get('TimeoutStopSec')) > drain);
  t.match(dockerfile, /--stop-timeout 20 /);
  t.equal(settings.get('LimitNOFILE'), '1048576');
  t.match(settings.get('ExecReload'), /-HUP \$MAINPID/);
  const data = /--data (\S+)/.exec(settings.get('ExecStart')!)![1];
  t.equal(settings.get('ReadWritePaths'), data);
  t.equal(`/var/lib/${settings.get('StateDirectory')}`, data);
  for (const [name, value] of Object.entries({
    NoNewPrivileges: 'yes',
    ProtectSystem: 'strict',
    Restart: 'on-failure',
  })) {
    t.equal(settings.get(name), value, name);
  }
  t.notOk(settings.has('MemoryDenyWriteExecute'), 'V8 could not start');
  t.end();
});

t.test('both are in the package, and the Dockerfile asks for the health where it is by default', (t) => {
  const { files, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const folder of ['tools/systemd', 'tools/docker', 'docs']) t.ok(files.includes(folder), folder);
  t.ok(`hongbao-${version}.tgz`.startsWith('hongbao-'));
  t.match(dockerfile, new RegExp(`HEALTHCHECK[^]*127\\.0\\.0\\.1:${DEFAULT_SERVER_OPTIONS.controlPort}/healthz`));
  t.match(dockerfile, new RegExp(`^EXPOSE ${DEFAULT_SERVER_OPTIONS.port}$`, 'm'));
  t.end();
});

t.test('systemd finds nothing wrong with the unit', (t) => {
  if (!existsSync('/usr/bin/systemd-analyze')) {
    t.pass('not tried: there is no systemd-analyze');
    t.end();
    return;
  }
  const folder = join(makeDataDirectory(), 'units');
  mkdirSync(folder);
  const path = join(folder, 'hongbao.service');
  const verify = (text: string) => {
    writeFileSync(path, text);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
    // What other units of this machine lack is not ours.
    return { status, told: `${stdout}${stderr}`.split('\n').filter((line) => line.includes('hongbao')) };
  };
  // The command is not installed here; the one of the checkout stands for it.
  const local = unit.replace('ExecStart=/usr/bin/hongbao', `ExecStart=${process.execPath}`);
  t.strictSame(verify(local).told, []);
  t.not(verify(local.replace('ProtectSystem=strict', 'ProtectSystem=maybe')).told.length, 0, 'and it would say so');
  t.end();
});
