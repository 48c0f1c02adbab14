// The HTTP server below the control API and the monitor: how errors are answered, and whom it does not listen to.
//
// A web page of another origin can make a browser on this machine send requests here. It is refused by its Origin, and when
// it gives this machine a name of its own (DNS rebinding) by the Host it asks for.

import { isIP } from 'node:net';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ControlGate } from '../access/control-tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether it is answered without a token: what holds nothing but the page itself. */
    isPublic?: boolean;
  }
}

/** HTTP status of the errors that are thrown with a code. */
const STATUS_OF_CODE: Record<string, number> = {
  bad_request: 400,
  not_found: 404,
  no_room: 409,
  insufficient: 409,
  key_reused: 409,
  over: 409,
  busy: 503,
};

/** Bytes of a body: the longest that is allowed has a few hundred. */
const BODY_LIMIT = 64 * 1024;

/** What is said instead of Fastify's own words, by the code of its error. */
const SENTENCES: Record<string, string> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'the body must be a JSON object',
  FST_ERR_CTP_INVALID_JSON_BODY: 'the body must be a JSON object',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'the body must be of type application/json',
  FST_ERR_CTP_BODY_TOO_LARGE: `the body must be at most ${BODY_LIMIT} bytes long`,
};

/**
 * An HTTP server without routes; the caller adds them and listens.
 * @param hosts names that this machine is asked for by, beside its addresses and localhost
 * @param onError told of errors that are nobody's bad input: they are answered 500 and belong into the log
 * @param gate what tokens are held against; undefined lets everybody in
 */
export function buildHttpApp(
  hosts: readonly string[],
  onError: (error: Error) => void,
  gate?: ControlGate,
): FastifyInstance {
  const names = hosts.map((name) => name.toLowerCase());
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
  app.addHook('onRequest', async (request, reply) => {
    const { host = '', origin } = request.headers;
    if (!isOurs(host, names)) {
      return reply.status(403).send({ code: 'forbidden', message: `this server is not asked for as ${host}` });
    }
    if (origin !== undefined && origin !== `http://${host}`) {
      return reply.status(403).send({ code: 'forbidden', message: `a page of ${origin} may not ask here` });
    }
  });
  if (gate !== undefined) guard(app, gate);
  return app;
}

/** Asks for a token: one that may read for GET and HEAD, one that may operate for everything else. */
function guard(app: FastifyInstance, gate: ControlGate): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.isPublic === true) return;
    const right = gate.rightOf(request.headers.authorization);
    if (right === undefined) {
      const message = 'a control token is needed, as Authorization: Bearer; hongbao control-token prints it';
      return reply.status(401).header('www-authenticate', 'Bearer').send({ code: 'unauthorized', message });
    }
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    if (right === 'operate' || isReading) return;
    return reply.status(403).send({ code: 'forbidden', message: 'this control token may only read' });
  });
}

/** Whether a Host header names this machine by an address, as localhost, or by one of the names. */
function isOurs(host: string, hosts: readonly string[]): boolean {
  const name = host
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return isIP(name) !== 0 || name === 'localhost' || hosts.includes(name);
}
