// The control API: HTTP on the main thread, for operators and programs on this machine. Never on the path of a client.
//
// It checks what comes in, calls what the server hands it, and turns outcomes into JSON. Errors are {code, message}.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ControlGate } from '../access/control-tokens.ts';
import type { LiveHello, LiveState } from '../monitor/live.ts';
import type { Monitor } from '../monitor/monitor.ts';
import { check } from './check.ts';
import { buildHttpApp } from './http-app.ts';
import { addMonitorRoutes } from './monitor-routes.ts';
import {
  type DropBody,
  dropBody,
  idParams,
  type LevelBody,
  levelBody,
  type RecordsQuery,
  recordsQuery,
  type SendBody,
  sendBody,
  type TransferBody,
  transferBody,
  userParams,
} from './schemas.ts';

/** What the server hands to the control API. What these return is sent as JSON. */
export interface ControlTarget {
  readonly monitor: Monitor;
  readonly hello: LiveHello;
  /** Where the control API listens: a name that it may be asked for by. */
  readonly host: string;
  /** False once the server has begun to stop. */
  isServing(): boolean;
  status(): Promise<object>;
  /** The text of GET /metrics. */
  metrics(): Promise<string>;
  /** Drops, sends and money, for viewers. */
  campaigns(): Promise<Pick<LiveState, 'money' | 'drops' | 'sends'>>;
  /** Connections by client address, most first. */
  addresses(): Promise<object>;
  level(): Promise<object>;
  forceLevel(body: LevelBody): Promise<object>;
  releaseLevel(): Promise<object>;
  createDrop(body: DropBody): Promise<object>;
  drop(id: number): Promise<object>;
  /** Newest first. */
  drops(): Promise<object>;
  pauseDrop(id: number): Promise<object>;
  resumeDrop(id: number): Promise<object>;
  closeDrop(id: number): Promise<object>;
  createSend(body: SendBody): Promise<object>;
  send(id: number): Promise<object>;
  /** Those that can still be grabbed. */
  sendPackets(id: number): Promise<object>;
  /** Newest first. */
  sends(): Promise<object>;
  pauseSend(id: number): Promise<object>;
  resumeSend(id: number): Promise<object>;
  closeSend(id: number): Promise<object>;
  /** The kill switch: whether it is on, and what it holds. */
  halted(): Promise<object>;
  /** Pauses every drop and send, and refuses new ones. */
  halt(): Promise<object>;
  /** Lets go on what `halt` has paused. */
  endHalt(): Promise<object>;
  packet(id: number): Promise<object>;
  /** From the journal: every grab with its record, also of packets long over. */
  packetRecords(id: number): Promise<object>;
  user(id: number, query: RecordsQuery): Promise<object>;
  topUp(userId: number, body: TransferBody): Promise<object>;
  withdraw(userId: number, body: TransferBody): Promise<object>;
  ledger(): Promise<object>;
}

/** What is said once the server has begun to stop. */
const STOPPING = { code: 'stopping', message: 'the server is stopping' };

/** The text format of Prometheus. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Builds the API; the caller listens.
 * @param onError told of errors that are nobody's bad input: they are answered 500 and belong into the log
 * @param gate what tokens are held against; undefined lets everybody in
 */
export function buildControlServer(
  target: ControlTarget,
  onError: (error: Error) => void,
  gate?: ControlGate,
): FastifyInstance {
  const app = buildHttpApp([target.host], onError, gate);
  app.get('/healthz', (_request, reply) => (target.isServing() ? { ok: true } : reply.status(503).send(STOPPING)));
  // What is begun now could not be ended; looking is always allowed, and so are the last samples of others.
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'POST' && request.url !== '/samples' && !target.isServing())
      return reply.status(503).send(STOPPING);
  });
  app.get('/status', () => target.status());
  app.get('/metrics', async (_request, reply) => reply.type(METRICS_TYPE).send(await target.metrics()));
  app.get('/level', () => target.level());
  app.put('/level', (request) => target.forceLevel(check(levelBody, request.body)));
  app.delete('/level', () => target.releaseLevel());
  app.get('/connections/by-address', () => target.addresses());
  app.post('/drops', async (request, reply) => {
    const body = check(dropBody, request.body);
    return reply.status(body.dryRun ? 200 : 201).send(await target.createDrop(body));
  });
  app.get('/drops', () => target.drops());
  app.get('/drops/:id', (request) => target.drop(idOf(request)));
  app.post('/drops/:id/pause', (request) => target.pauseDrop(idOf(request)));
  app.post('/drops/:id/resume', (request) => target.resumeDrop(idOf(request)));
  app.post('/drops/:id/close', (request) => target.closeDrop(idOf(request)));
  app.post('/sends', async (request, reply) => {
    const body = check(sendBody, request.body);
    return reply.status(body.dryRun ? 200 : 201).send(await target.createSend(body));
  });
  app.get('/sends', () => target.sends());
  app.get('/sends/:id', (request) => target.send(idOf(request)));
  app.get('/sends/:id/packets', (request) => target.sendPackets(idOf(request)));
  app.post('/sends/:id/pause', (request) => target.pauseSend(idOf(request)));
  app.post('/sends/:id/resume', (request) => target.resumeSend(idOf(request)));
  app.post('/sends/:id/close', (request) => target.closeSend(idOf(request)));
  app.get('/halt', () => target.halted());
  app.post('/halt', () => target.halt());
  app.delete('/halt', () => target.endHalt());
  app.get('/packets/:id', (request) => target.packet(idOf(request)));
  app.get('/packets/:id/records', (request) => target.packetRecords(idOf(request)));
  app.get('/users/:id', (request) => target.user(userOf(request), check(recordsQuery, request.query)));
  app.post('/users/:id/topup', (request) => target.topUp(userOf(request), check(transferBody, request.body)));
  app.post('/users/:id/withdraw', (request) => target.withdraw(userOf(request), check(transferBody, request.body)));
  app.get('/ledger', () => target.ledger());
  addMonitorRoutes(app, {
    monitor: target.monitor,
    hello: target.hello,
    readOwn: () => target.campaigns(),
    onError,
  });
  return app;
}

function idOf(request: FastifyRequest): number {
  return check(idParams, request.params).id;
}

function userOf(request: FastifyRequest): number {
  return check(userParams, request.params).id;
}
