// The dashboard: follows the stream of the server, and draws what it says, at most once a second and only when it is seen.

import type { LiveHello, LiveState } from '../../monitor/live.ts';
import { CampaignTable } from './campaign-table.ts';
import { ChartBoard } from './chart-board.ts';
import { COLUMNS, HEAT_COLUMNS } from './columns.ts';
import { byId, setText } from './dom.ts';
import { formatClock } from './format.ts';
import { startForms } from './forms.ts';
import { changeLook, isDark, startLook } from './look.ts';
import { showMoney } from './money-gauge.ts';
import { SecondStore } from './second-store.ts';
import { showSources } from './sources.ts';
import { followStream, type LinkState } from './stream.ts';
import { chooseLanguage, language, translatePage, word } from './words.ts';

const DRAW_EVERY_MS = 1000;

/** How far the newest second is behind the clock: it is told when it is over. */
const TOLD_AFTER_S = 1;

const store = new SecondStore(COLUMNS, HEAT_COLUMNS);
const tables = [new CampaignTable('drops'), new CampaignTable('sends')] as const;
let link: LinkState = 'connecting';
let hello: LiveHello | undefined;
let state: LiveState | undefined;
let drawTimer: ReturnType<typeof setTimeout> | undefined;
let drawnAt = Number.NEGATIVE_INFINITY;

startLook(relook);
translatePage();
const board = new ChartBoard(store);
startForms();
byId('language').addEventListener('click', () => {
  chooseLanguage(language() === 'en' ? 'zh' : 'en');
  translatePage();
  relook();
  showLink();
});
byId('look').addEventListener('click', () => {
  changeLook();
  relook();
});
document.addEventListener('visibilitychange', askToDraw);
relook();

void followStream({
  hello: (told) => {
    hello = told;
    askToDraw();
  },
  seconds: (seconds) => {
    for (const second of seconds) store.put(second);
    askToDraw();
  },
  state: (told) => {
    state = told;
    askToDraw();
  },
  link: (changed) => {
    link = changed;
    showLink();
  },
});

/** Draws soon, but a second after the last time at the earliest. */
function askToDraw(): void {
  if (document.hidden || drawTimer !== undefined) return;
  drawTimer = setTimeout(
    () => {
      drawTimer = undefined;
      if (document.hidden) return;
      drawnAt = performance.now();
      draw();
    },
    Math.max(50, drawnAt + DRAW_EVERY_MS - performance.now()),
  );
}

function draw(): void {
  setText(byId('program'), hello?.program ?? '');
  const hasServer = hello?.server !== undefined;
  for (const element of document.querySelectorAll<HTMLElement>('.of-server')) element.hidden = !hasServer;
  board.draw(state === undefined ? store.latest : Math.floor(state.nowMs / 1000) - TOLD_AFTER_S);
  if (state === undefined) return;
  if (state.money !== undefined) showMoney(state.money);
  tables[0].show(state.drops ?? []);
  tables[1].show(state.sends ?? []);
  showSources(state);
}

/** Draws everything anew, in the language and the colours of now. */
function relook(): void {
  setText(byId('look'), word(isDark() ? 'toLight' : 'toDark'));
  board.rebuild();
  draw();
}

/** Says at once whether the stream is there: nothing else tells that what is seen has become old. */
function showLink(): void {
  const pill = byId('link');
  pill.className = `link-${link}`;
  setText(pill, word(`link.${link}`));
  const isCut = link === 'cut' && state !== undefined;
  byId('cut').hidden = !isCut;
  setText(byId('cut'), isCut ? word('cutSince', { time: formatClock(state!.nowMs / 1000) }) : '');
}
