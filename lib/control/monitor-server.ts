// The HTTP server of a monitor that stands alone: samples and viewers, and nothing to operate but the rates of load clients.

import type { FastifyInstance } from 'fastify';
import type { ControlGate } from '../access/control-tokens.ts';
import type { Monitor } from '../monitor/monitor.ts';
import { buildHttpApp } from './http-app.ts';
import { addMonitorRoutes } from './monitor-routes.ts';

/**
 * Builds it; the caller listens.
 * @param program name and version, for viewers @param host where it will listen
 * @param onError told of errors that are nobody's bad input
 * @param gate what tokens are held against; undefined lets everybody in
 */
export function buildMonitorServer(
  monitor: Monitor,
  program: string,
  host: string,
  onError: (error: Error) => void,
  gate?: ControlGate,
): FastifyInstance {
  const app = buildHttpApp([host], onError, gate);
  app.get('/healthz', () => ({ ok: true }));
  addMonitorRoutes(app, { monitor, hello: { program }, readOwn: async () => ({}), onError });
  return app;
}
