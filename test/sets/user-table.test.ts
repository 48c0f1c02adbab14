// Tries the rows of the user table: made once, kept as the table grows, refused when it is full.

import t from 'tap';
import { NO_ROW, NO_SESSION, UserTable } from '../../lib/sets/user-table.ts';

t.test('a user who was never here has no row', (t) => {
  const users = new UserTable(10);
  t.equal(users.rowOf(5), NO_ROW);
  t.equal(users.size, 0);
  t.end();
});

t.test('a row is made once, not logged in and without money', (t) => {
  const users = new UserTable(10);
  const row = users.ensureRow(5);
  t.equal(users.rowOf(5), row);
  t.equal(users.ensureRow(5), row);
  t.equal(users.size, 1);
  t.equal(users.userIds[row], 5);
  t.equal(users.acceptors[row], NO_SESSION);
  t.equal(users.balances[row], 0);
  t.not(users.ensureRow(0), row, 'user 0 is a user');
  t.end();
});

t.test('nothing of a row changes as the table grows past 1024, 2048 and 4096 rows', (t) => {
  const users = new UserTable(1_000_000);
  const count = 5000;
  for (let i = 0; i < count; i++) {
    const row = users.ensureRow(0x7fff_ffff - i);
    users.acceptors[row] = i % 64;
    users.connections[row] = 3 * i;
    users.generations[row] = -i;
    users.rich[row] = i % 2;
    users.balances[row] = 2 ** 52 + i;
  }
  const wrong: number[] = [];
  for (let i = 0; i < count; i++) {
    const isSame =
      users.rowOf(0x7fff_ffff - i) === i &&
      users.userIds[i] === 0x7fff_ffff - i &&
      users.isSessionOf(i, i % 64, 3 * i, -i) &&
      users.rich[i] === i % 2 &&
      users.balances[i] === 2 ** 52 + i;
    if (!isSame) wrong.push(i);
  }
  t.strictSame(wrong, []);
  t.equal(users.size, count);
  t.end();
});

t.test('a full table takes nobody new, wherever its size lies between two growths', (t) => {
  for (const most of [1, 1023, 1024, 1025, 3000]) {
    const users = new UserTable(most);
    for (let i = 0; i < most; i++) users.ensureRow(i);
    t.equal(users.ensureRow(most), NO_ROW, `${most} rows`);
    t.equal(users.rowOf(most), NO_ROW);
    t.equal(users.size, most);
    t.equal(users.ensureRow(most - 1), most - 1, 'whoever has a row keeps it');
  }
  t.end();
});

t.test('a session is its acceptor, its connection and its generation together', (t) => {
  const users = new UserTable(10);
  const row = users.ensureRow(5);
  users.acceptors[row] = 1;
  users.connections[row] = 2;
  users.generations[row] = 3;
  t.ok(users.isSessionOf(row, 1, 2, 3));
  for (const [acceptor, connection, generation] of [
    [0, 2, 3],
    [1, 0, 3],
    [1, 2, 4],
    [NO_SESSION, 2, 3],
  ]) {
    t.notOk(users.isSessionOf(row, acceptor, connection, generation));
  }
  t.end();
});
