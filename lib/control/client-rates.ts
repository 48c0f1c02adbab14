// Gives all load clients that a monitor knows another rate, from the same second on.
//
// A client says at which port it listens; the address is where its samples come from, never one that a sample names.

import type { Monitor } from '../monitor/monitor.ts';

/** What became of one client. */
export interface ClientRate {
  source: string;
  ok: boolean;
  /** Why not. */
  message?: string;
}

/** The change begins at a whole second that is at least so far away, in milliseconds: every client must have heard of it. */
const AHEAD_MS = 400;
const TIMEOUT_MS = 3000;

/** @param qps shakes a second over the whole population @returns from when on, in Unix milliseconds */
export async function setClientRates(
  monitor: Monitor,
  qps: number,
): Promise<{ fromMs: number; clients: ClientRate[] }> {
  const fromMs = Math.ceil((Date.now() + AHEAD_MS) / 1000) * 1000;
  const clients = await Promise.all(
    monitor
      .present()
      .filter(({ sample }) => sample.role === 'client' && sample.controlPort !== undefined)
      .map(({ sample, address }) => setOne(sample.source, hostOf(address), sample.controlPort!, { qps, fromMs })),
  );
  return { fromMs, clients };
}

async function setOne(source: string, host: string, port: number, body: object): Promise<ClientRate> {
  try {
    const response = await fetch(`http://${host}:${port}/qps`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) {
      await response.body?.cancel();
      return { source, ok: true };
    }
    const { message = `it answered ${response.status}` } = (await response.json()) as { message?: string };
    return { source, ok: false, message };
  } catch (error) {
    const { cause, message } = error as Error;
    return { source, ok: false, message: cause instanceof Error ? cause.message : message };
  }
}

/** An address as a URL has it; '' is this process. */
function hostOf(address: string): string {
  const plain = address.replace(/^::ffff:/, '');
  if (plain === '') return '127.0.0.1';
  return plain.includes(':') ? `[${plain}]` : plain;
}
