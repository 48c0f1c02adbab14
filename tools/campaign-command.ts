// What `hongbao drop` and `hongbao send` have in common: what they do with one that is there, and starting one.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Argv } from 'yargs';
import { type ControlBase, callControl, printJson } from './control-client.ts';

/** How often it looks whether one is closed, in milliseconds. */
const LOOK_MS = 200;

/** Where the control API has them. */
type CampaignPath = '/drops' | '/sends';

/** What a command line asks to be done: to list them all, or something with the one of this id. */
interface Operation {
  list: boolean;
  show: number | undefined;
  close: number | undefined;
  pause: number | undefined;
  resume: number | undefined;
}

/** Refuses a command line that asks for two operations. */
export function allowOneOperation<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .conflicts('show', ['close', 'pause', 'resume'])
    .conflicts('close', ['pause', 'resume'])
    .conflicts('pause', 'resume');
}

/** Does what is asked, and prints the answer. False if nothing is: then a new one is wanted. */
export async function operateCampaign(control: ControlBase, path: CampaignPath, asked: Operation): Promise<boolean> {
  const { list, show, close, pause, resume } = asked;
  if (list) printJson(await callControl(control, 'GET', path));
  else if (show !== undefined) printJson(await callControl(control, 'GET', `${path}/${show}`));
  else if (close !== undefined) printJson(await callControl(control, 'POST', `${path}/${close}/close`));
  else if (pause !== undefined) printJson(await callControl(control, 'POST', `${path}/${pause}/pause`));
  else if (resume !== undefined) printJson(await callControl(control, 'POST', `${path}/${resume}/resume`));
  else return false;
  return true;
}

/** Starts one and prints how it stands. @param waits until it is closed */
export async function startCampaign(
  control: ControlBase,
  path: CampaignPath,
  body: object,
  waits: boolean,
): Promise<void> {
  let status = (await callControl(control, 'POST', path, body)) as { id: number; state: string };
  while (waits && status.state !== 'closed') {
    await sleep(LOOK_MS);
    status = (await callControl(control, 'GET', `${path}/${status.id}`)) as typeof status;
  }
  printJson(status);
}
