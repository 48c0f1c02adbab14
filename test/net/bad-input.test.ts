// What a peer may get wrong: each time a reply or a counted close, and the honest user beside it never notices.

import { pack } from 'msgpackr';
import t, { type Test } from 'tap';
import { MAX_FRAME_BYTES } from '../../lib/protocol/limits.ts';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { frame, grab, hello, login, ping, RawClient, shake, waitFor, words } from './raw-client.ts';
import { checkClose, closes, join, packetIdAt, send, serve, waitForOpen } from './test-server.ts';

const HIGHEST_USER = 0x7fff_ffff;
const HONEST_USER = 5000;

const server = await serve(t);
const honest = await join(t, server, HONEST_USER);

/** A test after which the honest user must still be served. */
function check(name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    await run(t);
    await waitForOpen(server, 1);
    t.same(await honest.shake(), { result: 'none', packetId: 0, amountCents: 0 }, 'the honest user is served');
  });
}

/** A client that said HELLO and was welcomed. */
async function greet(userId: number): Promise<RawClient> {
  const client = await RawClient.open(server.port);
  client.send(hello(userId));
  await client.take(Opcode.WELCOME);
  return client;
}

const illFramed: Record<string, Buffer> = {
  'LOGIN with a field too many': frame(Opcode.LOGIN, words(1, 2)),
  'SHAKE without its field': frame(Opcode.SHAKE, words()),
  'GRAB without its packet': frame(Opcode.GRAB, words(1)),
  'a length of 0': frame(Opcode.LOGIN, words(1), 0, 0),
  'a length of 11': frame(Opcode.HELLO, pack({ version: 1, userId: 1 }), 0, 11),
  'a LOGIN of 65,535 bytes': frame(Opcode.LOGIN, words(1), 0, 65_535),
  'a HELLO one byte over the longest frame': frame(Opcode.HELLO, Buffer.alloc(MAX_FRAME_BYTES - 11)),
  'the opcode between the classic ones and the extended ones': frame(7, words(1)),
  'an opcode above all others': frame(0xffff, words(1)),
  'an opcode that only the chat service answers with': frame(0x0201, pack('hi')),
  'an opcode that only servers send': frame(Opcode.SHAKE_RESULT, words(1, ShakeResult.WON, 1, 100)),
};

for (const [what, bytes] of Object.entries(illFramed)) {
  check(`${what} closes the connection and is counted as a bad frame`, async (t) => {
    await checkClose(t, server, 'frame', async () => {
      const client = await RawClient.open(server.port);
      client.send(login(1));
      await client.take(Opcode.LOGIN_RESULT);
      client.send(bytes, shake());
      t.equal(await client.end(), 'end');
      t.equal(client.frames.length, 1, 'a classic session is told nothing, and what stands behind is not read');
    });
    await checkClose(t, server, 'frame', async () => {
      const client = await greet(1);
      client.send(bytes);
      t.equal((await client.take(Opcode.ERROR)).body.code, 'frame', 'an extended session is told');
      t.equal(await client.end(), 'end');
    });
  });
}

check('an extended frame may be as long as the limit says', async (t) => {
  const client = await RawClient.open(server.port);
  const longest = ping(pack('x'.repeat(MAX_FRAME_BYTES - 12 - 3)));
  t.equal(longest.length, MAX_FRAME_BYTES);
  client.send(longest);
  t.equal((await client.take(Opcode.PONG)).bytes.length, MAX_FRAME_BYTES);
  client.leave();
});

const nest = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(0xc0)]);

const illPacked: Record<string, Uint8Array> = {
  'no value at all': Buffer.of(),
  'a cut value': pack({ version: 1, userId: 1 }).subarray(0, -1),
  'a second value': Buffer.concat([pack({ version: 1, userId: 1 }), pack(1)]),
  'an array of 2^32 - 1 items': Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff),
  'a map of 2^32 - 1 entries': Buffer.of(0xdf, 0xff, 0xff, 0xff, 0xff),
  'a string of 2^32 - 1 bytes': Buffer.of(0xdb, 0xff, 0xff, 0xff, 0xff),
  'arrays nested 9 deep': nest(9),
  'arrays nested 16,000 deep': nest(16_000),
  'an array of arrays of arrays': Buffer.alloc(16_000, 0xdc),
  'an extension': Buffer.of(0xd4, 0x72, 0x40),
  'a map with a number for a key': Buffer.of(0x81, 0x01, 0x01),
  'the byte that is never used': Buffer.of(0xc1),
};

for (const [what, body] of Object.entries(illPacked)) {
  check(`${what} for a body closes the connection and is counted as a bad body`, async (t) => {
    for (const opcode of [Opcode.HELLO, Opcode.PING]) {
      await checkClose(t, server, 'body', async () => {
        const client = await greet(1);
        client.send(frame(opcode, body), shake());
        t.equal((await client.take(Opcode.ERROR)).body.code, 'body');
        t.equal(await client.end(), 'end');
        t.equal(client.frames.length, 2);
      });
    }
  });
}

const illSaid: Record<string, unknown> = {
  nil: null,
  'a number': 1,
  'a list': [1, 1],
  'a token that is a number': { version: 1, userId: 1, token: 5 },
  'a token that is too long': { version: 1, userId: 1, token: 'x'.repeat(1025) },
};

for (const [what, body] of Object.entries(illSaid)) {
  check(`a HELLO of ${what} is a bad body`, async (t) => {
    await checkClose(t, server, 'body', async () => {
      const client = await RawClient.open(server.port);
      client.send(frame(Opcode.HELLO, pack(body)));
      t.equal((await client.take(Opcode.ERROR)).body.code, 'body');
      t.equal(await client.end(), 'end');
    });
  });
}

check('a HELLO of another version is refused with the version that is spoken; the connection stays', async (t) => {
  const client = await RawClient.open(server.port);
  client.send(frame(Opcode.HELLO, pack({ version: 2, userId: 1 }), 9));
  const error = await client.take(Opcode.ERROR);
  t.equal(error.stamp, 9n);
  t.equal(error.body.code, 'version');
  t.match(error.body.message, 'version 1');
  client.send(hello(1));
  t.equal((await client.take(Opcode.WELCOME)).body.userId, 1);
  client.leave();
});

check('any value of a PING comes back as it is, whatever it would grow to if it were packed anew', async (t) => {
  const client = await RawClient.open(server.port);
  const floats = Buffer.alloc(3 + 5 * 3000, Buffer.of(0xca, 0x3f, 0x8c, 0xcc, 0xcd));
  floats.set([0xdc, 3000 >> 8, 3000 & 0xff]);
  const bodies: Record<string, Uint8Array> = {
    nil: pack(null),
    'eight arrays in each other': nest(8),
    '3,000 floats of 4 bytes, which are longer as doubles': Buffer.concat([
      floats.subarray(0, 3),
      Buffer.alloc(15_000, Buffer.of(0xca, 0x3f, 0x8c, 0xcc, 0xcd)),
    ]),
    'an integer that no double holds': Buffer.of(0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    'a number written wider than need be': Buffer.of(0xce, 0, 0, 0, 1),
    'a key called __proto__': Buffer.concat([Buffer.of(0x81), pack('__proto__'), pack(1)]),
  };
  for (const [what, body] of Object.entries(bodies)) {
    client.send(ping(body, 77));
    const pong = await client.take(Opcode.PONG);
    t.equal(pong.stamp, 77n);
    t.strictSame(pong.bytes.subarray(12), Buffer.from(body), what);
  }
  client.leave();
});

check('a request before the login closes the connection', async (t) => {
  for (const [what, bytes] of Object.entries({ shake: shake(), grab: grab(packetIdAt(0)) })) {
    await checkClose(t, server, 'not-logged-in', async () => {
      const client = await RawClient.open(server.port);
      client.send(bytes, login(1));
      t.equal(await client.end(), 'end');
      t.same(client.frames, [], `${what}: no reply, and the login behind it is not read`);
    });
    await checkClose(t, server, 'not-logged-in', async () => {
      const client = await RawClient.open(server.port);
      client.send(hello(-1), bytes);
      t.equal((await client.take(Opcode.ERROR)).body.code, 'user');
      t.equal((await client.take(Opcode.ERROR)).body.code, 'not-logged-in', 'who tried HELLO is told');
      t.equal(await client.end(), 'end');
    });
  }
});

const aSend = { users: [1, 2], totalCents: 100, shares: 2, key: 'a key' };

const badMoney: Record<string, [opcode: number, body: unknown]> = {
  'a SEND of nothing': [Opcode.SEND, null],
  'a SEND of a list': [Opcode.SEND, [1, 2]],
  'a SEND without a key': [Opcode.SEND, { users: [1], totalCents: 100, shares: 2 }],
  'a SEND with a key that is too long': [Opcode.SEND, { ...aSend, key: 'é'.repeat(33) }],
  'a SEND to nobody': [Opcode.SEND, { ...aSend, users: [] }],
  'a SEND to one user twice': [Opcode.SEND, { ...aSend, users: [1, 1] }],
  'a SEND to more than a thousand': [Opcode.SEND, { ...aSend, users: Array.from({ length: 1001 }, (_, i) => i) }],
  'a SEND of half a cent': [Opcode.SEND, { ...aSend, totalCents: 0.5 }],
  'a SEND of less than nothing': [Opcode.SEND, { ...aSend, totalCents: -100 }],
  'a SEND of more than there is': [Opcode.SEND, { ...aSend, totalCents: 2 ** 31 }],
  'a SEND of a text': [Opcode.SEND, { ...aSend, totalCents: '100' }],
  'a SEND of an unknown mode': [Opcode.SEND, { ...aSend, mode: 'random' }],
  'a SEND that is over at once': [Opcode.SEND, { ...aSend, expiresInSeconds: 0 }],
  'a SEND with a note that is too long': [Opcode.SEND, { ...aSend, note: '红'.repeat(26) }],
  'a WALLET with a key': [Opcode.WALLET, { userId: 2 }],
  'a WALLET of a number': [Opcode.WALLET, 7],
  'a RECORDS of nothing': [Opcode.RECORDS, null],
  'a RECORDS without an end': [Opcode.RECORDS, { limit: 101 }],
  'a RECORDS of packet 0': [Opcode.RECORDS, { packetId: 0 }],
  'a RECORDS before the first': [Opcode.RECORDS, { before: 0 }],
};

for (const [what, [opcode, body]] of Object.entries(badMoney)) {
  check(`${what} is a bad body, and moves nothing`, async (t) => {
    await checkClose(t, server, 'body', async () => {
      const client = await greet(1);
      client.send(frame(opcode, pack(body)), shake());
      t.equal((await client.take(Opcode.ERROR)).body.code, 'body');
      await client.end();
      t.equal(client.frames.length, 2, 'what stands behind is not read');
    });
  });
}

check('SEND, WALLET and RECORDS before the login close the connection', async (t) => {
  for (const [opcode, body] of [
    [Opcode.SEND, aSend],
    [Opcode.WALLET, null],
    [Opcode.RECORDS, {}],
  ] as const) {
    await checkClose(t, server, 'not-logged-in', async () => {
      const client = await RawClient.open(server.port);
      client.send(frame(opcode, pack(body)));
      t.equal(await client.end(), 'end');
      t.same(client.frames, []);
    });
  }
});

check('a classic session may ask for its money too, in extended frames', async (t) => {
  const client = await RawClient.open(server.port);
  client.send(login(4711), frame(Opcode.WALLET, pack({}), 61), frame(Opcode.SEND, pack(aSend), 62));
  client.send(frame(Opcode.RECORDS, pack({}), 63));
  const wallet = await client.take(Opcode.WALLET_RESULT);
  t.strictSame([wallet.stamp, wallet.body], [61n, { balanceCents: 0, reservedCents: 0 }]);
  const sent = await client.take(Opcode.SENT);
  t.strictSame([sent.stamp, sent.body], [62n, { status: 'INSUFFICIENT' }]);
  const records = await client.take(Opcode.RECORDS_RESULT);
  t.strictSame([records.stamp, records.body], [63n, { records: [] }]);
  client.leave();
});

check('a user id out of range is refused; the connection may try again', async (t) => {
  const client = await RawClient.open(server.port);
  for (const userId of [HIGHEST_USER + 1, 0xffff_ffff]) {
    client.send(login(userId, 8));
    const { stamp, fields } = await client.take(Opcode.LOGIN_RESULT);
    t.strictSame([stamp, fields], [8n, [userId, LoginResult.BAD_USER]]);
  }
  for (const userId of [-1, HIGHEST_USER + 1, 2 ** 60, 1.5, Number.NaN, '5', null, undefined, [5]]) {
    client.send(hello(userId, 8));
    const { stamp, body } = await client.take(Opcode.ERROR);
    t.strictSame([stamp, body.code], [8n, 'user'], String(userId));
  }
  client.send(login(HIGHEST_USER));
  t.strictSame((await client.take(Opcode.LOGIN_RESULT)).fields, [HIGHEST_USER, LoginResult.OK], 'the highest is fine');
  client.leave();
});

check('a grab of an unknown packet gets nothing, whatever the id', async (t) => {
  const classic = await RawClient.open(server.port);
  classic.send(login(1));
  const rich = await greet(2);
  const unused = packetIdAt(1023);
  for (const packetId of [0, 1, 1023, unused, unused + 1, HIGHEST_USER, HIGHEST_USER + 1, 0x8010_0000, 0xffff_ffff]) {
    classic.send(grab(packetId, 6));
    const { stamp, fields } = await classic.take(Opcode.GRAB_RESULT);
    t.strictSame([stamp, fields], [6n, [packetId, 0]]);
    rich.send(grab(packetId));
    const { body } = await rich.take(Opcode.RICH_GRAB_RESULT);
    t.strictSame(body, { packetId, status: 'NOT_FOUND', amountCents: 0 });
  }
  classic.leave();
  rich.leave();
});

check('who shakes or grabs is who logged in, whatever user the frame names', async (t) => {
  const [packetId] = (await send(server, { shares: 1, total: 500, users: [101, 101] })).packetIds;
  const thief = await greet(100);
  thief.send(grab(packetId, 3, 101));
  t.strictSame((await thief.take(Opcode.RICH_GRAB_RESULT)).body, { packetId, status: 'NOT_INVITED', amountCents: 0 });
  thief.send(shake(4, 101));
  t.equal((await thief.take(Opcode.SHAKE_RESULT)).fields[0], 100);
  const invited = await greet(101);
  invited.send(grab(packetId, 3, 100));
  t.strictSame((await invited.take(Opcode.RICH_GRAB_RESULT)).body, { packetId, status: 'WON', amountCents: 500 });
  thief.leave();
  invited.leave();
});

check('stamps are 64 opaque bits, and come back as they were', async (t) => {
  const client = await RawClient.open(server.port);
  const stamp = 0xfedc_ba98_8765_4321n;
  client.send(
    frame(Opcode.LOGIN, words(3), stamp),
    frame(Opcode.SHAKE, words(0), stamp + 1n),
    frame(Opcode.GRAB, words(0, 1), stamp + 2n),
    frame(Opcode.PING, pack(1), stamp + 3n),
  );
  t.equal((await client.take(Opcode.LOGIN_RESULT)).stamp, stamp);
  t.equal((await client.take(Opcode.SHAKE_RESULT)).stamp, stamp + 1n);
  t.equal((await client.take(Opcode.GRAB_RESULT)).stamp, stamp + 2n);
  t.equal((await client.take(Opcode.PONG)).stamp, stamp + 3n);
  client.leave();
});

check('a client that vanishes in the middle of a frame leaves nothing behind', async (t) => {
  for (const [reason, part] of [
    ['peer', login(7).subarray(0, 3)],
    ['peer', login(7).subarray(0, 15)],
    ['error', login(7).subarray(0, 13)],
  ] as const) {
    await checkClose(t, server, reason, async () => {
      const client = await RawClient.open(server.port);
      const { received } = (await server.status()).bytes;
      client.send(part);
      await waitFor('the part to arrive', async () => (await server.status()).bytes.received > received);
      if (reason === 'peer') client.leave();
      else client.vanish();
    });
    const next = await RawClient.open(server.port);
    next.send(login(8));
    t.strictSame((await next.take(Opcode.LOGIN_RESULT)).fields, [8, 0], 'who comes to the same place starts afresh');
    next.leave();
    await waitForOpen(server, 1);
  }
});

check('frames may be cut and joined anywhere', async (t) => {
  const stream = Buffer.concat([hello(9), shake(), grab(1), ping()]);
  const client = await RawClient.open(server.port);
  for (const byte of stream) {
    client.socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.take(Opcode.PONG);
  await client.take(Opcode.RICH_GRAB_RESULT);
  t.same(
    client.frames.map(({ opcode }) => opcode).sort((a, b) => a - b),
    [0x0003, 0x0101, 0x0106, 0x0111],
  );
  client.leave();
});

check('whatever noise a thousand peers send, each is closed and counted', async (t) => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.comment(`SEED=${seed}`);
  let state = seed;
  const draw = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 2 ** 31) * below);
  };
  const good = [() => login(20), () => hello(21), () => shake(), () => grab(1), () => ping()];
  const count = async () => Object.values(await closes(server)).reduce((sum, closed) => sum + closed, 0);
  const before = await count();
  const peers = 1000;
  const batch = 50;
  for (let peer = 0; peer < peers; peer += batch) {
    const clients = await Promise.all(Array.from({ length: batch }, () => RawClient.open(server.port)));
    for (const client of clients) {
      const bytes = Buffer.concat(Array.from({ length: 1 + draw(5) }, () => good[draw(good.length)]()));
      for (let flips = draw(4); flips > 0; flips--) bytes[draw(bytes.length)] ^= 1 << draw(8);
      client.send(bytes);
      client.socket.end();
    }
    await Promise.all(clients.map((client) => client.end()));
  }
  await waitFor('all of them to be counted', async () => (await count()) - before === peers);
});
