// Friends and groups against a plain model: a seeded random run of everything that changes them, with restarts in between.

import t from 'tap';
import { SqliteBookStore } from '../../lib/chat/book-store.ts';
import { ChatBook } from '../../lib/chat/chat-book.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const USERS = 12;
const STEPS = 4000;
/** A restart so often, about. */
const RESTART_EVERY = 200;

/** Small and plain: pairs as texts, groups as sets. */
class Model {
  friends = new Set<string>();
  asks = new Set<string>();
  groups = new Map<number, Set<number>>();
  lastGroup = 0;

  areFriends = (a: number, b: number) => this.friends.has(pair(a, b));

  ask(a: number, b: number): string {
    if (a === b) return 'SELF';
    if (this.areFriends(a, b) || this.asks.has(`${a}>${b}`)) return 'OK';
    if (this.asks.delete(`${b}>${a}`)) {
      this.friends.add(pair(a, b));
      return 'accepted';
    }
    this.asks.add(`${a}>${b}`);
    return 'asked';
  }

  accept(a: number, b: number): string {
    if (!this.asks.delete(`${b}>${a}`)) return 'NOT_FOUND';
    this.friends.add(pair(a, b));
    return 'OK';
  }

  remove(a: number, b: number): string {
    if (this.friends.delete(pair(a, b))) return 'removed';
    const hasAsked = this.asks.delete(`${a}>${b}`);
    return hasAsked || this.asks.delete(`${b}>${a}`) ? 'OK' : 'NOT_FOUND';
  }

  create(a: number, users: number[]): string {
    if (users.includes(a)) return 'SELF';
    if (!users.every((b) => this.areFriends(a, b))) return 'NOT_FRIENDS';
    this.groups.set(++this.lastGroup, new Set([a, ...users]));
    return `group ${this.lastGroup}`;
  }

  add(a: number, group: number, users: number[]): string {
    const members = this.groups.get(group);
    if (!members?.has(a)) return 'NOT_FOUND';
    const joining = users.filter((b) => !members.has(b));
    if (!joining.every((b) => this.areFriends(a, b))) return 'NOT_FRIENDS';
    for (const b of joining) members.add(b);
    return joining.join();
  }

  leave(a: number, group: number): string {
    const members = this.groups.get(group);
    if (!members?.delete(a)) return 'NOT_FOUND';
    if (members.size === 0) this.groups.delete(group);
    return `${members.size} left`;
  }

  describe(): unknown {
    return Array.from({ length: USERS }, (_, user) => ({
      friends: range().filter((b) => this.areFriends(user, b)),
      asked: range().filter((b) => this.asks.has(`${user}>${b}`)),
      askedBy: range().filter((b) => this.asks.has(`${b}>${user}`)),
      groups: [...this.groups].filter(([, users]) => users.has(user)).map(([id, users]) => [id, sorted(users)]),
    }));
  }
}

const pair = (a: number, b: number) => `${Math.min(a, b)}-${Math.max(a, b)}`;
const range = () => Array.from({ length: USERS }, (_, i) => i);
const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);

function describe(book: ChatBook): unknown {
  return range().map((user) => {
    const { friends, asked, askedBy, groups } = book.person(user);
    return {
      friends: sorted(friends),
      asked: sorted(asked),
      askedBy: sorted(askedBy),
      groups: sorted(groups).map((id) => [id, sorted(book.groupOf(user, id)!.users)]),
    };
  });
}

/** Whole numbers below n. */
function makeRandom(state: number): (n: number) => number {
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * n);
  };
}

t.test(`friends and groups are those of the model after every step, also over restarts: SEED=${seed}`, (t) => {
  const path = `${t.testdir({})}/chat.sqlite`;
  const random = makeRandom(seed);
  const model = new Model();
  let store = new SqliteBookStore(path);
  let book = new ChatBook(store);
  const outcomes = new Map<string, number>();
  let wrong = '';
  for (let step = 0; step < STEPS && wrong === ''; step++) {
    if (random(RESTART_EVERY) === 0) {
      store.close();
      store = new SqliteBookStore(path);
      book = new ChatBook(store);
    }
    const a = random(USERS);
    const b = random(USERS);
    const group = 1 + random(model.lastGroup + 1);
    const users = [...new Set(Array.from({ length: 1 + random(3) }, () => random(USERS)))];
    const kind = random(8);
    let found = '';
    let expected = '';
    if (kind < 3) [found, expected] = [book.ask(a, b), model.ask(a, b)];
    else if (kind === 3) [found, expected] = [book.accept(a, b), model.accept(a, b)];
    else if (kind === 4) [found, expected] = [book.remove(a, b), model.remove(a, b)];
    else if (kind === 5) {
      const made = book.createGroup(a, 'g', users);
      [found, expected] = [typeof made === 'string' ? made : `group ${made.groupId}`, model.create(a, users)];
    } else if (kind === 6) {
      [found, expected] = [book.addToGroup(a, group, users).toString(), model.add(a, group, users)];
    } else {
      const left = book.leaveGroup(a, group);
      [found, expected] = [typeof left === 'string' ? left : `${left.users.size} left`, model.leave(a, group)];
    }
    outcomes.set(expected, (outcomes.get(expected) ?? 0) + 1);
    if (found !== expected) wrong = `step ${step}, kind ${kind}: ${found}, not ${expected}`;
    else if (step % 20 === 0 && JSON.stringify(describe(book)) !== JSON.stringify(model.describe())) {
      wrong = `step ${step}: ${JSON.stringify(describe(book))}, not ${JSON.stringify(model.describe())}`;
    }
  }
  t.equal(wrong, '');
  store.close();
  for (const outcome of [
    'SELF',
    'OK',
    'asked',
    'accepted',
    'removed',
    'NOT_FOUND',
    'NOT_FRIENDS',
    'group 1',
    '0 left',
  ]) {
    t.ok(outcomes.get(outcome), `${outcome} came up`);
  }
  t.end();
});

t.test('a change that the store refuses changes nothing', (t) => {
  const store = new SqliteBookStore(':memory:');
  const book = new ChatBook(store);
  book.ask(1, 2);
  book.accept(2, 1);
  book.ask(3, 1);
  const group = book.createGroup(1, 'g', [2]);
  const groupId = typeof group === 'string' ? 0 : group.groupId;
  const before = JSON.stringify(describe(book));
  store.close();
  for (const change of [
    () => book.ask(1, 4),
    () => book.accept(1, 3),
    () => book.remove(1, 2),
    () => book.remove(1, 3),
    () => book.createGroup(1, 'h', [2]),
    () => book.leaveGroup(2, groupId),
  ]) {
    t.throws(change);
  }
  t.equal(JSON.stringify(describe(book)), before);
  t.end();
});

t.test('a file of a newer version is refused', (t) => {
  const path = `${t.testdir({})}/chat.sqlite`;
  new SqliteBookStore(path).close();
  new SqliteBookStore(path).close();
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(path);
  database.exec('PRAGMA user_version = 2');
  database.close();
  t.throws(() => new SqliteBookStore(path), /newer version/);
  t.end();
});
