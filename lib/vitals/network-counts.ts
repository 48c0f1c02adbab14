// Packets and bytes of the machine's network interfaces, as the kernel counts them in /proc/net/dev.

import { readFileSync } from 'node:fs';

/** Since the interfaces came up, over all of them; what goes over loopback is received as well as sent. */
export interface NetworkCounts {
  nicRxPackets: number;
  nicRxBytes: number;
  nicTxPackets: number;
  nicTxBytes: number;
}

/** Undefined where the system has no such file. */
export function readNetworkCounts(path = '/proc/net/dev'): NetworkCounts | undefined {
  try {
    return parseNetworkCounts(readFileSync(path, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Reads the file's text: two lines of heading, then `name: rx bytes, packets, 6 others, tx bytes, packets, ...`. */
export function parseNetworkCounts(text: string): NetworkCounts {
  const counts: NetworkCounts = { nicRxPackets: 0, nicRxBytes: 0, nicTxPackets: 0, nicTxBytes: 0 };
  for (const line of text.split('\n').slice(2)) {
    const fields = line
      .slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (!line.includes(':') || fields.length < 10) continue;
    counts.nicRxBytes += fields[0];
    counts.nicRxPackets += fields[1];
    counts.nicTxBytes += fields[8];
    counts.nicTxPackets += fields[9];
  }
  return counts;
}
