// The routes of a monitor: samples come in, viewers look on. The server's control API has them, and `hongbao monitor` alone.

import type { FastifyInstance } from 'fastify';
import { check } from './check.ts';
import { setClientRates } from './client-rates.ts';
import { type LiveParts, LiveStream, MOST_VIEWERS } from './live-stream.ts';
import { addPage } from './page-files.ts';
import { liveQuery, qpsBody } from './schemas.ts';

/** Bytes of one delivery: a hundred samples. */
const SAMPLES_LIMIT = 8 * 1024 * 1024;

/** Samples in one delivery. */
const MOST_SAMPLES = 1000;

export function addMonitorRoutes(app: FastifyInstance, parts: LiveParts): void {
  const { monitor } = parts;
  const live = new LiveStream(parts);
  app.addHook('preClose', async () => live.close());

  app.post('/samples', { bodyLimit: SAMPLES_LIMIT }, (request) => {
    const samples = Array.isArray(request.body) ? request.body.slice(0, MOST_SAMPLES) : [request.body];
    let taken = 0;
    for (const sample of samples) if (monitor.takeUnknown(sample, request.ip)) taken++;
    return { taken, refused: samples.length - taken };
  });
  app.get('/samples', (request) => {
    const { seconds } = check(liveQuery, request.query);
    return { seconds: monitor.since(Math.floor(Date.now() / 1000) - seconds) };
  });
  app.get('/sources', () => monitor.state());
  app.get('/live', (request, reply) => {
    const { seconds } = check(liveQuery, request.query);
    if (live.isFull) {
      return reply.status(503).send({ code: 'busy', message: `${MOST_VIEWERS} viewers are there already` });
    }
    reply.hijack();
    live.open(reply.raw, seconds);
    return reply;
  });
  app.put('/clients/qps', (request) => setClientRates(monitor, check(qpsBody, request.body).qps));
  addPage(app);
}
