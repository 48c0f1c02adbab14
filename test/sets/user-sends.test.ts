// Tries what main does with the sends of users, with wallets of every temper: the clock and the disk go as the test says.

import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { MovementJournal } from '../../lib/ledger/movement-journal.ts';
import { PacketSource, RecordType, SettleOutcome } from '../../lib/ledger/record-layout.ts';
import { readPacketOpening } from '../../lib/ledger/record-reader.ts';
import type { Reservation, Wallet, WalletInUse } from '../../lib/ledger/wallet.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import { commitTo } from '../../lib/packets/seeded-random.ts';
import { SentPackets } from '../../lib/packets/sent-packets.ts';
import type { Send, Sent } from '../../lib/protocol/extended.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { encodeSend } from '../../lib/protocol/send-words.ts';
import {
  REPLY_BODY,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_KIND,
  REPLY_WORDS,
  REQUEST_BODY,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { CommandSender } from '../../lib/sets/command-sender.ts';
import { MAX_SENDS_UNDER_WAY, SEND_RETRY_AFTER_MS, WALLET_RETRY_MS, WALLET_TIMEOUT_MS } from '../../lib/sets/limits.ts';
import { MainReplies } from '../../lib/sets/main-replies.ts';
import { UserSends } from '../../lib/sets/user-sends.ts';
import { readFrames } from '../net/raw-client.ts';
import { grabShare } from '../packets/packet-steps.ts';
import { seedBytes } from '../packets/seed.ts';
import { StepJournal } from './step-journal.ts';

const SENDER = 7;
const START_MS = 1_800_000_000_000;

/** A wallet that notes its calls; each test says how it reserves, and how often it fails to commit or cancel. */
class FakeWallet implements Wallet {
  readonly calls: string[] = [];
  readonly reservations: Reservation[] = [];
  onReserve: () => Promise<'reserved' | 'insufficient'> = async () => 'reserved';
  failures = 0;

  reserve(reservation: Reservation): Promise<'reserved' | 'insufficient'> {
    this.calls.push(`reserve ${reservation.id}`);
    this.reservations.push(reservation);
    return this.onReserve();
  }

  async commit({ id }: Reservation): Promise<void> {
    this.#end('commit', id);
  }

  async cancel({ id }: Reservation): Promise<void> {
    this.#end('cancel', id);
  }

  #end(how: string, id: number): void {
    this.calls.push(`${how} ${id}`);
    if (this.failures-- > 0) throw new Error(`${how} failed`);
  }
}

/** Main's part of a server, whose clock and disk stand still unless the test moves them. */
class Bench {
  readonly wallet = new FakeWallet();
  readonly journal = new StepJournal({ producers: 1, targets: 1, entrySlots: 64, replySlots: 2 });
  readonly table: PacketTable;
  readonly sends: UserSends;
  readonly errors: string[] = [];
  readonly #log = new MovementJournal(this.journal.writers[0]);
  readonly #packets: SentPackets;
  readonly #commands: Consumer;
  readonly #commandSender: CommandSender;
  readonly #answers: Consumer;
  readonly #mainReplies: MainReplies;
  #nowMs = START_MS;
  #sleepers: { untilMs: number; wake: () => void }[] = [];
  #asked = 0;

  constructor(source: WalletInUse['source'] = PacketSource.WALLET, slots = 16) {
    const memory = allocatePackets(slots, 4096);
    this.table = new PacketTable(memory);
    const commands = allocateRing(8192, REQUEST_WORDS);
    const replies = allocateRing(65_536, REPLY_WORDS);
    const ringer = () => new DoorbellRinger(allocateDoorbell());
    this.#commands = new Consumer(commands);
    this.#answers = new Consumer(replies);
    this.#commandSender = new CommandSender([new Producer(commands)], [ringer()], 4);
    this.#mainReplies = new MainReplies([new Producer(replies)], [ringer()]);
    this.#packets = new SentPackets(
      this.table,
      new PacketCreator(this.table, 0, slots, 0, 4096),
      this.#log,
      {
        tellUser: (userId, packetId) => this.#commandSender.tell(userId, packetId),
        refund: (userId, cents) => this.#commandSender.credit(userId, cents),
        onOver: () => {},
      },
      START_MS / 1000,
    );
    this.sends = new UserSends({
      packets: this.#packets,
      journal: this.#log,
      commands: this.#commandSender,
      replies: this.#mainReplies,
      walletInUse: { wallet: this.wallet, source },
      drawSeed: () => seedBytes(1, this.#asked),
      readNowMs: () => this.#nowMs,
      sleep: (ms, signal) => this.#sleep(ms, signal),
      maxShares: 100,
      lastReservation: 40,
      onWalletError: ({ message }) => this.errors.push(message),
    });
  }

  /** A worker passes a send on. Returns the connection that asked: each send has its own. */
  send(changes: Partial<Send> = {}): number {
    const connection = this.#asked++;
    const send: Send = {
      users: [8, 9],
      totalCents: 500,
      shares: 2,
      key: `key ${connection}`,
      mode: 'equal',
      expiresInSeconds: 60,
      note: '',
      ...changes,
    };
    const origin = { worker: 0, acceptor: 0, connection, generation: 1, receivedUs: 0 };
    this.sends.take({ ...origin, userId: SENDER, stampHigh: 5, stampLow: connection }, encodeSend(send));
    return connection;
  }

  /** Everything that can happen without the disk and the clock. */
  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await nextTurn();
      this.#log.settle();
      this.#packets.settle();
      this.#commandSender.flush();
    }
  }

  /** The same, and the disk does its work, until nothing moves any more. */
  async run(): Promise<void> {
    do await this.settle();
    while (this.journal.step() > 0);
    await this.settle();
  }

  /** Time passes, and whoever slept so long wakes. */
  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers.splice(0)) {
      if (sleeper.untilMs <= this.#nowMs) sleeper.wake();
      else this.#sleepers.push(sleeper);
    }
    await this.settle();
  }

  /** How many wait for the clock. */
  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  /** The answers since the last call, by connection. */
  takeAnswers(): Map<number, Sent> {
    const answers = new Map<number, Sent>();
    while (this.#answers.available() > 0) {
      const { words } = this.#answers;
      const slot = this.#answers.slotAt(0);
      const body = this.#answers.copyBody(0, words[slot + REPLY_BODY]);
      const { frames } = readFrames(Buffer.from(body.buffer, 0, words[slot + REPLY_COUNT]));
      const connection = words[slot + REPLY_CONNECTION];
      const [{ opcode, stamp, body: sent }] = frames;
      if (words[slot + REPLY_KIND] !== ReplyKind.SENT || opcode !== Opcode.SENT) throw new Error('not a SENT');
      if (stamp !== (5n << 32n) + BigInt(connection)) throw new Error('another stamp');
      if (answers.has(connection)) throw new Error('a second answer');
      answers.set(connection, sent);
      this.#answers.release(1 + this.#answers.countBodySlots(words[slot + REPLY_BODY]));
    }
    return answers;
  }

  /** What the worker was told since the last call. */
  takeCommands(): { kind: number; user: number; packet: number; key: string }[] {
    const commands: ReturnType<Bench['takeCommands']> = [];
    while (this.#commands.available() > 0) {
      const { words } = this.#commands;
      const slot = this.#commands.slotAt(0);
      const body = this.#commands.copyBody(0, words[slot + REQUEST_BODY]);
      commands.push({
        kind: words[slot + REQUEST_KIND],
        user: words[slot + REQUEST_USER],
        packet: words[slot + REQUEST_PACKET],
        key: Buffer.from(body.buffer, 0, words[slot + REQUEST_RICH]).toString(),
      });
      this.#commands.release(1 + this.#commands.countBodySlots(words[slot + REQUEST_BODY]));
    }
    return commands;
  }

  /** The types of the durable records, with the outcome of a SETTLE. */
  recordTypes(): string[] {
    const names = Object.fromEntries(Object.entries(RecordType).map(([name, type]) => [type, name]));
    return this.journal.records().map(({ type, payload }) => {
      return type === RecordType.SETTLE ? `SETTLE ${payload[2]} ${payload[0]}` : names[type];
    });
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal.reason);
      });
    });
  }
}

const busy: Sent = { status: 'BUSY', retryAfterMs: SEND_RETRY_AFTER_MS };

/** Nothing was sent: the key is free again, nobody was told, no packet is there, and everything has come to rest. */
function checkNothing(t: Test, bench: Bench, keys: string[]): void {
  t.strictSame(
    bench.takeCommands(),
    keys.map((key) => ({ kind: RequestKind.SENT, user: SENDER, packet: 0, key })),
    'the key is free again',
  );
  t.notOk(bench.recordTypes().includes('PACKET_OPEN'));
  t.equal(bench.sends.underWay, 0);
}

t.test('a send with an external wallet: logged, reserved, logged, committed and answered, in this order', async (t) => {
  const bench = new Bench();
  const { wallet, journal } = bench;
  const connection = bench.send({ note: '恭喜' });
  await bench.settle();
  t.strictSame(wallet.calls, [], 'the wallet is not asked before the reservation is on the disk');
  journal.step();
  await bench.settle();
  t.strictSame(wallet.calls, ['reserve 41']);
  t.strictSame(wallet.reservations, [{ id: 41, userId: SENDER, cents: 500, key: 'key 0' }]);
  t.strictSame(bench.recordTypes(), ['RESERVE']);
  t.equal(bench.takeAnswers().size + bench.takeCommands().length, 0, 'nobody is told before the packet is on the disk');
  t.equal(bench.sends.underWay, 1);

  journal.step();
  await bench.settle();
  t.strictSame(wallet.calls, ['reserve 41', 'commit 41']);
  const [opened] = journal.records().filter(({ type }) => type === RecordType.PACKET_OPEN);
  const opening = readPacketOpening(Int32Array.from(opened.payload), 0);
  t.match(opening, { sendId: 0, source: PacketSource.WALLET, reservation: 41, key: 'key 0' });
  const answer = bench.takeAnswers().get(connection)!;
  t.strictSame(
    { ...answer, commitment: Buffer.from(answer.commitment!) },
    {
      status: 'SENT',
      packetId: opening.id,
      expiresAt: START_MS / 1000 + 60,
      commitment: Buffer.from(commitTo(opening.packet.seed)),
    },
  );
  t.match(bench.table.view(opening.id), { senderId: SENDER, totalCents: 500, invited: [8, 9], note: '恭喜' });
  t.strictSame(bench.takeCommands(), [
    { kind: RequestKind.SENT, user: SENDER, packet: opening.id, key: 'key 0' },
    { kind: RequestKind.NOTIFY, user: 8, packet: opening.id, key: '' },
    { kind: RequestKind.NOTIFY, user: 9, packet: opening.id, key: '' },
  ]);
  await bench.run();
  t.strictSame(bench.recordTypes(), ['RESERVE', 'PACKET_OPEN', `SETTLE 41 ${SettleOutcome.COMMITTED}`]);
  t.strictSame([bench.sends.underWay, bench.sleeperCount, bench.errors], [0, 0, []]);
});

t.test('a send from the balances here needs no record of the reservation', async (t) => {
  const bench = new Bench(PacketSource.BALANCE);
  const connection = bench.send();
  await bench.run();
  t.strictSame(bench.wallet.calls, ['reserve 41', 'commit 41']);
  t.strictSame(bench.recordTypes(), ['PACKET_OPEN']);
  t.equal(bench.takeAnswers().get(connection)?.status, 'SENT');
  bench.wallet.onReserve = async () => 'insufficient';
  const refused = bench.send();
  await bench.run();
  t.strictSame(bench.takeAnswers().get(refused), { status: 'INSUFFICIENT' });
  t.strictSame(bench.wallet.calls.slice(2), ['reserve 42'], 'what was not held is not freed');
  t.strictSame(bench.recordTypes(), ['PACKET_OPEN']);
});

t.test('a wallet that says no is told to cancel all the same, and nothing is sent', async (t) => {
  const bench = new Bench();
  bench.wallet.onReserve = async () => 'insufficient';
  const connection = bench.send();
  await bench.run();
  t.strictSame(bench.takeAnswers(), new Map([[connection, { status: 'INSUFFICIENT' }]]));
  t.strictSame(bench.wallet.calls, ['reserve 41', 'cancel 41']);
  t.strictSame(bench.recordTypes(), ['RESERVE', `SETTLE 41 ${SettleOutcome.CANCELLED}`]);
  checkNothing(t, bench, ['key 0']);
});

t.test('a wallet that never answers costs its own send its time, and nobody else anything', async (t) => {
  const bench = new Bench();
  let answerLate: (outcome: 'reserved') => void = () => {};
  bench.wallet.onReserve = () =>
    new Promise((resolve) => {
      answerLate = resolve;
    });
  const stuck = bench.send();
  await bench.run();
  bench.wallet.onReserve = async () => 'reserved';
  const other = bench.send();
  await bench.run();
  t.strictSame([...bench.takeAnswers().keys()], [other], 'the send behind it is not held up');
  bench.takeCommands();

  await bench.pass(WALLET_TIMEOUT_MS - 1);
  t.equal(bench.takeAnswers().size, 0);
  await bench.pass(1);
  t.strictSame(bench.takeAnswers(), new Map([[stuck, busy]]));
  await bench.run();
  t.strictSame(bench.wallet.calls, ['reserve 41', 'reserve 42', 'commit 42', 'cancel 41']);
  t.ok(bench.recordTypes().includes(`SETTLE 41 ${SettleOutcome.CANCELLED}`));
  t.strictSame(bench.takeCommands(), [{ kind: RequestKind.SENT, user: SENDER, packet: 0, key: 'key 0' }]);

  const before = bench.recordTypes();
  answerLate('reserved');
  await bench.run();
  t.strictSame(bench.recordTypes(), before, 'an answer that comes too late changes nothing');
  t.equal(bench.takeAnswers().size + bench.takeCommands().length + bench.sends.underWay, 0);
});

t.test('a wallet that fails is cancelled, logged, and the sender may try again', async (t) => {
  const bench = new Bench();
  bench.wallet.onReserve = async () => {
    throw new Error('no connection');
  };
  const connection = bench.send();
  await bench.run();
  t.strictSame(bench.takeAnswers(), new Map([[connection, busy]]));
  t.strictSame(bench.errors, ['no connection']);
  t.strictSame(bench.wallet.calls, ['reserve 41', 'cancel 41']);
  checkNothing(t, bench, ['key 0']);
  t.equal(bench.sleeperCount, 0, 'and no clock runs for it');
});

t.test('a commit that fails is repeated, each time after twice as long, up to a minute', async (t) => {
  const bench = new Bench();
  bench.wallet.failures = 12;
  const connection = bench.send();
  await bench.run();
  const { packetId, status } = bench.takeAnswers().get(connection)!;
  t.equal(status, 'SENT', 'the packet stands, whatever the wallet says');
  t.equal(grabShare(bench.table, packetId!, 8), GrabOutcome.WON);
  const pauses = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000];
  t.equal(pauses[0], WALLET_RETRY_MS);
  for (const [i, pause] of pauses.entries()) {
    t.equal(bench.wallet.calls.length, 2 + i);
    await bench.pass(pause - 1);
    t.equal(bench.wallet.calls.length, 2 + i, 'not before');
    await bench.pass(1);
  }
  t.strictSame(bench.wallet.calls, ['reserve 41', ...Array(13).fill('commit 41')]);
  t.strictSame(bench.errors, Array(12).fill('commit failed'));
  t.notOk(
    bench.recordTypes().some((type) => type.startsWith('SETTLE')),
    'it is settled only when it has worked',
  );
  await bench.run();
  t.equal(bench.recordTypes().at(-1), `SETTLE 41 ${SettleOutcome.COMMITTED}`);
  t.equal(bench.sleeperCount, 0);
});

t.test('a cancel that fails is repeated as well, and the sender does not wait for it', async (t) => {
  const bench = new Bench();
  bench.wallet.onReserve = async () => 'insufficient';
  bench.wallet.failures = 2;
  const connection = bench.send();
  await bench.run();
  t.equal(bench.takeAnswers().get(connection)?.status, 'INSUFFICIENT');
  t.equal(bench.sends.underWay, 0);
  await bench.pass(100);
  await bench.pass(200);
  await bench.run();
  t.strictSame(bench.wallet.calls, ['reserve 41', 'cancel 41', 'cancel 41', 'cancel 41']);
  t.strictSame(bench.recordTypes(), ['RESERVE', `SETTLE 41 ${SettleOutcome.CANCELLED}`]);
});

t.test('numbers that do not fit are refused with a sentence, before the wallet is asked', async (t) => {
  const bench = new Bench();
  const bounds = 'totalCents must lie between shares * 1 = 2 and shares * 20000 = 40000';
  for (const [changes, message] of [
    [{ shares: 101, totalCents: 5000 }, 'shares must be at most 100'],
    [{ totalCents: 1 }, bounds],
    [{ totalCents: 40_001 }, bounds],
  ] as const) {
    const connection = bench.send(changes);
    await bench.run();
    t.strictSame(bench.takeAnswers().get(connection), { status: 'BAD_REQUEST', message });
  }
  t.strictSame(bench.wallet.calls, []);
  t.strictSame(bench.recordTypes(), []);
  checkNothing(t, bench, ['key 0', 'key 1', 'key 2']);
  for (const totalCents of [2, 40_000]) {
    const connection = bench.send({ totalCents });
    await bench.run();
    t.equal(bench.takeAnswers().get(connection)?.status, 'SENT', 'the bounds themselves are fine');
  }
});

t.test('without a slot for the packet what was reserved is freed', async (t) => {
  const bench = new Bench(PacketSource.WALLET, 1);
  bench.send();
  await bench.run();
  bench.takeCommands();
  bench.takeAnswers();
  const connection = bench.send();
  await bench.run();
  t.strictSame(bench.takeAnswers(), new Map([[connection, busy]]));
  t.strictSame(bench.wallet.calls.slice(2), ['reserve 42', 'cancel 42']);
  t.equal(bench.recordTypes().at(-1), `SETTLE 42 ${SettleOutcome.CANCELLED}`);
  t.strictSame(bench.takeCommands(), [{ kind: RequestKind.SENT, user: SENDER, packet: 0, key: 'key 1' }]);
});

t.test('without room in the journal the wallet is not even asked', async (t) => {
  const bench = new Bench();
  const connections = Array.from({ length: 100 }, () => bench.send());
  await bench.settle();
  const refused = bench.takeAnswers();
  t.ok(refused.size > 30 && refused.size < 100, `${refused.size} are refused at once`);
  for (const answer of refused.values()) t.strictSame(answer, busy);
  await bench.run();
  const asked = connections.length - refused.size;
  t.equal(bench.wallet.reservations.length, asked);
  const later = bench.takeAnswers();
  t.equal(later.size, asked, 'and every other one is answered');
  t.ok([...later.values()].every(({ status }) => status === 'SENT' || status === 'BUSY'));
  const ends = bench.wallet.calls.filter((call) => !call.startsWith('reserve'));
  t.equal(new Set(ends.map((call) => call.split(' ')[1])).size, asked, 'each reservation is committed or cancelled');
  t.equal(ends.length, asked, 'once');
  // What found no room to be settled is settled later.
  while (bench.sleeperCount > 0) {
    await bench.pass(WALLET_RETRY_MS);
    await bench.run();
  }
  const settled = bench.recordTypes().filter((type) => type.startsWith('SETTLE'));
  t.equal(settled.length, asked);
});

t.test(`at most ${MAX_SENDS_UNDER_WAY} sends are under way`, async (t) => {
  const bench = new Bench(PacketSource.BALANCE);
  bench.wallet.onReserve = () => new Promise(() => {});
  for (let i = 0; i < MAX_SENDS_UNDER_WAY; i++) bench.send();
  await bench.settle();
  t.equal(bench.takeAnswers().size, 0);
  const oneMore = bench.send();
  await bench.settle();
  t.strictSame(bench.takeAnswers(), new Map([[oneMore, busy]]));
  t.equal(bench.wallet.calls.length, MAX_SENDS_UNDER_WAY);
  await bench.pass(WALLET_TIMEOUT_MS);
  t.equal(bench.takeAnswers().size, MAX_SENDS_UNDER_WAY);
  t.equal(bench.sends.underWay, 0);
});

t.test('a reservation that an earlier run left open is committed if its packet is there, else cancelled', async (t) => {
  const bench = new Bench();
  bench.wallet.failures = 1;
  bench.sends.settle({ id: 12, userId: 3, cents: 100, key: 'old' }, true);
  bench.sends.settle({ id: 13, userId: 4, cents: 200, key: 'older' }, false);
  await bench.run();
  await bench.pass(WALLET_RETRY_MS);
  await bench.run();
  t.strictSame(bench.wallet.calls, ['commit 12', 'cancel 13', 'commit 12']);
  t.strictSame(bench.recordTypes(), [`SETTLE 13 ${SettleOutcome.CANCELLED}`, `SETTLE 12 ${SettleOutcome.COMMITTED}`]);
});
