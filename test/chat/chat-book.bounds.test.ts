// Friends and groups at their full number: the last that fits, the first that does not, and room that becomes free again.

import t from 'tap';
import { type BookLoader, type BookStore, ChatBook } from '../../lib/chat/chat-book.ts';
import { MAX_GROUPS, MAX_GROUPS_PER_USER, MAX_KNOWN_USERS } from '../../lib/chat/limits.ts';

/** A store that only remembers what a test puts into it at first. */
function storeOf(load: (book: BookLoader) => void): BookStore {
  return {
    addFriends() {},
    removeFriends() {},
    addAsk() {},
    removeAsk() {},
    addGroup() {},
    addMembers() {},
    removeMember() {},
    load,
    together: (change) => change(),
  };
}

t.test('no more users are known than may be', (t) => {
  const book = new ChatBook(
    storeOf((loader) => {
      for (let userId = 0; userId < MAX_KNOWN_USERS - 2; userId += 2) loader.loadFriends(userId, userId + 1);
    }),
  );
  const [first, second, third] = [1, 2, 3].map((more) => 2 * MAX_KNOWN_USERS + more);
  t.equal(book.ask(first, 0), 'asked');
  t.equal(book.ask(0, second), 'asked', 'the last that fits');
  t.equal(book.ask(0, third), 'FULL');
  t.equal(book.ask(third, 0), 'FULL');
  t.equal(book.person(third).asked.size, 0, 'of who was refused nothing is kept');
  t.equal(book.ask(0, 2), 'asked', 'those who are known may go on');
  t.equal(book.remove(first, 0), 'OK');
  t.equal(book.ask(third, 0), 'asked', 'who is not needed any more makes room');
  t.end();
});

t.test('no more groups are there than may be', (t) => {
  const perUser = MAX_GROUPS_PER_USER - 1;
  const book = new ChatBook(
    storeOf((loader) => {
      for (let groupId = 1; groupId < MAX_GROUPS; groupId++) {
        loader.loadGroup(groupId, 'of one');
        loader.loadMember(groupId, Math.floor(groupId / perUser));
      }
      loader.loadLastGroup(MAX_GROUPS - 1);
    }),
  );
  const created = book.createGroup(0, 'the last that fits', []);
  t.match(created, { groupId: MAX_GROUPS });
  t.equal(book.createGroup(1, 'one too many', []), 'FULL');
  t.equal(book.person(1).groups.size, perUser);
  t.match(book.leaveGroup(0, MAX_GROUPS), { groupId: MAX_GROUPS }, 'the last member takes his group with him');
  t.match(book.createGroup(1, 'in its place', []), { groupId: MAX_GROUPS + 1 });
  t.end();
});
