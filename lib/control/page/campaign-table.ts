// The table of drops, and that of sends: how each stands, and the buttons that steer it.

import type { LiveCampaign } from '../../monitor/live.ts';
import { confirmInPage } from './confirm.ts';
import { arrange, byId, make, setText } from './dom.ts';
import { formatNumber } from './format.ts';
import { formatYuan } from './money-text.ts';
import { request } from './request.ts';
import type { TextKey } from './texts.ts';
import { word, wordFor } from './words.ts';

export type CampaignKind = 'drops' | 'sends';
type Action = 'pause' | 'resume' | 'close';

/** States in which packets still come: only then is there something to pause. */
const GOES_ON = ['releasing', 'creating'];
/** States in which there is something to close: of a drop that is out its stock, of a send only what is not yet out. */
const CLOSES = { drops: ['releasing', 'released'], sends: ['creating'] };

const COLUMNS = ['number', 'state', 'progress', 'rate', 'total', 'claimed', 'refunded', 'actions'] as const;

interface Row {
  element: HTMLTableRowElement;
  cells: Record<(typeof COLUMNS)[number], HTMLTableCellElement>;
  bar: HTMLProgressElement;
  progressText: HTMLElement;
  buttons: Record<Action, HTMLButtonElement>;
}

export class CampaignTable {
  readonly #kind: CampaignKind;
  readonly #rows = new Map<number, Row>();
  readonly #body: HTMLElement;
  readonly #error: HTMLElement;

  constructor(kind: CampaignKind) {
    this.#kind = kind;
    this.#body = byId(`${kind}-rows`);
    this.#error = byId(`${kind}-error`);
  }

  show(campaigns: readonly LiveCampaign[]): void {
    byId(`${this.#kind}-table`).hidden = campaigns.length === 0;
    byId(`${this.#kind}-none`).hidden = campaigns.length > 0;
    const ids = new Set(campaigns.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    arrange(
      this.#body,
      campaigns.map((campaign) => this.#show(campaign)),
    );
  }

  #show(campaign: LiveCampaign): HTMLTableRowElement {
    const { id, state, isPaused, count, released, claimed } = campaign;
    const row = this.#rows.get(id) ?? this.#addRow(id);
    const { cells, buttons } = row;
    const total: TextKey = this.#kind === 'drops' ? 'budget' : 'putIn';
    for (const name of COLUMNS) cells[name].dataset.label = word(name === 'total' ? total : name);
    setText(cells.number, String(id));
    const goesOn = GOES_ON.includes(state);
    const stateWord = wordFor('state', state);
    setText(cells.state, isPaused && goesOn ? word('isPaused', { state: stateWord }) : stateWord);
    const numbers = { count: formatNumber(count), released: formatNumber(released), claimed: formatNumber(claimed) };
    setText(row.progressText, word(`${this.#kind}.progress`, numbers));
    row.bar.max = count;
    row.bar.value = released;
    row.bar.setAttribute('aria-label', word('progress'));
    setText(cells.rate, word('perSecond', { count: formatNumber(campaign.rate) }));
    setText(cells.total, formatYuan(campaign.totalCents));
    setText(cells.claimed, formatYuan(campaign.claimedCents));
    setText(cells.refunded, formatYuan(campaign.refundedCents));
    buttons.pause.hidden = isPaused || !goesOn;
    buttons.resume.hidden = !isPaused || !goesOn;
    buttons.close.hidden = !CLOSES[this.#kind].includes(state);
    for (const action of ['pause', 'resume', 'close'] as const) {
      const label = word(`action.${action}`);
      setText(buttons[action], label);
      buttons[action].setAttribute('aria-label', word(`${this.#kind}.action`, { action: label, id }));
    }
    return row.element;
  }

  #addRow(id: number): Row {
    const element = make('tr');
    const cells = {} as Row['cells'];
    for (const name of COLUMNS) {
      cells[name] = make('td', `cell-${name}`);
      element.append(cells[name]);
    }
    const bar = make('progress');
    const progressText = make('div', 'progress-text');
    cells.progress.append(bar, progressText);
    const buttons = {
      pause: this.#addButton(id, 'pause'),
      resume: this.#addButton(id, 'resume'),
      close: this.#addButton(id, 'close'),
    };
    cells.actions.append(buttons.pause, buttons.resume, buttons.close);
    const row = { element, cells, bar, progressText, buttons };
    this.#rows.set(id, row);
    return row;
  }

  #addButton(id: number, action: Action): HTMLButtonElement {
    const button = make('button', action === 'close' ? 'is-grave' : '');
    button.type = 'button';
    button.addEventListener('click', async () => {
      if (action === 'close' && !(await confirmInPage(word(`${this.#kind}.confirm`, { id })))) return;
      button.disabled = true;
      setText(this.#error, '');
      const answer = await request('POST', `/${this.#kind}/${id}/${action}`);
      button.disabled = false;
      if (!answer.ok) setText(this.#error, word(`${this.#kind}.failed`, { id, message: answer.message }));
    });
    return button;
  }
}
