// Messages, friends and groups, as one user of a client has them; what comes unasked are events of the client.
//
//   await client.chat.askFriend(7);              // 7: await client.chat.acceptFriend(42)
//   await client.chat.message(7, 'hello');       // 7: client.on('message', ({ fromId, text }) => ...)
//   const { groupId } = await client.chat.createGroup('family', [7, 8]);

import { randomUUID } from 'node:crypto';
import {
  type ChatAnswer,
  ChatRequest,
  type FriendsAnswer,
  type GroupAnswer,
  type GroupsAnswer,
  isChatRequest,
  type MessageAnswer,
} from '../lib/protocol/chat.ts';
import { MAX_CHAT_FRAME_BYTES } from '../lib/protocol/limits.ts';
import { packFrame } from '../lib/protocol/message-pack.ts';
import { ClientError } from './client-error.ts';

/**
 * Every call resolves to the service's answer, whose `status` says what became of it, and fails with ClientError `server`, with
 * `serverCode` and `retryAfterMs`: `busy` and `rate` were not tried; `unavailable` may have been done. A call with a key can be
 * repeated with the same one: it happens once, as long as the service lives and few other keys came between.
 */
export class ClientChat {
  readonly #ask: (opcode: number, body: unknown) => Promise<unknown>;

  constructor(ask: (opcode: number, body: unknown) => Promise<unknown>) {
    this.#ask = ask;
  }

  /** Asks for anything of 0x0200 to 0x027e: for a service of your own. @throws {ClientError} request, and those of every request */
  async request(opcode: number, body: unknown): Promise<unknown> {
    if (!isChatRequest(opcode)) throw new ClientError('request', `${opcode} is no opcode of a request for chat`);
    if (packFrame(opcode, 0, 0, body).length > MAX_CHAT_FRAME_BYTES) {
      throw new ClientError('request', `a request for chat has at most ${MAX_CHAT_FRAME_BYTES} bytes`);
    }
    return this.#ask(opcode, body);
  }

  /** Writes to a friend: 1 to 1,000 characters. */
  message(userId: number, text: string, key: string = randomUUID()): Promise<MessageAnswer> {
    return this.request(ChatRequest.MESSAGE, { userId, text, key }) as Promise<MessageAnswer>;
  }

  /** Asks somebody to be friends, or says yes to one who has asked. */
  askFriend(userId: number): Promise<ChatAnswer> {
    return this.request(ChatRequest.FRIEND_ASK, { userId }) as Promise<ChatAnswer>;
  }

  acceptFriend(userId: number): Promise<ChatAnswer> {
    return this.request(ChatRequest.FRIEND_ACCEPT, { userId }) as Promise<ChatAnswer>;
  }

  /** Ends a friendship, takes an ask back, or turns one down. */
  removeFriend(userId: number): Promise<ChatAnswer> {
    return this.request(ChatRequest.FRIEND_REMOVE, { userId }) as Promise<ChatAnswer>;
  }

  friends(): Promise<FriendsAnswer> {
    return this.request(ChatRequest.FRIENDS, {}) as Promise<FriendsAnswer>;
  }

  /** Makes a group of this user and friends. */
  createGroup(name: string, users: readonly number[], key: string = randomUUID()): Promise<GroupAnswer> {
    return this.request(ChatRequest.GROUP_CREATE, { name, users, key }) as Promise<GroupAnswer>;
  }

  addToGroup(groupId: number, users: readonly number[]): Promise<ChatAnswer> {
    return this.request(ChatRequest.GROUP_ADD, { groupId, users }) as Promise<ChatAnswer>;
  }

  leaveGroup(groupId: number): Promise<ChatAnswer> {
    return this.request(ChatRequest.GROUP_LEAVE, { groupId }) as Promise<ChatAnswer>;
  }

  /** This user's groups; or one of them, with its users. */
  groups(groupId?: number): Promise<GroupsAnswer> {
    return this.request(ChatRequest.GROUPS, groupId === undefined ? {} : { groupId }) as Promise<GroupsAnswer>;
  }

  messageGroup(groupId: number, text: string, key: string = randomUUID()): Promise<MessageAnswer> {
    return this.request(ChatRequest.GROUP_MESSAGE, { groupId, text, key }) as Promise<MessageAnswer>;
  }

  /**
   * Announces a packet that this user sent, in a group. Who may grab it was said when it was sent: name the users of
   * `groups(groupId)` in `client.send`.
   */
  announcePacket(groupId: number, packetId: number, key: string = randomUUID()): Promise<MessageAnswer> {
    return this.request(ChatRequest.GROUP_PACKET, { groupId, packetId, key }) as Promise<MessageAnswer>;
  }
}
