// The client library: what programs import from the package `hongbao`.

export {
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
} from '../lib/protocol/chat.ts';
export type {
  GoingAway,
  MoneyRecord,
  PacketRecord,
  RecordsRequest,
  RecordsResult,
  WalletResult,
} from '../lib/protocol/extended.ts';
export { HongbaoClient, type HongbaoClientEvents, type Notice } from './client.ts';
export { ClientChat } from './client-chat.ts';
export { ClientError, type ClientErrorCode } from './client-error.ts';
export { type ClientOptions, DEFAULT_CLIENT_OPTIONS } from './client-options.ts';
export type { GrabResult, SendRequest, SendResult, ShakeResultOf } from './client-results.ts';
