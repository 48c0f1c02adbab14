// A stand-in for the server behind the dashboard: serves the page, tells plausible seconds and states over /live, and writes
// down what the page asks for.

import type { ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance } from 'fastify';
import { addPage } from '../../lib/control/page-files.ts';
import { heatBoundUs } from '../../lib/monitor/latency-log.ts';
import type { LiveCampaign, LiveHello, LiveSecond, LiveState } from '../../lib/monitor/live.ts';

/** What the page asked for. */
export interface Asked {
  method: string;
  url: string;
  body: unknown;
  origin: string | undefined;
}

type Latency = NonNullable<LiveSecond['server']>['latency'][string];

export class PageServer {
  readonly asked: Asked[] = [];
  /** What is told; tests change it. */
  readonly hello: LiveHello = { program: 'hongbao 0.1.0', server: 'server@here' };
  readonly state: LiveState = firstState();
  /** What the next question is answered with, instead of a success. */
  refusal: { status: number; code: string; message: string } | undefined;
  /** Whether /live answers. */
  isLive = true;
  /** The control token that everything but the page needs; undefined for none. */
  token: string | undefined;
  readonly #app: FastifyInstance = Fastify({ forceCloseConnections: true });
  readonly #viewers = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;

  static async start(): Promise<PageServer> {
    const server = new PageServer();
    server.#addRoutes();
    await server.#app.listen({ host: '127.0.0.1', port: 0 });
    server.#timer = setInterval(() => server.tell(), 1000);
    return server;
  }

  get url(): string {
    const address = this.#app.server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  get app(): FastifyInstance {
    return this.#app;
  }

  /** Tells every viewer of the last second and of the state. */
  tell(): void {
    const now = Math.floor(Date.now() / 1000);
    this.state.nowMs = now * 1000;
    for (const source of this.state.sources) if (source.state === 'here') source.lastSecond = now - 1;
    for (const viewer of this.#viewers) {
      viewer.write(format('seconds', [makeSecond(now - 1)]));
      viewer.write(format('state', this.state));
    }
  }

  /** Cuts every stream. */
  cut(): void {
    for (const viewer of this.#viewers) viewer.destroy();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.cut();
    await this.#app.close();
  }

  #addRoutes(): void {
    const app = this.#app;
    addPage(app);
    app.addHook('onRequest', async (request, reply) => {
      const { url, headers } = request;
      if (this.token === undefined || url === '/' || url.startsWith('/page/')) return;
      if (headers.authorization === `Bearer ${this.token}`) return;
      return reply.status(401).send({ code: 'unauthorized', message: 'a control token is needed' });
    });
    app.get<{ Querystring: { seconds: string } }>('/live', (request, reply) => {
      if (!this.isLive) return reply.status(503).send({ code: 'busy', message: 'not now' });
      reply.hijack();
      const viewer = reply.raw;
      viewer.writeHead(200, { 'content-type': 'text/event-stream' });
      this.#viewers.add(viewer);
      viewer.on('close', () => this.#viewers.delete(viewer));
      viewer.write(format('hello', this.hello));
      viewer.write(format('seconds', makePast(Math.floor(Date.now() / 1000), Number(request.query.seconds))));
      this.state.nowMs = Date.now();
      viewer.write(format('state', this.state));
      return reply;
    });
    const answer = (path: string, method: 'POST' | 'PUT', success: () => object) =>
      app.route({
        method,
        url: path,
        handler: (request, reply) => {
          const { method, url, body, headers } = request;
          this.asked.push({ method, url, body, origin: headers.origin });
          const { refusal } = this;
          if (refusal === undefined) return reply.send(success());
          this.refusal = undefined;
          return reply.status(refusal.status).send({ code: refusal.code, message: refusal.message });
        },
      });
    for (const kind of ['drops', 'sends']) {
      answer(`/${kind}`, 'POST', () => ({ id: 9 }));
      for (const action of ['close', 'pause', 'resume']) answer(`/${kind}/:id/${action}`, 'POST', () => ({}));
    }
    answer('/clients/qps', 'PUT', () => ({
      fromMs: Date.now() + 400,
      clients: [
        { source: 'load-1@here', ok: true },
        { source: 'load-2@here', ok: false, message: 'the rate is already changing' },
      ],
    }));
  }
}

function format(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** 300 seconds, of which some are missing. */
function makePast(now: number, seconds: number): LiveSecond[] {
  const past: LiveSecond[] = [];
  for (let age = Math.min(300, seconds); age > 1; age--) if (age < 200 || age > 220) past.push(makeSecond(now - age));
  return past;
}

function makeSecond(second: number): LiveSecond {
  const wave = Math.sin(second / 25);
  const shakes = Math.round(30_000 + 3000 * wave + (second % 7) * 60);
  const won = 200 - (second % 5);
  const syncs = 90 + (second % 20);
  const spike = second % 61 === 0 ? 12 : 1;
  return {
    second,
    server: {
      sources: 1,
      rates: {
        requestsLogin: 3,
        requestsShake: shakes - 40,
        requestsGrab: 600,
        shakesWon: won,
        packetsReleased: 200,
        packetsSent: 200,
        grabsWon: 590,
        journalBatches: syncs,
        journalSyncs: syncs,
        journalSyncUs: syncs * 900 * spike,
        cpuUs: 620_000 + 40_000 * wave,
        nicRxPackets: 21_000 + 900 * wave,
        nicTxPackets: 19_500 + 700 * wave,
      },
      gauges: {
        connections: 10_000,
        level: spike > 1 ? 1 : 0,
        ringWaitMaxUs: 350 * spike + (second % 9) * 30,
        loopDelayMaxUs: 1400 * spike,
        gcMaxUs: 900 + (second % 11) * 70,
        rssBytes: 236e6 + (second % 300) * 1e4,
      },
      latency: { shake: makeLatency(40 * spike, shakes), grab: makeLatency(1500, 600), login: makeLatency(300, 3) },
    },
    client: {
      sources: 2,
      rates: { sent: shakes, answered: shakes - 60, won, grabsSent: 600, cpuUs: 800_000 },
      gauges: {
        connected: 10_000,
        loopDelayMaxUs: 2600,
        gcMaxUs: 1800 + (second % 13) * 90,
        rssBytes: 180e6,
      },
      latency: { shake: makeLatency(260 * spike, shakes), grab: makeLatency(2200, 600) },
    },
  };
}

/** Latencies about a median, with a tail. */
function makeLatency(medianUs: number, count: number): Latency {
  const counts: number[] = [];
  let first = -1;
  for (let bucket = 0; bucket < 40; bucket++) {
    const distance = Math.log10(heatBoundUs(bucket) / medianUs);
    const share = Math.exp(-((distance / (distance > 0 ? 0.45 : 0.2)) ** 2)) / 5;
    const inBucket = Math.floor(share * count);
    if (inBucket > 0 && first < 0) first = bucket;
    if (first >= 0) counts.push(inBucket);
  }
  while (counts.at(-1) === 0) counts.pop();
  const [p50Us, p90Us, p99Us, p999Us, maxUs] = [1, 3, 8, 30, 90].map((factor) => Math.round(medianUs * factor));
  return { count, meanUs: medianUs, p50Us, p90Us, p99Us, p999Us, maxUs, heat: { first: Math.max(0, first), counts } };
}

function makeCampaign(id: number, change: Partial<LiveCampaign>): LiveCampaign {
  return {
    id,
    count: 4000,
    rate: 200,
    released: 1200,
    claimed: 1150,
    totalCents: 400_000,
    claimedCents: 115_029,
    refundedCents: 0,
    state: 'releasing',
    isPaused: false,
    ...change,
  };
}

function firstState(): LiveState {
  const now = Math.floor(Date.now() / 1000);
  return {
    nowMs: now * 1000,
    sources: [
      { source: 'server@here', role: 'server', state: 'here', lastSecond: now - 1, lost: 0 },
      { source: 'load-1@here', role: 'client', state: 'here', lastSecond: now - 1, lost: 0, qps: 30_000 },
      { source: 'load-2@here', role: 'client', state: 'missing', lastSecond: now - 12, lost: 3, qps: 30_000 },
      { source: 'load-0@here', role: 'client', state: 'ended', lastSecond: now - 200, lost: 0 },
    ],
    refused: { bad_form: 2, too_old: 1 },
    lastRefusal: 'source: Invalid string: must match pattern',
    money: {
      funded: 1_000_000_029,
      claimed: 600_000_000,
      refunded: 250_000_000,
      outstanding: 150_000_029,
      difference: 0,
    },
    drops: [
      makeCampaign(3, {}),
      makeCampaign(2, { isPaused: true, released: 700, claimed: 700, claimedCents: 70_000 }),
      makeCampaign(1, { state: 'closed', released: 4000, claimed: 3990, claimedCents: 399_100, refundedCents: 900 }),
    ],
    sends: [
      makeCampaign(5, { state: 'creating', count: 2000, released: 500, claimed: 1480, totalCents: 150_000 }),
      makeCampaign(4, {
        state: 'created',
        count: 100,
        released: 100,
        claimed: 298,
        totalCents: 30_000,
        claimedCents: 29_800,
      }),
    ],
  };
}
