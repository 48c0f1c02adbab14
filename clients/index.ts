// The client library: what programs import from the package `hongbao`.

export { type GrabResult, HongbaoClient, type HongbaoClientEvents, type Notice, type ShakeResultOf } from './client.ts';
export { ClientError, type ClientErrorCode } from './client-error.ts';
export { type ClientOptions, DEFAULT_CLIENT_OPTIONS } from './client-options.ts';
