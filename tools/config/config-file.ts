// The config file of a command: one JSON object, with the options by their long names, checked as the flags are.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { defaultsOf, type OptionTable, type Values } from './settle.ts';

/** Checks whole values, by long name, against their bounds. @throws {Error} whose message begins with the flag, for the first mistake */
export type CheckValues = (values: Record<string, unknown>) => void;

/** The schema of a config file: every option, each of the type that its flag has. */
export function makeSchema(table: OptionTable) {
  return z.strictObject(Object.fromEntries(Object.entries(table).map(([name, option]) => [name, fieldOf(option)])));
}

/** Reads a config file and checks it. @throws {ConfigError} with every mistake */
export function readConfigFile(table: OptionTable, check: CheckValues, path: string): Values {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const how = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new ConfigError([`${path} ${how}: ${(error as Error).message.replaceAll(/\s+/g, ' ')}`]);
  }
  const mistakes = findMistakes(table, check, json);
  if (mistakes.length > 0) throw new ConfigError(mistakes.map((mistake) => `${path}: ${mistake}`));
  return json as Values;
}

/** Every mistake in the content of a config file, each as a line that begins with its field. */
export function findMistakes(table: OptionTable, check: CheckValues, json: unknown): string[] {
  const result = makeSchema(table).safeParse(json);
  const issues = result.success ? [] : result.error.issues;
  if (issues.some(({ code, path }) => path.length === 0 && code !== 'unrecognized_keys')) {
    return ['the file must be one JSON object, such as {"port": 1025}'];
  }
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  const ofTypes = issues.filter(({ path }) => path.length > 0);
  const bad = new Set([...unknown, ...ofTypes.map(({ path }) => String(path[0]))]);
  const good = Object.entries(json as object).filter(([name]) => !bad.has(name));
  return [
    ...unknown.map((name) => `${name}: there is no such option${suggest(table, name)}`),
    ...ofTypes.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ...findOutOfBounds(table, check, Object.fromEntries(good)),
  ];
}

/** Has the values checked again without the one that was named, until nothing more is named. */
function findOutOfBounds(table: OptionTable, check: CheckValues, values: Record<string, unknown>): string[] {
  const mistakes: string[] = [];
  const left = { ...values };
  for (;;) {
    try {
      check({ ...defaultsOf(table), ...left });
      return mistakes;
    } catch (error) {
      const { message } = error as Error;
      const name = /^--([\w-]+) /.exec(message)?.[1] ?? '';
      if (!(name in left)) return [...mistakes, message];
      mistakes.push(`${name}: ${message.slice(name.length + 3)}`);
      delete left[name];
    }
  }
}

function fieldOf({ type, choices, array }: OptionTable[string]) {
  if (choices !== undefined) {
    const names = choices.map(String);
    return z.enum(names, { error: `must be one of ${names.join(', ')}` }).optional();
  }
  const field = FIELDS[type as keyof typeof FIELDS] ?? FIELDS.string;
  return array === true || type === 'array' ? z.array(field, { error: 'must be a list' }).optional() : field.optional();
}

const FIELDS = {
  number: z.number({ error: 'must be a number' }),
  boolean: z.boolean({ error: 'must be true or false' }),
  string: z.string({ error: 'must be a text' }),
} as const;

/** The option that was meant, if one differs by its spelling only: camelCase, underscores, or a letter or two. */
function suggest(table: OptionTable, name: string): string {
  const plain = name
    .replace(/^no-/, '')
    .replaceAll(/[^a-z]/gi, '')
    .toLowerCase();
  const nearest = Object.keys(table)
    .map((option) => ({ option, distance: countEdits(plain, option.replaceAll('-', '')) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return nearest !== undefined && nearest.distance <= MOST_EDITS ? `; did you mean ${nearest.option}?` : '';
}

const MOST_EDITS = 2;

/** How many letters have to be put in, taken away or changed to make one text the other. */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[to.length];
}
