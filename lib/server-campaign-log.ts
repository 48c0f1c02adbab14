// What the log says of drops and sends: one sentence each time an operator does something with one, and when it is over.

import { formatCents, formatCount } from './monitor/text-table.ts';
import type { DropCampaigns, DropStatus } from './packets/drop-campaigns.ts';
import type { SendCampaigns, SendStatus } from './packets/send-campaigns.ts';

export class CampaignLog {
  readonly #say: (sentence: string) => void;

  /** @param say takes a sentence for the log */
  constructor(drops: DropCampaigns, sends: SendCampaigns, say: (sentence: string) => void) {
    this.#say = say;
    drops.onClosed = ({ id, claimed, count, claimedCents, refundedCents }) =>
      say(
        `drop ${id} is over: ${formatCount(claimed)} of ${formatCount(count)} packets won, ` +
          `${formatCents(claimedCents)} yuan; ${formatCents(refundedCents)} go back`,
      );
    sends.onClosed = ({ id, created, grabbedShares, claimedCents, refundedCents }) =>
      say(
        `send ${id} is over: ${formatCount(grabbedShares)} shares of ${formatCount(created)} packets grabbed, ` +
          `${formatCents(claimedCents)} yuan; ${formatCents(refundedCents)} go back`,
      );
  }

  dropStarted({ id, count, rate, budget }: DropStatus): void {
    this.#say(`drop ${id} starts: ${formatCount(count)} packets, ${rate} a second, ${formatCents(budget)} yuan`);
  }

  sendStarted({ id, count, rate }: SendStatus): void {
    this.#say(`send ${id} starts: ${formatCount(count)} packets, ${rate} a second`);
  }

  /** @param what has happened to it, such as `is paused` */
  changed(kind: 'drop' | 'send', id: number, what: string): void {
    this.#say(`${kind} ${id} ${what}`);
  }
}
