// Calls of the control API, and what is said when what answers is none.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { callControl } from '../../tools/control-client.ts';

async function answer(t: Test, status: number, text: string): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end(text));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('the JSON of an answer is given, and a refusal thrown in the words of the server', async (t) => {
  t.strictSame(await callControl(await answer(t, 200, '{"open":3}'), 'GET', '/status'), { open: 3 });
  await t.rejects(callControl(await answer(t, 409, '{"message":"it is over"}'), 'GET', '/status'), {
    message: 'it is over',
  });
  await t.rejects(callControl(await answer(t, 502, '<html>'), 'GET', '/status'), { message: '/status answered 502' });
});

t.test('an answer that is not JSON is not taken for an empty one', async (t) => {
  for (const text of ['', '<html>', '{"open":03}']) {
    await t.rejects(callControl(await answer(t, 200, text), 'GET', '/status'), { message: /is not JSON/ }, text);
  }
});
