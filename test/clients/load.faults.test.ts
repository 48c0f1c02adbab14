// Tries whole load tests against servers that misbehave: what was lost, doubled or never answered is counted as just that.

import t from 'tap';
import { countUnanswered } from '../../clients/load/load-totals.ts';
import { formatResult } from '../../clients/load/print-result.ts';
import { runLoad } from '../../clients/load/run-load.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { frame, words } from '../net/raw-client.ts';
import { behaveWell, FakeServer, logInOnly } from './fake-server.ts';
import { optionsFor } from './load-request.ts';

// Most of a load test is waiting.
t.jobs = 6;

const nobody = () => {};

for (const [how, drop] of [
  ['breaks', (socket: { destroy: () => void }) => socket.destroy()],
  ['closes in good order', (socket: { end: () => void }) => socket.end()],
  ['resets', (socket: { resetAndDestroy: () => void }) => socket.resetAndDestroy()],
] as const) {
  t.test(
    `connections that the server ${how} while shakes are under way are counted, and made again`,
    { buffered: true },
    async (t) => {
      // The third shake of each of the first ten connections is the last thing that it brings.
      const shakes = new Map<number, number>();
      let received = 0;
      let answered = 0;
      const server = await FakeServer.start(t, (request, socket) => {
        if (request.opcode === Opcode.SHAKE) {
          received++;
          const count = (shakes.get(request.connection) ?? 0) + 1;
          shakes.set(request.connection, count);
          if (request.connection < 10 && count === 3) return drop(socket);
          // On a busy machine more may follow before the client notices.
          if (request.connection < 10 && count > 3) return;
          answered++;
        }
        behaveWell(request, socket);
      });
      const { totals, isDrained } = await runLoad(optionsFor(server, { threads: 2, durationSeconds: 2 }), nobody);
      t.match(totals, { lostConnections: 10, failedConnects: 0, unexpected: 0, connected: 10 });
      t.equal(server.sockets.length, 20, 'each was made again once');
      t.equal(totals.sent + totals.skipped, 200, 'what was due was sent, or could not be');
      t.ok(totals.sent >= received, `${totals.sent} were sent, ${received} arrived`);
      t.equal(totals.answered, answered);
      t.ok(countUnanswered(totals) >= 10, 'the shakes that each lost stay unanswered');
      t.equal(countUnanswered(totals), totals.sent - answered);
      // Each connection sends three at least.
      t.ok(totals.skipped >= 50 && totals.skipped <= 170, `${totals.skipped} were due while there was no connection`);
      t.equal(isDrained, false);
    },
  );
}

t.test('a server that answers twice is found out', { buffered: true }, async (t) => {
  const server = await FakeServer.start(t, (request, socket) => {
    behaveWell(request, socket);
    if (request.opcode !== Opcode.LOGIN) behaveWell(request, socket);
    else socket.write(frame(Opcode.NOTICE, words(5, 6, 7, 0, 0, 0)));
  });
  const { totals, isDrained } = await runLoad(optionsFor(server, { qps: 50, drainSeconds: 5 }), nobody);
  t.match(totals, { sent: 50, answered: 50, none: 50, notices: 10, grabsSent: 10, grabsAnswered: 10, unexpected: 60 });
  t.equal(isDrained, true);
});

t.test('a backlog that is answered late counts for the time that it took', { buffered: true }, async (t) => {
  const lateMs = 1000;
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.opcode === Opcode.SHAKE) setTimeout(() => behaveWell(request, socket), lateMs);
    else behaveWell(request, socket);
  });
  const options = optionsFor(server, { durationSeconds: 0.5, drainSeconds: 5 });
  const result = await runLoad(options, nobody);
  t.equal(result.totals.answered, 50);
  t.equal(result.shakeSeconds, 0.5);
  t.ok(result.answerSeconds > 1.4, `the last answer after ${result.answerSeconds} s`);
  t.match(formatResult(options, result)[0], /: (3\d|2\d|1\d|\d)\/s answered$/, 'not the 100/s that were asked');
});

t.test(
  'a server that never answers leaves the test undrained, with every shake unanswered',
  { buffered: true },
  async (t) => {
    const server = await FakeServer.start(t, logInOnly);
    const startedAt = performance.now();
    const { totals, isDrained, shakeLatency } = await runLoad(optionsFor(server, { durationSeconds: 0.5 }), nobody);
    const tookMs = performance.now() - startedAt;
    t.match(totals, { sent: 50, answered: 0, unexpected: 0, lostConnections: 0 });
    t.equal(countUnanswered(totals), 50);
    t.equal(isDrained, false);
    t.equal(shakeLatency.totalCount, 0);
    t.ok(tookMs > 800 && tookMs < 15_000, `it took ${tookMs} ms, of which 300 were for draining`);
  },
);

t.test('a shake that is sent just before the end is waited for', { buffered: true }, async (t) => {
  const delayMs = 300;
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.opcode === Opcode.SHAKE) setTimeout(() => behaveWell(request, socket), delayMs);
    else behaveWell(request, socket);
  });
  // Several at once: whether the last report of a thread is too old depends on when it started.
  const runs = Array.from({ length: 6 }, async (_, user) => {
    const options = optionsFor(server, { users: [user, user], qps: 1, drainSeconds: 3 });
    let whileConnected: unknown;
    const result = await runLoad(
      options,
      (phase, totals) => {
        if (phase !== 'connecting' || totals.connected === 0) return;
        // One shake is due at each whole second. Let there be one, 30 ms before the end.
        const startMs = Math.ceil((Date.now() + 50) / 100) * 100;
        options.durationSeconds = (Math.ceil((startMs + 10) / 1000) * 1000 + 30 - startMs) / 1000;
        if (options.durationSeconds < 0.9) options.durationSeconds += 1;
      },
      async (totals) => {
        whileConnected = totals;
      },
    );
    t.equal(result.isDrained, true);
    t.ok(result.totals.sent > 0);
    t.equal(countUnanswered(result.totals), 0, 'the last answer was waited for');
    t.strictSame(whileConnected, result.totals, 'and what is compared is what was counted');
  });
  await Promise.all(runs);
});
