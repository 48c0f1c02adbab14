// The built-in chat service: messages between friends, friends, groups, and packets announced in a group.
//
// Friends and groups are kept in a store; request keys and messages under way are in memory. Only friends can write to each
// other, and bring each other into groups: nobody hears from strangers more than that they ask.

import { createHash } from 'node:crypto';
import {
  type ChatAnswer,
  type ChatMessage,
  ChatPush,
  ChatRequest,
  type ChatStatus,
  type FriendEvent,
  type FriendsAnswer,
  type GroupAnswer,
  type GroupEvent,
  type GroupPacket,
  type GroupsAnswer,
  type MessageAnswer,
  type PresenceEvent,
} from '../protocol/chat.ts';
import { type BookOutcome, type BookStore, ChatBook, type Group } from './chat-book.ts';
import { type ChatService, RateError, type ServiceOutbox, type ServiceRequest } from './chat-service.ts';
import { KeyMemory } from './key-memory.ts';
import { GROUP_MESSAGES_AT_ONCE, GROUP_MESSAGES_PER_SECOND, MAX_ASKS, MAX_GROUP_USERS } from './limits.ts';
import { RateLimit } from './rate-limit.ts';
import {
  BadBody,
  readFields,
  readGroup,
  readName,
  readPacket,
  readText,
  readUser,
  readUsers,
} from './read-requests.ts';

type Fields = Record<string, unknown>;
type Answer = ChatAnswer | Promise<ChatAnswer>;
type Handler = (userId: number, fields: Fields) => Answer;

/** How often what is over is forgotten, in requests. */
const HOUSEKEEPING_REQUESTS = 10_000;

/** What a refusal says to people. */
const MESSAGES: Record<Exclude<ChatStatus, 'OK' | 'BAD_REQUEST'>, string> = {
  NOT_FRIENDS: 'only friends can be written to, or brought into a group',
  NOT_FOUND: 'there is nothing of the kind, or it is not yours',
  FULL: 'a list is full',
  KEY_REUSED: 'this key was used for another request',
};

/** Owned by the service's thread. */
export class BuiltInChat implements ChatService {
  readonly #outbox: ServiceOutbox;
  readonly #book: ChatBook;
  readonly #nowMs: () => number;
  readonly #keys = new KeyMemory<Answer>();
  readonly #groupRate = new RateLimit(GROUP_MESSAGES_PER_SECOND, GROUP_MESSAGES_AT_ONCE);
  /** Watched users who are logged in. */
  readonly #online = new Set<number>();
  #lastMessage = 0;
  #requests = 0;

  /** @param nowMs Unix milliseconds */
  constructor(outbox: ServiceOutbox, store: BookStore, nowMs = Date.now) {
    this.#outbox = outbox;
    this.#book = new ChatBook(store);
    this.#nowMs = nowMs;
    for (const userId of this.#book.usersWithFriends()) outbox.watch(userId);
  }

  handle({ userId, opcode, body, key }: ServiceRequest): Answer {
    if (++this.#requests % HOUSEKEEPING_REQUESTS === 0) this.#groupRate.keepTime(this.#nowMs());
    const handler = this.#handlers[opcode];
    if (handler === undefined) return badRequest('there is no such request');
    try {
      const fields = readFields(body);
      return key === undefined ? handler(userId, fields) : this.#once(userId, opcode, key, fields, handler);
    } catch (error) {
      if (error instanceof BadBody) return badRequest(error.message);
      throw error;
    }
  }

  onPresence(userId: number, isOnline: boolean): void {
    if (isOnline === this.#online.has(userId)) return;
    if (isOnline) this.#online.add(userId);
    else this.#online.delete(userId);
    const here = this.#tellPresence(userId, [...this.#book.person(userId).friends]);
    if (isOnline && here.length > 0) this.#pushPresence([userId], { users: here, online: true });
  }

  /** Answers a key that came before as it was answered then. */
  #once(userId: number, opcode: number, key: string, fields: Fields, handler: Handler): Answer {
    const digest = digestOf(opcode, fields);
    const known = this.#keys.find(userId, key);
    if (known !== undefined) return known.digest === digest ? known.answer : refusal('KEY_REUSED');
    const answer = handler(userId, fields);
    this.#keys.add(userId, key, { digest, answer });
    // What failed was not answered: it may be tried again.
    if (answer instanceof Promise) answer.catch(() => this.#keys.remove(userId, key));
    return answer;
  }

  readonly #handlers: Record<number, Handler> = {
    [ChatRequest.MESSAGE]: (userId, fields) => this.#message(userId, readUser(fields), readText(fields)),
    [ChatRequest.FRIEND_ASK]: (userId, fields) => this.#ask(userId, readUser(fields)),
    [ChatRequest.FRIEND_ACCEPT]: (userId, fields) => this.#accept(userId, readUser(fields)),
    [ChatRequest.FRIEND_REMOVE]: (userId, fields) => this.#remove(userId, readUser(fields)),
    [ChatRequest.FRIENDS]: (userId) => this.#friends(userId),
    [ChatRequest.GROUP_CREATE]: (userId, fields) => this.#createGroup(userId, readName(fields), readUsers(fields)),
    [ChatRequest.GROUP_ADD]: (userId, fields) => this.#addToGroup(userId, readGroup(fields), readUsers(fields)),
    [ChatRequest.GROUP_LEAVE]: (userId, fields) => this.#leaveGroup(userId, readGroup(fields)),
    [ChatRequest.GROUPS]: (userId, fields) =>
      this.#groups(userId, fields.groupId === undefined ? undefined : readGroup(fields)),
    [ChatRequest.GROUP_MESSAGE]: (userId, fields) => this.#groupMessage(userId, readGroup(fields), readText(fields)),
    [ChatRequest.GROUP_PACKET]: (userId, fields) => this.#groupPacket(userId, readGroup(fields), readPacket(fields)),
  };

  #message(fromId: number, toId: number, text: string): MessageAnswer {
    if (!this.#book.person(fromId).friends.has(toId)) return refusal('NOT_FRIENDS');
    const head = this.#nextMessage();
    const message: ChatMessage = { ...head, fromId, text };
    this.#outbox.push(toId, ChatPush.MESSAGE, message);
    return { status: 'OK', ...head };
  }

  #ask(userId: number, otherId: number): ChatAnswer {
    const outcome = this.#book.ask(userId, otherId);
    if (outcome === 'accepted') {
      this.#becomeFriends(userId, otherId);
      return OK;
    }
    if (outcome === 'asked') {
      this.#tell<FriendEvent>(otherId, ChatPush.FRIEND, { event: 'asked', userId });
      return OK;
    }
    return outcome === 'FULL' ? refusal('FULL', `one of you has ${MAX_ASKS} asks open`) : answerOf(outcome);
  }

  #accept(userId: number, fromId: number): ChatAnswer {
    const outcome = this.#book.accept(userId, fromId);
    if (outcome === 'OK') this.#becomeFriends(userId, fromId);
    return answerOf(outcome);
  }

  #becomeFriends(userId: number, askerId: number): void {
    this.#tell<FriendEvent>(askerId, ChatPush.FRIEND, { event: 'accepted', userId });
    for (const [one, other] of [
      [userId, askerId],
      [askerId, userId],
    ]) {
      if (this.#online.has(one)) this.#tellPresence(one, [other]);
      else this.#outbox.watch(one);
    }
  }

  #remove(userId: number, otherId: number): ChatAnswer {
    const outcome = this.#book.remove(userId, otherId);
    if (outcome !== 'removed') return answerOf(outcome);
    this.#tell<FriendEvent>(otherId, ChatPush.FRIEND, { event: 'removed', userId });
    return OK;
  }

  #friends(userId: number): FriendsAnswer {
    const { friends, askedBy, asked } = this.#book.person(userId);
    return {
      status: 'OK',
      friends: [...friends].map((friend) => ({ userId: friend, online: this.#online.has(friend) })),
      askedBy: [...askedBy],
      asked: [...asked],
    };
  }

  #createGroup(userId: number, name: string, users: number[]): GroupAnswer {
    const group = this.#book.createGroup(userId, name, users);
    if (typeof group === 'string') return answerOf(group);
    this.#tell<GroupEvent>(users, ChatPush.GROUP, { event: 'joined', groupId: group.groupId, name, users });
    return { status: 'OK', groupId: group.groupId };
  }

  #addToGroup(userId: number, groupId: number, users: number[]): ChatAnswer {
    const joined = this.#book.addToGroup(userId, groupId, users);
    if (typeof joined === 'string') return answerOf(joined);
    const group = this.#book.groupOf(userId, groupId)!;
    if (joined.length > 0) this.#tellGroup(group, userId, 'joined', joined);
    return OK;
  }

  #leaveGroup(userId: number, groupId: number): ChatAnswer {
    const group = this.#book.leaveGroup(userId, groupId);
    if (typeof group === 'string') return answerOf(group);
    this.#tellGroup(group, userId, 'left', [userId]);
    return OK;
  }

  #groups(userId: number, groupId: number | undefined): GroupsAnswer {
    if (groupId !== undefined) {
      const group = this.#book.groupOf(userId, groupId);
      return group === undefined
        ? refusal('NOT_FOUND')
        : { status: 'OK', groups: [{ groupId, name: group.name, users: [...group.users] }] };
    }
    const groups = [...this.#book.person(userId).groups].map((id) => {
      return { groupId: id, name: this.#book.groupOf(userId, id)!.name };
    });
    return { status: 'OK', groups };
  }

  #groupMessage(fromId: number, groupId: number, text: string): MessageAnswer {
    const group = this.#book.groupOf(fromId, groupId);
    if (group === undefined) return refusal('NOT_FOUND');
    this.#takeGroupRate(fromId);
    const head = this.#nextMessage();
    const message: ChatMessage = { ...head, fromId, groupId, text };
    this.#outbox.push(othersIn(group, fromId), ChatPush.MESSAGE, message);
    return { status: 'OK', ...head };
  }

  /** Announces a packet that this user sent. Who may grab it was said when it was sent, and is not changed here. */
  async #groupPacket(userId: number, groupId: number, packetId: number): Promise<MessageAnswer> {
    if (this.#book.groupOf(userId, groupId) === undefined) return refusal('NOT_FOUND');
    this.#takeGroupRate(userId);
    const packet = await this.#outbox.readPacket(packetId);
    // He may have left meanwhile.
    const group = this.#book.groupOf(userId, groupId);
    if (packet?.senderId !== userId || group === undefined) {
      return refusal('NOT_FOUND', 'it is not a packet of yours that can be grabbed, or not a group of yours');
    }
    const head = this.#nextMessage();
    const announced: GroupPacket = { ...head, groupId, ...packet };
    this.#outbox.push(othersIn(group, userId), ChatPush.PACKET, announced);
    return { status: 'OK', ...head };
  }

  /** @throws {RateError} */
  #takeGroupRate(userId: number): void {
    const waitMs = this.#groupRate.take(userId, this.#nowMs());
    if (waitMs > 0) throw new RateError(waitMs);
  }

  /** Ids go up, also over a restart of the service. */
  #nextMessage(): { messageId: number; timeMs: number } {
    const timeMs = Math.floor(this.#nowMs());
    this.#lastMessage = Math.max(this.#lastMessage + 1, timeMs * 1000);
    return { messageId: this.#lastMessage, timeMs };
  }

  #tell<T>(userIds: number | readonly number[], opcode: ChatPush, body: T): void {
    this.#outbox.push(userIds, opcode, body);
  }

  #tellGroup(group: Group, byId: number, event: GroupEvent['event'], users: number[]): void {
    const { groupId, name } = group;
    this.#tell<GroupEvent>(othersIn(group, byId), ChatPush.GROUP, { event, groupId, name, users });
  }

  /** Tells friends who are here that a user has come or gone. Returns who they are. */
  #tellPresence(userId: number, friends: number[]): number[] {
    const here = friends.filter((friend) => this.#online.has(friend));
    if (here.length > 0) this.#pushPresence(here, { users: [userId], online: this.#online.has(userId) });
    return here;
  }

  /** Those who are away need not be told: they are told who is here when they come. */
  #pushPresence(toIds: number[], event: PresenceEvent): void {
    this.#outbox.push(toIds, ChatPush.PRESENCE, event, true);
  }
}

const OK: ChatAnswer = { status: 'OK' };

function othersIn(group: Group, userId: number): number[] {
  return [...group.users].filter((id) => id !== userId);
}

function badRequest(message: string): ChatAnswer {
  return { status: 'BAD_REQUEST', message };
}

function refusal(status: keyof typeof MESSAGES, message = MESSAGES[status]): ChatAnswer {
  return { status, message };
}

function answerOf(outcome: BookOutcome): ChatAnswer {
  if (outcome === 'OK') return OK;
  if (outcome === 'SELF') return badRequest('this is you');
  return outcome === 'FULL'
    ? refusal('FULL', `a list is full; a group has at most ${MAX_GROUP_USERS} users`)
    : refusal(outcome);
}

/** Of what a request says: fields in any order are the same request. */
function digestOf(opcode: number, fields: Fields): string {
  const sorted = Object.keys(fields).sort();
  const text = JSON.stringify([opcode, sorted.map((name) => [name, fields[name]])]);
  return createHash('sha256').update(text).digest('base64').slice(0, 22);
}
