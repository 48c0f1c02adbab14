// The configuration of serve: flags over file over defaults, every option in the file and on the command line, and what a bad file says.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkServeValues, serveOptions } from '../../../tools/commands/serve.ts';
import { ConfigError } from '../../../tools/config/config-error.ts';
import { findMistakes, makeSchema, readConfigFile } from '../../../tools/config/config-file.ts';
import { planReload } from '../../../tools/config/reload.ts';
import { type OptionTable, settle, showValue, toCamelCase, withoutDefaults } from '../../../tools/config/settle.ts';
import { makeDataDirectory } from '../../data-directory.ts';
import { runCommand } from '../../server-process.ts';

const folder = makeDataDirectory();
let files = 0;

function write(content: unknown): string {
  const path = join(folder, `${files++}.json`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const mistakesIn = (json: unknown) => findMistakes(serveOptions, checkServeValues, json);

t.test('flags win over the file and the file over defaults, in every combination and for every kind of value', (t) => {
  const table: OptionTable = {
    number: { type: 'number', default: 1 },
    text: { type: 'string', default: 'a' },
    bool: { type: 'boolean', default: true },
  };
  const values = {
    default: { number: 1, text: 'a', bool: true },
    file: { number: 0, text: '', bool: false },
    flag: { number: 3, text: 'c', bool: true },
  };
  for (const name of Object.keys(table) as ('number' | 'text' | 'bool')[]) {
    for (const inFile of [false, true]) {
      for (const inFlags of [false, true]) {
        const file = inFile ? { [name]: values.file[name] } : {};
        const flags = inFlags ? { [name]: values.flag[name] } : {};
        const origin = inFlags ? 'flag' : inFile ? 'file' : 'default';
        const settled = settle(table, file, flags);
        t.strictSame(
          [settled.values[name], settled.origins[name]],
          [values[origin][name], origin],
          `${name}: ${origin}`,
        );
      }
    }
  }
  t.strictSame(toCamelCase({ 'max-shares': 1, a: 2, 'x-y-z': 3 }), { maxShares: 1, a: 2, xYZ: 3 });
  t.end();
});

t.test('every option of serve --help can stand in the file, and no other; --help shows every default', async (t) => {
  const { stdout } = await runCommand(['serve', '--help']);
  const inHelp = [...stdout.matchAll(/^ +--([a-z][a-z-]*) /gm)].map(([, name]) => name);
  const own = ['config', 'help', 'version'];
  t.strictSame(inHelp.filter((name) => !own.includes(name)).sort(), Object.keys(serveOptions).sort());
  t.strictSame(Object.keys(makeSchema(serveOptions).shape).sort(), Object.keys(serveOptions).sort());
  const defaults = Object.fromEntries(Object.entries(serveOptions).map(([name, option]) => [name, option.default]));
  t.strictSame(mistakesIn(defaults), [], 'the defaults are in order');
  t.equal([...stdout.matchAll(/\[default: /g)].length, Object.keys(serveOptions).length);
  t.match(stdout, /--port .*\n?.*\[default: 1025\]/);
  t.strictSame(withoutDefaults({ a: { default: 1, defaultDescription: 'one' } }), { a: { defaultDescription: 'one' } });
});

t.test('each mistake is a line that names its field; all of them are found at once', (t) => {
  for (const [json, mistakes] of [
    [[], ['the file must be one JSON object, such as {"port": 1025}']],
    [null, ['the file must be one JSON object, such as {"port": 1025}']],
    [7, ['the file must be one JSON object, such as {"port": 1025}']],
    [{}, []],
    [{ prot: 1 }, ['prot: there is no such option; did you mean port?']],
    [{ maxShares: 1 }, ['maxShares: there is no such option; did you mean max-shares?']],
    [{ config: 'x' }, ['config: there is no such option']],
    [{ __proto__x: 1 }, ['__proto__x: there is no such option']],
    [{ port: '1025' }, ['port: must be a number']],
    [{ port: null }, ['port: must be a number']],
    [{ samples: 'yes' }, ['samples: must be true or false']],
    [{ host: 5 }, ['host: must be a text']],
    [{ wait: 'sleep' }, ['wait: must be one of park, spin-then-park, spin']],
    [{ 'log-level': 'loud' }, ['log-level: must be one of debug, info, warn, error, silent']],
    [{ port: 65_536 }, ['port: must be a whole number from 0 to 65535']],
    [{ port: 65_535 }, []],
    [{ 'login-timeout': 0 }, ['login-timeout: must be a whole number from 1 to 3600']],
    [{ 'login-timeout': 3600, 'drain-seconds': 600, 'reconnect-seconds': 3600 }, []],
    [{ 'report-seconds': -1 }, ['report-seconds: must be a number from 0 to 86400']],
    [{ 'drain-to': 'nowhere' }, ['drain-to: must be host:port, not nowhere']],
    [{ monitor: 'x' }, ['monitor: must be an address such as http://127.0.0.1:8990, not x']],
    [{ workers: 3, sets: 2 }, ['workers: must be a whole number from 1 to 2']],
    [{ workers: 3, sets: 3 }, []],
    [
      { prot: 1, host: 5, sets: 0, 'max-shares': 0 },
      [
        'prot: there is no such option; did you mean port?',
        'host: must be a text',
        'sets: must be a whole number from 1 to 65536',
        'max-shares: must be a whole number from 1 to 500',
      ],
    ],
  ] as [unknown, string[]][]) {
    const found = mistakesIn(json);
    t.strictSame(
      found.map((line) => line.replace(/(max-shares: .* to )\d+/, '$1500')),
      mistakes,
      JSON.stringify(json),
    );
  }
  t.end();
});

t.test('a file that is not there or not JSON is one line', (t) => {
  const read = (path: string) => {
    try {
      readConfigFile(serveOptions, checkServeValues, path);
    } catch (error) {
      t.type(error, ConfigError);
      return (error as ConfigError).mistakes;
    }
    return [];
  };
  for (const [path, message] of [
    [join(folder, 'missing.json'), /missing\.json cannot be read: ENOENT/],
    [folder, /cannot be read: EISDIR/],
    [write(''), /is not JSON: /],
    [write('{"port": 1025,}'), /is not JSON: /],
    [write('port: 1025\nsets: 4'), /is not JSON: /],
  ] as const) {
    const mistakes = read(path);
    t.equal(mistakes.length, 1);
    t.match(mistakes[0], message);
    t.notMatch(mistakes[0], /\n/);
  }
  t.end();
});

t.test('secrets are not shown, and the paths of files that hold them are', (t) => {
  const table: OptionTable = {
    'admin-token': {},
    'session-key': {},
    'hash-secret-base': {},
    'token-key-file': {},
    'tls-key': { normalize: true },
    port: {},
    monitor: {},
  };
  const shown = Object.keys(table).map((name) => showValue(table, name, 'x'));
  t.strictSame(shown, ['(hidden)', '(hidden)', '(hidden)', 'x', 'x', 'x', 'x']);
  t.equal(showValue(table, 'admin-token', ''), 'none', 'there is nothing to hide');
  t.equal(showValue(table, 'monitor', 'http://me:word@10.0.0.5:8990'), 'http://me:(hidden)@10.0.0.5:8990');
  t.end();
});

t.test('a reload tells what it changes, what has to wait, and touches nothing else', (t) => {
  const table: OptionTable = { a: {}, b: {}, c: {}, 'x-token': {} };
  const live = new Set(['a', 'x-token']);
  const plan = planReload(table, live, { a: 1, b: 1, c: 1, 'x-token': 'p' }, { a: 2, b: 2, c: 1, 'x-token': 'q' });
  t.strictSame(plan, {
    values: { a: 2, b: 1, c: 1, 'x-token': 'q' },
    changes: ['a: 1 -> 2', 'x-token: (hidden) -> (hidden)'],
    needRestart: ['b'],
  });
  t.end();
});

t.test('hongbao config shows each value and where it comes from', async (t) => {
  const path = write({ port: 1111, sets: 8, 'log-level': 'warn' });
  const { code, stdout } = await runCommand(['config', '--config', path, '--port', '2222', '--no-samples']);
  t.equal(code, 0);
  const rows = new Map(
    stdout
      .split('\n')
      .map((line) => line.split(/ {2,}/))
      .map(([name, ...rest]) => [name, rest]),
  );
  t.strictSame(rows.get('port'), ['2222', 'flag']);
  t.strictSame(rows.get('sets'), ['8', 'file']);
  t.strictSame(rows.get('log-level'), ['warn', 'file']);
  t.strictSame(rows.get('samples'), ['false', 'flag']);
  t.strictSame(rows.get('host'), ['127.0.0.1', 'default']);
  const json = JSON.parse((await runCommand(['config', '--config', path, '--json'])).stdout);
  t.strictSame(json.port, { value: '1111', from: 'file' });
  t.strictSame(Object.keys(json), Object.keys(serveOptions));
});

t.test('hongbao config --check is 0 for a good file, and 1 with a line for each mistake of a bad one', async (t) => {
  const good = await runCommand(['config', '--check', write({ port: 1111 })]);
  t.strictSame([good.code, good.stderr], [0, '']);
  t.match(good.stdout, /no mistakes, 1 options/);
  const path = write({ port: 'x', sets: 0, prot: 5 });
  const bad = await runCommand(['config', '--check', path]);
  t.equal(bad.code, 1);
  t.strictSame(bad.stderr.trim().split('\n'), [
    `${path}: prot: there is no such option; did you mean port?`,
    `${path}: port: must be a number`,
    `${path}: sets: must be a whole number from 1 to 65536`,
  ]);
});

t.test('a bad file, and a bad flag beside a good one, are one line for serve and for config', async (t) => {
  const path = write({ port: 'x', sets: 0 });
  const tooMany = ['--config', write({ sets: 4 }), '--workers', '5'];
  for (const [args, message] of [
    [['serve', '--config', path], /port: must be a number \(and 1 more: hongbao config --check\)$/m],
    [['serve', ...tooMany], /--workers must be a whole number from 1 to 4/],
    [['config', ...tooMany], /--workers must be a whole number from 1 to 4/],
  ] as const) {
    const { code, stderr } = await runCommand([...args, '--data', makeDataDirectory()]);
    t.equal(code, 1);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, 'one line');
  }
});
