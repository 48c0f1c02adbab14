// The control API: HTTP on the main thread, for operators and programs on this machine. Never on the path of a client.
//
// It checks what comes in, calls what the server hands it, and turns outcomes into JSON. Errors are {code, message}.

import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { z } from 'zod';
import {
  type DropBody,
  dropBody,
  idParams,
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
  /** False once the server has begun to stop. */
  isServing(): boolean;
  status(): Promise<object>;
  /** The text of GET /metrics. */
  metrics(): Promise<string>;
  createDrop(body: DropBody): Promise<object>;
  drop(id: number): Promise<object>;
  closeDrop(id: number): Promise<object>;
  createSend(body: SendBody): Promise<object>;
  send(id: number): Promise<object>;
  packet(id: number): Promise<object>;
  /** From the journal: every grab with its record, also of packets long over. */
  packetRecords(id: number): Promise<object>;
  user(id: number, query: RecordsQuery): Promise<object>;
  topUp(userId: number, body: TransferBody): Promise<object>;
  withdraw(userId: number, body: TransferBody): Promise<object>;
  ledger(): Promise<object>;
}

/** HTTP status of the errors that the target throws, by their code. */
const STATUS_OF_CODE: Record<string, number> = {
  bad_request: 400,
  not_found: 404,
  no_room: 409,
  insufficient: 409,
  key_reused: 409,
  busy: 503,
};

/** Bytes of a body: the longest that is allowed has a few hundred. */
const BODY_LIMIT = 64 * 1024;

/** The text format of Prometheus. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What is said instead of Fastify's own words, by the code of its error. */
const SENTENCES: Record<string, string> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body must be a JSON object',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body must be a JSON object',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'the body must be of type application/json',
  FST_ERR_CTP_BODY_TOO_LARGE: `the body must be at most ${BODY_LIMIT} bytes long`,
};

/** A request that the schemas refuse. */
class BadRequest extends Error {
  readonly code = 'bad_request';
}

/**
 * Builds the API; the caller listens.
 * @param onError told of errors that are nobody's bad input: they are answered 500 and belong into the log
 */
export function buildControlServer(target: ControlTarget, onError: (error: Error) => void): FastifyInstance {
  const answerError = (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
    const status = STATUS_OF_CODE[error.code] ?? error.statusCode ?? 500;
    if (status >= 500 && !(error.code in STATUS_OF_CODE)) {
      onError(error);
      return reply.status(status).send({ code: 'internal', message: 'the server failed; its log says more' });
    }
    const code = error.code in STATUS_OF_CODE ? error.code : 'bad_request';
    return reply.status(status).send({ code, message: SENTENCES[error.code] ?? error.message });
  };
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    frameworkErrors: answerError,
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request, reply) =>
    reply.status(404).send({ code: 'not_found', message: `there is no ${request.method} ${request.url}` }),
  );

  app.get('/healthz', (_request, reply) =>
    target.isServing() ? { ok: true } : reply.status(503).send({ code: 'stopping', message: 'the server is stopping' }),
  );
  app.get('/status', () => target.status());
  app.get('/metrics', async (_request, reply) => reply.type(METRICS_TYPE).send(await target.metrics()));
  app.post('/drops', async (request, reply) => {
    const drop = await target.createDrop(check(dropBody, request.body));
    return reply.status(201).send(drop);
  });
  app.get('/drops/:id', (request) => target.drop(idOf(request)));
  app.post('/drops/:id/close', (request) => target.closeDrop(idOf(request)));
  app.post('/sends', async (request, reply) => {
    const send = await target.createSend(check(sendBody, request.body));
    return reply.status(201).send(send);
  });
  app.get('/sends/:id', (request) => target.send(idOf(request)));
  app.get('/packets/:id', (request) => target.packet(idOf(request)));
  app.get('/packets/:id/records', (request) => target.packetRecords(idOf(request)));
  app.get('/users/:id', (request) => target.user(userOf(request), check(recordsQuery, request.query)));
  app.post('/users/:id/topup', (request) => target.topUp(userOf(request), check(transferBody, request.body)));
  app.post('/users/:id/withdraw', (request) => target.withdraw(userOf(request), check(transferBody, request.body)));
  app.get('/ledger', () => target.ledger());
  return app;
}

function idOf(request: FastifyRequest): number {
  return check(idParams, request.params).id;
}

function userOf(request: FastifyRequest): number {
  return check(userParams, request.params).id;
}

/** The value as the schema says, or an error with the sentence of the first thing that is wrong. */
function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue.code === 'unrecognized_keys') throw new BadRequest(`unknown field: ${issue.keys.join(', ')}`);
  if (issue.path.length === 0) throw new BadRequest('the body must be a JSON object');
  throw new BadRequest(issue.message);
}
