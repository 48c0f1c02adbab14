// The forms: start a drop, start a send, and set the rate of the load clients.

import { byId, make, setText } from './dom.ts';
import { formatClock, formatNumber } from './format.ts';
import { parseYuan } from './money-text.ts';
import { type Answer, request } from './request.ts';
import type { TextKey } from './texts.ts';
import { word } from './words.ts';

/** A field that does not say what it should; its message is for the viewer. */
class FieldError extends Error {
  readonly field: HTMLElement;

  constructor(field: HTMLElement, message: string) {
    super(message);
    this.field = field;
  }
}

/** Makes the forms of the page work. */
export function startForms(): void {
  onSubmit('drop-form', async (say) => {
    const count = readWhole('drop-count', 'field.count');
    const rate = readRate('drop-rate', 'field.rate');
    const budget = readYuan('drop-budget', 'field.budget');
    sayStarted(say, 'drops.started', await request('POST', '/drops', { count, rate, budget }));
  });
  onSubmit('send-form', async (say) => {
    const count = readWhole('send-count', 'field.count');
    const rate = readRate('send-rate', 'field.rate');
    const shares = readWhole('send-shares', 'field.shares');
    const total = readYuan('send-total', 'field.total');
    const users = [readWhole('send-first', 'field.first'), readWhole('send-last', 'field.last')];
    const mode = byId<HTMLSelectElement>('send-mode').value;
    sayStarted(say, 'sends.started', await request('POST', '/sends', { count, rate, shares, total, users, mode }));
  });
  onSubmit('qps-form', async (say) => {
    const qps = readWhole('qps', 'field.qps');
    byId('qps-clients').replaceChildren();
    const answer = await request('PUT', '/clients/qps', { qps });
    if (!answer.ok) return say(answer.message, true);
    const { fromMs, clients } = answer.body as unknown as QpsAnswer;
    const hasTaken = clients.some(({ ok }) => ok);
    const time = formatClock(fromMs / 1000);
    say(hasTaken ? word('rateFrom', { qps: formatNumber(qps), time }) : word('rateNone'), !hasTaken);
    byId('qps-clients').replaceChildren(
      ...clients.map(({ source, ok, message = word('clientSilent') }) =>
        make('li', ok ? '' : 'error', word(ok ? 'clientAgreed' : 'clientRefused', { source, message })),
      ),
    );
  });
}

/** What PUT /clients/qps answers. */
interface QpsAnswer {
  /** When the rate begins. */
  fromMs: number;
  clients: { source: string; ok: boolean; message?: string }[];
}

type Say = (message: string, isError: boolean) => void;

/** Runs `submit` when the form is sent; what it says stands beside the button, and a wrong field gets the focus. */
function onSubmit(id: string, submit: (say: Say) => Promise<void>): void {
  const form = byId<HTMLFormElement>(id);
  const button = form.querySelector('button')!;
  const said = byId(`${id}-said`);
  const say: Say = (message, isError) => {
    said.classList.toggle('error', isError);
    setText(said, message);
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    say('', false);
    for (const field of form.elements) field.removeAttribute('aria-invalid');
    button.disabled = true;
    try {
      await submit(say);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      say(error.message, true);
      error.field.setAttribute('aria-invalid', 'true');
      error.field.focus();
    } finally {
      button.disabled = false;
    }
  });
}

function sayStarted(say: Say, text: TextKey, answer: Answer): void {
  if (answer.ok) say(word(text, { id: String(answer.body.id) }), false);
  else say(answer.message, true);
}

function readWhole(id: string, name: TextKey): number {
  const text = typed(id);
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new FieldError(byId(id), word('needsWhole', { field: word(name) }));
}

function readRate(id: string, name: TextKey): number {
  const text = typed(id);
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value;
  throw new FieldError(byId(id), word('needsRate', { field: word(name) }));
}

/** In cents. */
function readYuan(id: string, name: TextKey): number {
  const cents = parseYuan(typed(id));
  if (cents !== undefined) return cents;
  throw new FieldError(byId(id), word('needsYuan', { field: word(name) }));
}

function typed(id: string): string {
  return byId<HTMLInputElement>(id).value.normalize('NFKC').trim();
}
