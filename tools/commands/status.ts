// `hongbao status`: what a running server says of itself.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { formatLatencies } from '../../lib/monitor/latency-table.ts';
import { formatCents, formatCount, formatMs, formatTable } from '../../lib/monitor/text-table.ts';
import type { AddressCounts } from '../../lib/server-addresses.ts';
import type { ServerStatus } from '../../lib/server-status.ts';
import { callControl, controlOf, controlOption, printJson } from '../control-client.ts';

const options = {
  json: { type: 'boolean', default: false, describe: 'print the JSON instead' },
  'by-address': { type: 'boolean', default: false, describe: 'list the connections per client address instead' },
  ...controlOption,
} as const;

type StatusArguments = InferredOptionTypes<typeof options>;

export const statusCommand: CommandModule<object, StatusArguments> = {
  command: 'status',
  describe: 'show connections, requests, money and latency of a running server',
  builder: (yargs) => yargs.options(options),
  handler: status,
};

async function status(args: ArgumentsCamelCase<StatusArguments>): Promise<void> {
  if (args.byAddress) return showAddresses(args);
  const answer = (await callControl(controlOf(args), 'GET', '/status')) as ServerStatus;
  if (args.json) printJson(answer);
  else process.stdout.write(`${formatStatus(answer).join('\n')}\n`);
}

async function showAddresses(args: ArgumentsCamelCase<StatusArguments>): Promise<void> {
  const answer = (await callControl(controlOf(args), 'GET', '/connections/by-address')) as AddressCounts;
  if (args.json) return printJson(answer);
  const rows = answer.addresses.map(({ address, connections }) => [address, formatCount(connections)]);
  if (answer.others > 0) rows.push(['(others)', formatCount(answer.others)]);
  process.stdout.write(`${formatTable([['address', 'connections'], ...rows]).join('\n')}\n`);
}

function formatStatus(status: ServerStatus): string[] {
  const { connections, shakes, grabs, packets, money, transfers, journal, latency } = status;
  const closed = Object.entries(connections.closed).map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return [
    `${status.name}, up ${formatCount(status.uptimeSeconds)} s, level ${status.level}, ` +
      `${formatCount(status.memory.residentBytes / 2 ** 20)} MB resident`,
    '',
    ...formatTable([
      ['connections', 'open', 'accepted', 'logged in'],
      ['', formatCount(connections.open), formatCount(connections.accepted), formatCount(status.sessions)],
    ]),
    `closed: ${closed.length > 0 ? closed.join(', ') : 'none'}`,
    '',
    ...formatTable([
      ['shakes', 'won', 'none', 'overload', 'won, yuan'],
      [
        formatCount(status.requests.shake),
        formatCount(shakes.won),
        formatCount(shakes.none),
        formatCount(shakes.overload),
        formatCents(shakes.wonCents),
      ],
    ]),
    '',
    ...formatTable([
      ['packets sent', 'open', 'expired', 'shares grabbed', 'grabbed, yuan'],
      [
        formatCount(packets.sent),
        formatCount(packets.open),
        formatCount(packets.expired),
        formatCount(packets.grabbedShares),
        formatCents(grabs.wonCents),
      ],
    ]),
    '',
    ...formatTable([
      ['money, yuan', 'funded', 'claimed', 'refunded', 'outstanding', 'difference'],
      ['', ...[money.funded, money.claimed, money.refunded, money.outstanding, money.difference].map(formatCents)],
    ]),
    '',
    ...formatTable([
      ['users, yuan', 'topped up', 'withdrawn'],
      ['', formatCents(transfers.toppedUp), formatCents(transfers.withdrawn)],
    ]),
    '',
    ...formatTable([
      [`journal, ${journal.durability}`, 'records', 'batches', 'MB', 'syncs', 'ms a sync'],
      [
        '',
        formatCount(journal.records),
        formatCount(journal.batches),
        (journal.bytes / 2 ** 20).toFixed(1),
        formatCount(journal.syncs),
        formatMs(journal.meanSyncUs),
      ],
    ]),
    '',
    ...formatLatencies('in the server, ms', Object.entries(latency)),
  ];
}
