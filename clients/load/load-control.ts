// The HTTP control of a load client: GET /status, PUT /qps. On loopback only; errors are {code, message}.

import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { MOST_QPS } from './load-options.ts';
import { type LoadSteering, SteeringError } from './load-steering.ts';

const qpsError = `qps must be a whole number from 0 to ${MOST_QPS}`;
const fromError = 'fromMs must be Unix milliseconds within the next hour';

const qpsBody = z.strictObject({
  qps: z
    .number({ error: qpsError })
    .int({ error: qpsError })
    .min(0, { error: qpsError })
    .max(MOST_QPS, { error: qpsError }),
  /** From when on, in Unix milliseconds; without it, from the next second on. */
  fromMs: z
    .number({ error: fromError })
    .refine((ms) => ms >= 0 && ms <= Date.now() + 3_600_000, { error: fromError })
    .optional(),
});

/** Listens on 127.0.0.1; the caller closes it. @param port 0 takes a free one */
export async function startLoadControl(steering: LoadSteering, port: number): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, bodyLimit: 4096, forceCloseConnections: true });
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    if (error instanceof SteeringError) return reply.status(409).send({ code: error.code, message: error.message });
    const status = error.statusCode ?? 500;
    return reply.status(status).send({ code: status < 500 ? 'bad_request' : 'internal', message: error.message });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.status(404).send({ code: 'not_found', message: `there is no ${request.method} ${request.url}` }),
  );
  app.get('/status', () => steering.status());
  app.put('/qps', (request, reply) => {
    const body = qpsBody.safeParse(request.body);
    if (body.success) return steering.setQps(body.data.qps, body.data.fromMs);
    const [issue] = body.error.issues;
    const isField = issue.path.length > 0;
    const message = isField ? issue.message : 'the body must be a JSON object with qps, and fromMs at the most';
    return reply.status(400).send({ code: 'bad_request', message });
  });
  await app.listen({ host: '127.0.0.1', port });
  return app;
}
