// `hongbao verify`: recomputes the shares of a packet that is over from its seed, as anybody can.

import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { z } from 'zod';
import { explainOpen, findPacket, findWin } from '../audit/find-packet.ts';
import { type PacketFacts, type Verdict, verifyPacket, verifyWin } from '../audit/packet-facts.ts';
import { type ControlBase, callControl, controlOf, controlOption } from '../control-client.ts';
import { UsageError } from '../usage-error.ts';

const PACKET_ID = /^(?:\d{1,10}|0x[0-9a-f]{1,8})$/i;
const MOST_ID = 0xffff_ffff;
/** From here on ids are of packets that were won by a shake. */
const FIRST_SHAKE_ID = 2 ** 31;

const hex = z.string().regex(/^[0-9a-f]{64}$/);

/** What GET /packets/:id answers, as far as it is needed. */
const packetPage = z.object({
  mode: z.enum(['lucky', 'line', 'equal']),
  totalCents: z.int(),
  shares: z.int(),
  minCents: z.int(),
  maxCents: z.int(),
  grabs: z.array(z.object({ userId: z.int(), amountCents: z.int(), share: z.int().optional() })),
  commitment: hex,
  seed: hex.optional(),
});

interface VerifyArguments {
  packet: string;
  control: string;
  'control-token': string | undefined;
  data: string | undefined;
}

export const verifyCommand: CommandModule<object, VerifyArguments> = {
  command: 'verify <packet>',
  describe: 'check that a packet was split as its seed says',
  builder: (yargs) =>
    yargs
      .positional('packet', { type: 'string', demandOption: true, describe: 'its id, in decimal or as 0x...' })
      .options({
        ...controlOption,
        data: { type: 'string', describe: 'read the journal in this data directory instead of asking a server' },
      }),
  handler: verify,
};

async function verify({ packet, data, ...args }: ArgumentsCamelCase<VerifyArguments>): Promise<void> {
  const id = PACKET_ID.test(packet) ? Number(packet) : MOST_ID + 1;
  if (id > MOST_ID) throw new UsageError(`the packet id must be a whole number from 0 to ${MOST_ID}, or 0x...`);
  const { lines, problems } =
    data === undefined ? await verifyByServer(controlOf(args), id) : verifyByJournal(data, id);
  const end = problems.length === 0 ? ['verified'] : problems;
  process.stdout.write(`${[...lines, '', ...end].join('\n')}\n`);
  if (problems.length > 0) process.exitCode = 1;
}

function verifyByJournal(directory: string, id: number): Verdict {
  return id < FIRST_SHAKE_ID ? verifyPacket(findPacket(directory, id)) : verifyWin(findWin(directory, id));
}

async function verifyByServer(control: ControlBase, id: number): Promise<Verdict> {
  if (id >= FIRST_SHAKE_ID) {
    throw new UsageError(`packet ${id} was won by a shake: say --data DIR, it is checked from the journal`);
  }
  const page = packetPage.safeParse(await callControl(control, 'GET', `/packets/${id}`));
  if (!page.success) throw new UsageError(`what ${control.url} answers is not the page of a packet`);
  const { seed, grabs, ...terms } = page.data;
  if (seed === undefined) throw new UsageError(explainOpen(id));
  const facts: PacketFacts = {
    id,
    ...terms,
    seed,
    grabs: grabs.map((grab, i) => ({ ...grab, share: grab.share ?? i })),
  };
  return verifyPacket(facts);
}
