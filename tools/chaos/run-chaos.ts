// A run of chaos: round after round a server is started over the same data, loaded, and killed; after each kill its journal
// is audited, and everything that was acknowledged is looked up in it. The last server is left to finish, and stopped.

import { execFile } from 'node:child_process';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatFinding } from '../audit/findings.ts';
import { runAudit } from '../audit/run-audit.ts';
import { type AckKind, AckLog } from './ack-log.ts';
import { ChaosLife, TroubleList } from './chaos-life.ts';
import { ChaosOperator } from './chaos-operator.ts';
import { ChaosRandom, describePlan, planRound, type RoundPlan } from './chaos-plan.ts';
import { ChaosUser } from './chaos-user.ts';
import { type CheckResult, checkAcks } from './check-acks.ts';
import { readFacts } from './journal-facts.ts';
import { killWhileStarting, startServer } from './server-child.ts';

const CLI = fileURLToPath(new URL('../cli.ts', import.meta.url));

/**
 * What the users and the operator do all the time. A run in which one of these was never acknowledged has shown nothing about
 * it, so the last load goes on until each was, on a slow machine at most so long, and that is looked at so often.
 */
const TRIED: readonly AckKind[] = ['win', 'grab', 'sent', 'topup', 'withdraw', 'drop', 'send', 'refund'];
const MOST_EXTRA_MS = 60_000;
const EXTRA_LOOK_MS = 50;

/** How long the last server may take to bring everything to its end, and how often that is looked at. */
const DRAIN_MS = 60_000;
const DRAIN_LOOK_MS = 300;

/** Packets that live longer than this stay open at the end. */
const SOON_SECONDS = 120;

/** Text of an audit that a problem shows. */
const SHOWN_CHARACTERS = 2000;

export interface ChaosOptions {
  rounds: number;
  seed: number;
  users: number;
  /** Gets the server's data, its log, and the acknowledgements. */
  directory: string;
  print: (line: string) => void;
}

export interface ChaosResult {
  rounds: number;
  kills: number;
  /** Of these, how many before the server served. */
  killsBeforeServing: number;
  records: number;
  check: CheckResult;
  /** What was wrong without a look into the journal. */
  troubles: string[];
  troubleCount: number;
  auditProblems: string[];
  seconds: number;
}

/** Runs it. What is found wrong ends it after that round, and is in the result. @throws {Error} if a server does not start */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const run = new ChaosRun(options);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #data: string;
  readonly #log: WriteStream;
  readonly #acks: AckLog;
  readonly #troubles = new TroubleList();
  readonly #users: ChaosUser[];
  readonly #operator: ChaosOperator;
  readonly #auditProblems: string[] = [];
  readonly #startedAt = performance.now();
  #check: CheckResult | undefined;
  #records = 0;
  #openDrops: number[] = [];
  #rounds = 0;
  #kills = 0;
  #killsBeforeServing = 0;

  constructor(options: ChaosOptions) {
    const { directory, seed, users } = options;
    this.#options = options;
    this.#data = join(directory, 'data');
    mkdirSync(this.#data, { recursive: true });
    this.#log = createWriteStream(join(directory, 'server.log'), { flags: 'a' });
    this.#acks = new AckLog(join(directory, 'acks.ndjson'));
    this.#operator = new ChaosOperator(users, new ChaosRandom(seed, 'operator'));
    this.#users = Array.from(
      { length: users },
      (_, i) =>
        new ChaosUser(i, users, new ChaosRandom(seed, `user ${i}`), (id, expiresAt) =>
          this.#operator.notePacket(id, expiresAt),
        ),
    );
  }

  async run(): Promise<ChaosResult> {
    const { rounds, seed } = this.#options;
    for (let round = 1; round <= rounds && !this.#isWrong; round++) {
      await this.#killRound(round, planRound(seed, round));
      this.#rounds = round;
    }
    if (!this.#isWrong) await this.#lastRound({ ...planRound(seed, rounds + 1), keepSegments: 0 });
    return {
      rounds: this.#rounds,
      kills: this.#kills,
      killsBeforeServing: this.#killsBeforeServing,
      records: this.#records,
      check: this.#check!,
      troubles: this.#troubles.kept,
      troubleCount: this.#troubles.count,
      auditProblems: this.#auditProblems,
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }

  close(): void {
    this.#acks.close();
    this.#log.end();
  }

  get #isWrong(): boolean {
    return this.#troubles.count > 0 || this.#auditProblems.length > 0 || (this.#check?.problemCount ?? 0) > 0;
  }

  async #killRound(round: number, plan: RoundPlan): Promise<void> {
    for (const afterMs of plan.startKillsMs) {
      const hasServed = await killWhileStarting(this.#data, plan, afterMs, this.#log);
      this.#kills++;
      if (!hasServed) this.#killsBeforeServing++;
    }
    const server = await startServer(this.#data, plan, this.#log);
    const life = new ChaosLife(server, this.#acks, this.#troubles, round);
    const living = this.#live(life);
    await Promise.race([sleep(plan.loadMs), living]);
    const isLast = round === this.#options.rounds;
    const moreMs = isLast ? await Promise.race([this.#loadOn(life), living]) : undefined;
    life.end();
    await server.kill();
    this.#kills++;
    await living;
    for (const user of this.#users) user.leave();
    await this.#judge(round);
    const { length } = this.#acks.acks;
    const more = moreMs ? ` and ${moreMs} ms more, until everything was acknowledged once` : '';
    this.#options.print(
      `round ${round}: ${describePlan(plan)}${more}; ${length} acknowledgements so far, ${this.#records} records`,
    );
  }

  /** Goes on until everything was acknowledged once: see TRIED. Returns how long that took, in whole milliseconds. */
  async #loadOn(life: ChaosLife): Promise<number> {
    const startedAt = performance.now();
    const until = startedAt + MOST_EXTRA_MS;
    while (!life.isOver && !this.#acks.hasAll(TRIED) && performance.now() < until) await life.pause(EXTRA_LOOK_MS);
    return Math.round(performance.now() - startedAt);
  }

  /** A server that nobody asks anything new of: everything comes to its end, then it is stopped in good order. */
  async #lastRound(plan: RoundPlan): Promise<void> {
    const server = await startServer(this.#data, plan, this.#log);
    const life = new ChaosLife(server, this.#acks, this.#troubles, this.#rounds + 1);
    life.drain();
    this.#operator.adoptDrops(this.#openDrops);
    const living = this.#live(life);
    await Promise.race([this.#drain(life), living]);
    await this.#operator.lookAtAll(life);
    await Promise.all(this.#users.map((user) => user.readBalance(life)));
    life.end();
    await server.stop();
    await living;
    for (const user of this.#users) user.leave();
    await this.#judge(this.#rounds + 1);
    await this.#auditByCommand();
  }

  async #live(life: ChaosLife): Promise<void> {
    await Promise.all([this.#operator.live(life), ...this.#users.map((user) => user.live(life))]);
  }

  /** Resolves when nothing is under way any more, and nothing will move by itself. */
  async #drain(life: ChaosLife): Promise<void> {
    const until = performance.now() + DRAIN_MS;
    for (let before = -1; ; ) {
      await sleep(DRAIN_LOOK_MS);
      const busy = this.#users.filter(({ isIdle }) => !isIdle);
      const facts = readFacts(this.#data);
      const moves = facts.movesBefore(Date.now() / 1000 + SOON_SECONDS);
      if (busy.length === 0 && this.#operator.isIdle && !moves && facts.records === before) return;
      before = facts.records;
      if (performance.now() < until) continue;
      const users = busy.map(({ userId }) => userId).slice(0, 5);
      const who = `${busy.length} users (${users.join(', ')}), the operator ${this.#operator.isIdle ? 'is not' : 'is'}`;
      return life.report(`after ${DRAIN_MS} ms ${who}, and the books ${moves ? 'are not' : 'are'} at rest`);
    }
  }

  /** Audits the journal as it is now, and looks up what was acknowledged so far. */
  async #judge(round: number): Promise<void> {
    this.#acks.flush();
    const { differenceCents, findings, findingCount } = await runAudit(this.#data, { threads: 1 });
    for (const finding of findings) this.#auditProblems.push(`round ${round}: ${formatFinding(finding)}`);
    if (findingCount > findings.length) this.#auditProblems.push(`and ${findingCount - findings.length} more`);
    if (differenceCents !== 0) this.#auditProblems.push(`round ${round}: the difference is ${differenceCents} cents`);
    const facts = readFacts(this.#data);
    this.#records = facts.records;
    this.#openDrops = facts.openDrops;
    this.#check = checkAcks(this.#acks.acks, facts);
  }

  /** The same once more as a user would do it. */
  async #auditByCommand(): Promise<void> {
    const args = [CLI, 'audit', this.#data, '--json'];
    try {
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const { differenceCents } = JSON.parse(stdout) as { differenceCents: number };
      if (differenceCents !== 0) this.#auditProblems.push(`hongbao audit: the difference is ${differenceCents} cents`);
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
      this.#auditProblems.push(`hongbao audit ended with ${code}: ${(stdout + stderr).slice(0, SHOWN_CHARACTERS)}`);
    }
  }
}
