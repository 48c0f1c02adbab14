// The frames of chat: which opcodes they have, and the MessagePack bodies of the built-in service.
//
// A server passes every request on to its chat service without looking into it, so another service may give these opcodes
// other meanings: see docs/CHAT.md.

import type { RichNotice } from './extended.ts';

/** The opcodes of chat. Even ones below FIRST_CHAT_PUSH ask, the odd one behind each answers; the others come unasked. */
export const FIRST_CHAT_OPCODE = 0x0200;
export const FIRST_CHAT_PUSH = 0x0280;
export const LAST_CHAT_OPCODE = 0x02ff;

/** Tells whether a client may send this opcode to ask for chat. */
export function isChatRequest(opcode: number): boolean {
  return opcode >= FIRST_CHAT_OPCODE && opcode < FIRST_CHAT_PUSH && opcode % 2 === 0;
}

/** Tells whether this opcode is a frame of chat that nobody asked for. */
export function isChatPush(opcode: number): boolean {
  return opcode >= FIRST_CHAT_PUSH && opcode <= LAST_CHAT_OPCODE;
}

/** The requests of the built-in service. */
export const ChatRequest = {
  MESSAGE: 0x0200,
  FRIEND_ASK: 0x0202,
  FRIEND_ACCEPT: 0x0204,
  FRIEND_REMOVE: 0x0206,
  FRIENDS: 0x0208,
  GROUP_CREATE: 0x020a,
  GROUP_ADD: 0x020c,
  GROUP_LEAVE: 0x020e,
  GROUPS: 0x0210,
  GROUP_MESSAGE: 0x0212,
  GROUP_PACKET: 0x0214,
} as const;
export type ChatRequest = (typeof ChatRequest)[keyof typeof ChatRequest];

/** What the built-in service tells without being asked. */
export const ChatPush = {
  MESSAGE: 0x0280,
  FRIEND: 0x0282,
  GROUP: 0x0284,
  PACKET: 0x0286,
  PRESENCE: 0x0288,
} as const;
export type ChatPush = (typeof ChatPush)[keyof typeof ChatPush];

/** What became of a request. */
export type ChatStatus = 'OK' | 'BAD_REQUEST' | 'NOT_FRIENDS' | 'NOT_FOUND' | 'FULL' | 'KEY_REUSED';

/** What every answer says. */
export interface ChatAnswer {
  status: ChatStatus;
  /** What is wrong, for people; with every status but OK. */
  message?: string;
}

/** Answer to MESSAGE, GROUP_MESSAGE and GROUP_PACKET. */
export interface MessageAnswer extends ChatAnswer {
  /** Higher is later. Unix milliseconds. */
  messageId?: number;
  timeMs?: number;
}

/** Answer to FRIENDS. */
export interface FriendsAnswer extends ChatAnswer {
  friends?: { userId: number; online: boolean }[];
  /** Who has asked this user, and whom this user has asked. */
  askedBy?: number[];
  asked?: number[];
}

export interface ChatGroup {
  groupId: number;
  name: string;
  users: number[];
}

/** Answer to GROUP_CREATE. */
export interface GroupAnswer extends ChatAnswer {
  groupId?: number;
}

/** Answer to GROUPS: of all of this user's groups without their users, or of the one that was asked for with them. */
export interface GroupsAnswer extends ChatAnswer {
  groups?: (Omit<ChatGroup, 'users'> & Partial<ChatGroup>)[];
}

/** Push MESSAGE: from a friend, or in a group. */
export interface ChatMessage {
  messageId: number;
  timeMs: number;
  fromId: number;
  groupId?: number;
  text: string;
}

/** Push FRIEND. */
export interface FriendEvent {
  event: 'asked' | 'accepted' | 'removed';
  userId: number;
}

/** Push GROUP: these users are in it now, or have left it. */
export interface GroupEvent {
  event: 'joined' | 'left';
  groupId: number;
  name: string;
  users: number[];
}

/** Push PACKET: a member announces a packet that he sent. */
export interface GroupPacket extends RichNotice {
  messageId: number;
  timeMs: number;
  groupId: number;
}

/** Push PRESENCE: friends have come or gone; and, to one who has come himself, those who are here. */
export interface PresenceEvent {
  users: number[];
  online: boolean;
}
