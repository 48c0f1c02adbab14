// Who is whose friend, who has asked whom, and who is in which group: the state of the built-in service, and its rules.
//
// Only state: it tells nobody. Every list is bounded, so every change may be refused; one that is refused changes nothing, and
// neither does one that the store throws at: it is asked first.

import { MAX_ASKS, MAX_FRIENDS, MAX_GROUP_USERS, MAX_GROUPS, MAX_GROUPS_PER_USER, MAX_KNOWN_USERS } from './limits.ts';

/** Where changes are kept, so that they are there again after the service has ended. */
export interface BookStore {
  addFriends(userId: number, otherId: number): void;
  removeFriends(userId: number, otherId: number): void;
  addAsk(fromId: number, toId: number): void;
  removeAsk(fromId: number, toId: number): void;
  addGroup(groupId: number, name: string): void;
  addMembers(groupId: number, userIds: readonly number[]): void;
  /** The last member takes the group with him. */
  removeMember(groupId: number, userId: number, isLast: boolean): void;
  load(book: BookLoader): void;
  /** Makes several changes one: all of them are kept, or none. */
  together(change: () => void): void;
}

/** What a store puts into a book that is empty, in this order. */
export interface BookLoader {
  loadFriends(userId: number, otherId: number): void;
  loadAsk(fromId: number, toId: number): void;
  loadGroup(groupId: number, name: string): void;
  loadMember(groupId: number, userId: number): void;
  /** The highest group id that was ever used: none is used twice. */
  loadLastGroup(groupId: number): void;
}

export type BookOutcome = 'OK' | 'NOT_FRIENDS' | 'NOT_FOUND' | 'FULL' | 'SELF';

interface Person {
  friends: Set<number>;
  askedBy: Set<number>;
  asked: Set<number>;
  groups: Set<number>;
}

export interface Group {
  groupId: number;
  name: string;
  users: Set<number>;
}

/** What nobody knows of has nothing. Frozen by custom: only read. */
const NOBODY: Person = { friends: new Set(), askedBy: new Set(), asked: new Set(), groups: new Set() };

/** Owned by the service's thread. */
export class ChatBook implements BookLoader {
  readonly #store: BookStore;
  readonly #people = new Map<number, Person>();
  readonly #groups = new Map<number, Group>();
  #lastGroup = 0;

  constructor(store: BookStore) {
    this.#store = store;
    store.load(this);
  }

  /** Everybody who has a friend. */
  *usersWithFriends(): Iterable<number> {
    for (const [userId, { friends }] of this.#people) if (friends.size > 0) yield userId;
  }

  /** What is known of a user; only to be read. */
  person(userId: number): Readonly<Person> {
    return this.#people.get(userId) ?? NOBODY;
  }

  /** A group, if this user is in it. */
  groupOf(userId: number, groupId: number): Group | undefined {
    const group = this.#groups.get(groupId);
    return group?.users.has(userId) ? group : undefined;
  }

  /** Asks somebody to be friends; who has been asked by him says yes so. `accepted` and `asked` are what is new. */
  ask(fromId: number, toId: number): BookOutcome | 'accepted' | 'asked' {
    if (fromId === toId) return 'SELF';
    const from = this.person(fromId);
    if (from.friends.has(toId) || from.asked.has(toId)) return 'OK';
    if (from.askedBy.has(toId)) {
      const outcome = this.accept(fromId, toId);
      return outcome === 'OK' ? 'accepted' : outcome;
    }
    if (from.asked.size >= MAX_ASKS || this.person(toId).askedBy.size >= MAX_ASKS) return 'FULL';
    if (this.#hasNoRoomFor(fromId, toId)) return 'FULL';
    this.#store.addAsk(fromId, toId);
    this.loadAsk(fromId, toId);
    return 'asked';
  }

  /** Says yes to somebody who has asked. */
  accept(userId: number, fromId: number): BookOutcome {
    const user = this.person(userId);
    if (!user.askedBy.has(fromId)) return 'NOT_FOUND';
    if (user.friends.size >= MAX_FRIENDS || this.person(fromId).friends.size >= MAX_FRIENDS) return 'FULL';
    this.#store.together(() => {
      this.#store.removeAsk(fromId, userId);
      this.#store.addFriends(userId, fromId);
    });
    this.#dropAsk(fromId, userId);
    this.loadFriends(userId, fromId);
    return 'OK';
  }

  /** Ends a friendship (`removed`), or an ask in either direction (`OK`). */
  remove(userId: number, otherId: number): BookOutcome | 'removed' {
    const { friends, asked, askedBy } = this.person(userId);
    if (friends.has(otherId)) {
      this.#store.removeFriends(userId, otherId);
      this.#people.get(userId)!.friends.delete(otherId);
      this.#people.get(otherId)!.friends.delete(userId);
      this.#forget(userId, otherId);
      return 'removed';
    }
    if (!asked.has(otherId) && !askedBy.has(otherId)) return 'NOT_FOUND';
    const [fromId, toId] = asked.has(otherId) ? [userId, otherId] : [otherId, userId];
    this.#store.removeAsk(fromId, toId);
    this.#dropAsk(fromId, toId);
    this.#forget(userId, otherId);
    return 'OK';
  }

  /** Makes a group of a user and friends of his. */
  createGroup(userId: number, name: string, userIds: readonly number[]): BookOutcome | Group {
    const outcome = this.#mayJoin(userId, userIds, 1);
    if (outcome !== 'OK') return outcome;
    if (this.#groups.size >= MAX_GROUPS || this.person(userId).groups.size >= MAX_GROUPS_PER_USER) return 'FULL';
    const groupId = this.#lastGroup + 1;
    const all = [userId, ...userIds];
    this.#store.together(() => {
      this.#store.addGroup(groupId, name);
      this.#store.addMembers(groupId, all);
    });
    this.loadGroup(groupId, name);
    for (const member of all) this.loadMember(groupId, member);
    return this.#groups.get(groupId)!;
  }

  /** Adds friends of a member; those who are in it already are no mistake. Returns who is new. */
  addToGroup(userId: number, groupId: number, userIds: readonly number[]): BookOutcome | number[] {
    const group = this.groupOf(userId, groupId);
    if (group === undefined) return 'NOT_FOUND';
    const joining = userIds.filter((id) => !group.users.has(id));
    const outcome = this.#mayJoin(userId, joining, group.users.size);
    if (outcome !== 'OK') return outcome;
    if (joining.length > 0) this.#store.together(() => this.#store.addMembers(groupId, joining));
    for (const member of joining) this.loadMember(groupId, member);
    return joining;
  }

  /** Takes a member out of a group, which ends with its last one. Returns the group, as it is afterwards. */
  leaveGroup(userId: number, groupId: number): BookOutcome | Group {
    const group = this.groupOf(userId, groupId);
    if (group === undefined) return 'NOT_FOUND';
    const isLast = group.users.size === 1;
    this.#store.together(() => this.#store.removeMember(groupId, userId, isLast));
    group.users.delete(userId);
    this.#people.get(userId)!.groups.delete(groupId);
    if (isLast) this.#groups.delete(groupId);
    this.#forget(userId);
    return group;
  }

  loadFriends(userId: number, otherId: number): void {
    this.#ensure(userId).friends.add(otherId);
    this.#ensure(otherId).friends.add(userId);
  }

  loadAsk(fromId: number, toId: number): void {
    this.#ensure(fromId).asked.add(toId);
    this.#ensure(toId).askedBy.add(fromId);
  }

  loadGroup(groupId: number, name: string): void {
    this.#groups.set(groupId, { groupId, name, users: new Set() });
    this.loadLastGroup(groupId);
  }

  loadMember(groupId: number, userId: number): void {
    this.#groups.get(groupId)?.users.add(userId);
    this.#ensure(userId).groups.add(groupId);
  }

  loadLastGroup(groupId: number): void {
    this.#lastGroup = Math.max(this.#lastGroup, groupId);
  }

  /** Whether a user may bring others into a group that has so many. */
  #mayJoin(userId: number, userIds: readonly number[], members: number): BookOutcome {
    if (userIds.includes(userId)) return 'SELF';
    const { friends } = this.person(userId);
    if (!userIds.every((id) => friends.has(id))) return 'NOT_FRIENDS';
    if (members + userIds.length > MAX_GROUP_USERS) return 'FULL';
    return userIds.some((id) => this.person(id).groups.size >= MAX_GROUPS_PER_USER) ? 'FULL' : 'OK';
  }

  #hasNoRoomFor(...userIds: number[]): boolean {
    const strangers = userIds.filter((userId) => !this.#people.has(userId)).length;
    return this.#people.size + strangers > MAX_KNOWN_USERS;
  }

  #dropAsk(fromId: number, toId: number): void {
    this.#people.get(fromId)!.asked.delete(toId);
    this.#people.get(toId)!.askedBy.delete(fromId);
  }

  #ensure(userId: number): Person {
    let person = this.#people.get(userId);
    if (person === undefined) {
      person = { friends: new Set(), askedBy: new Set(), asked: new Set(), groups: new Set() };
      this.#people.set(userId, person);
    }
    return person;
  }

  /** Forgets users who have nothing any more. */
  #forget(...userIds: number[]): void {
    for (const userId of userIds) {
      const { friends, asked, askedBy, groups } = this.person(userId);
      if (friends.size + asked.size + askedBy.size + groups.size === 0) this.#people.delete(userId);
    }
  }
}
