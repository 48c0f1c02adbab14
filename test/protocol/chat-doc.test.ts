// The chat section of docs/PROTOCOL.md, and docs/CHAT.md, against the code: opcodes, statuses, bounds.

import { readFileSync } from 'node:fs';
import t from 'tap';
import * as bounds from '../../lib/chat/limits.ts';
import { ChatPush, ChatRequest } from '../../lib/protocol/chat.ts';
import { MAX_CHAT_FRAME_BYTES } from '../../lib/protocol/limits.ts';
import * as kept from '../../lib/sets/limits.ts';

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const doc = read('PROTOCOL.md');
const section = doc.slice(doc.indexOf('## Chat\n'), doc.indexOf('## Limits\n'));
const flat = section.replaceAll(/\s+/g, ' ');

t.test('the tables name every request and push of the built-in service with its number', (t) => {
  const rows = [...section.matchAll(/^\| (0x\w+) \| (\w+) \|/gm)].map(([, opcode, name]) => [name, Number(opcode)]);
  t.strictSame(Object.fromEntries(rows.slice(0, 11)), { ...ChatRequest });
  t.strictSame(Object.fromEntries(rows.slice(11)), { ...ChatPush });
  t.end();
});

t.test('the bounds in the documents are those of the code', (t) => {
  for (const fact of [
    `at most ${MAX_CHAT_FRAME_BYTES.toLocaleString('en')} bytes`,
    `1 to ${bounds.MAX_TEXT_CHARACTERS.toLocaleString('en')} characters, at most ${bounds.MAX_TEXT_BYTES.toLocaleString('en')} bytes`,
    `\`name\`: 1 to ${bounds.MAX_GROUP_NAME_CHARACTERS} characters`,
    `1 to ${bounds.MAX_GROUP_USERS - 1} different user ids`,
    `last ${bounds.MAX_KEYS_PER_USER} keys`,
    `at most ${bounds.MAX_FRIENDS} friends, and ${bounds.MAX_ASKS} asks`,
    `at most ${bounds.MAX_GROUP_USERS} users, and a user at most ${bounds.MAX_GROUPS_PER_USER} groups`,
    `ask ${bounds.REQUESTS_PER_SECOND} times a second, ${bounds.REQUESTS_AT_ONCE} at once`,
    `${bounds.GROUP_MESSAGES_PER_SECOND} times a second, ${bounds.GROUP_MESSAGES_AT_ONCE} at once`,
    `At most ${kept.MAX_CHAT_UNDER_WAY_PER_USER} requests of one user`,
    `the last ${kept.MAX_CHAT_QUEUE_FRAMES_PER_USER}, of at most ${kept.MAX_CHAT_QUEUE_BYTES_PER_USER / 1024} KiB`,
  ]) {
    t.ok(flat.includes(fact), fact);
  }
  const chat = read('CHAT.md').replaceAll(/\s+/g, ' ');
  for (const fact of [
    `\`unavailable\` after ${kept.CHAT_TIMEOUT_MS / 1000} s`,
    `blocks it for ${bounds.STUCK_MS / 1000} s`,
    `at most ${kept.MAX_CHAT_UNDER_WAY} requests of a worker`,
    `${kept.MAX_CHAT_QUEUE_BYTES / 2 ** 20} MiB for all users`,
    `up to ${bounds.MAX_RESTART_MS / 1000} s`,
  ]) {
    t.ok(chat.includes(fact), fact);
  }
  t.end();
});
