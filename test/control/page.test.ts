// The dashboard in a browser, before a stand-in for the server: what it shows, what it asks for, and in which look.

import type { Browser, Page } from 'playwright-core';
import t from 'tap';
import { waitFor } from '../net/raw-client.ts';
import { launch, noBrowser, openPage } from './page-browser.ts';
import { PageServer } from './page-server.ts';

type Test = typeof t;
type Options = Parameters<typeof openPage>[2];

/** Runs in the page: how many dots of each canvas are coloured. Axes and grid are grey. */
const COUNT_COLOURED = `[...document.querySelectorAll('#board canvas')].map((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue, alpha] = data.subarray(i, i + 4);
    if (alpha > 100 && Math.max(red, green, blue) - Math.min(red, green, blue) > 50) coloured++;
  }
  return coloured;
})`;

const PICTURE = `document.querySelector('#board canvas').toDataURL()`;

/** What the heat map says of the place under the cursor, and the time in each legend. */
const READ_CURSOR = `['.heat-read-out', '.u-series:first-child .u-value']
  .flatMap((selector) => [...document.querySelectorAll(selector)].map((element) => element.innerText))`;

t.setTimeout(300_000);

let browser: Browser;
t.before(async () => {
  if (noBrowser === false) browser = await launch();
});
t.teardown(() => browser?.close());

/** A test with a server and a page of its own; whatever goes wrong on the page fails it. */
function inBrowser(
  name: string,
  run: (t: Test, page: Page, server: PageServer) => Promise<void>,
  options?: Options,
): void {
  t.test(name, { skip: noBrowser }, async (t) => {
    const server = await PageServer.start();
    t.teardown(() => server.stop());
    const { page, faults } = await openPage(browser, server.url, options);
    t.teardown(() => page.context().close());
    await page.locator('#link.link-live').waitFor();
    await run(t as Test, page, server);
    t.strictSame(faults, [], 'nothing went wrong on the page, and it asked nobody else');
  });
}

const overflow = (page: Page) => page.evaluate('document.documentElement.scrollWidth - innerWidth');
const style = (page: Page, selector: string, name: string) =>
  page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).${name}`);

/** Waits until the text of an element is, or contains, what is expected. */
async function expectText(t: Test, page: Page, selector: string, expected: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: expected }).waitFor({ timeout: 20_000 });
  t.pass(`${selector} says ${expected}`);
}

inBrowser('every chart is drawn, with a title and the newest values', async (t, page) => {
  await expectText(t, page, '.plot >> nth=0', /client: sent\s*\d\d,\d\d\d/);
  t.equal(await page.locator('.plot figcaption').count(), 12);
  const coloured = await page.evaluate<number[]>(COUNT_COLOURED);
  t.equal(coloured.length, 12);
  for (const [index, dots] of coloured.entries()) t.ok(dots > 100, `canvas ${index} has ${dots} coloured dots`);
  t.equal(await page.locator('.plot-empty:visible').count(), 0);
});

inBrowser('the cursor is on all charts at once, and the heat map says what is under it', async (t, page) => {
  const heat = page.locator('.plot:has(.heat-legend)');
  await expectText(t, page, '.heat-scale', /requests in a second/);
  await heat.locator('.u-over').hover();
  await expectText(t, page, '.heat-read-out', /^\d\d:\d\d:\d\d: [1-9][\d,]* requests took [\d.]+ to [\d.]+ ms$/);
  // In one look: another second may come between two.
  const [readOut, ...legends] = await page.evaluate<string[]>(READ_CURSOR);
  const [, time] = /^([\d:]{8}):/.exec(readOut) ?? [];
  t.strictSame(new Set(legends), new Set([time]), 'every legend is at that second');
  await page.locator('.plot >> nth=0').locator('.u-over').hover();
  await expectText(t, page, '.heat-read-out', /^\d\d:\d\d:\d\d: [1-9][\d,]* requests$/);
});

inBrowser('the charts stand still while paused, and show the range that is chosen', async (t, page) => {
  await expectText(t, page, '.plot >> nth=0', /client: sent\s*\d/);
  await page.locator('#pause').click();
  await expectText(t, page, '#paused-note', /^Paused at \d\d:\d\d:\d\d$/);
  const paused = await page.evaluate(PICTURE);
  await page.waitForTimeout(2500);
  t.equal(await page.evaluate(PICTURE), paused);
  await page.getByLabel('1 min').check();
  await waitFor('another picture', async () => (await page.evaluate(PICTURE)) !== paused);
  const minute = await page.evaluate(PICTURE);
  await page.getByRole('button', { name: 'Go on' }).click();
  await waitFor('it to go on', async () => (await page.evaluate(PICTURE)) !== minute);
  t.equal(await page.locator('#paused-note').innerText(), '');
});

inBrowser('a legend hides its line, by mouse and by key', async (t, page) => {
  const label = page.locator('.plot >> nth=0').locator('.u-series >> nth=1').locator('th');
  const row = page.locator('.plot >> nth=0').locator('.u-series >> nth=1');
  await label.click();
  t.match(await row.getAttribute('class'), 'u-off');
  await label.focus();
  await page.keyboard.press('Enter');
  t.notMatch(await row.getAttribute('class'), 'u-off');
});

inBrowser('the latency of another kind of request can be chosen', async (t, page) => {
  const legend = page.locator('.plot >> nth=3');
  await expectText(t, page, '.plot >> nth=3', /p50\s*0\.260/);
  await page.locator('#latency-kind').selectOption('server.grab');
  await expectText(t, page, '.plot >> nth=3', /p50\s*1\.50/);
  t.match(await legend.innerText(), /p99\s*:?\s*12\.0/);
});

inBrowser('the gauge is green at 0, and red with words when a cent is missing', async (t, page, server) => {
  await expectText(t, page, '#difference', /0 cents\s*Every cent is accounted for\./);
  t.equal(await page.locator('#money-issued').innerText(), '¥10,000,000.29');
  t.equal(await page.locator('#money-outstanding').innerText(), '¥1,500,000.29');
  const widths = await page.evaluate<number[]>(
    `[...document.querySelectorAll('.bar i')].map((part) => Math.round(parseFloat(part.style.width)))`,
  );
  t.strictSame(widths, [60, 25, 15]);
  const green = await style(page, '#difference', 'color');
  server.state.money!.difference = -1234;
  await expectText(t, page, '#difference', /−1,234 cents\s*The books do not balance\./);
  const red = await style(page, '#difference', 'color');
  t.strictSame([green, red], ['rgb(27, 115, 64)', 'rgb(179, 38, 30)']);
  server.state.money!.difference = 0;
  await expectText(t, page, '#difference', 'Every cent is accounted for.');
});

inBrowser('a drop is started with exact cents', async (t, page, server) => {
  for (const [yuan, cents] of [
    ['0.29', 29],
    ['4000', 400_000],
    ['1.1', 110],
  ] as const) {
    await page.locator('#drop-budget').fill(yuan);
    await page.getByRole('button', { name: 'Start the drop' }).click();
    await expectText(t, page, '#drop-form-said', 'Drop 9 has started.');
    await page.locator('#drop-form-said').evaluate('(said) => (said.textContent = "")');
    const body = { count: 4000, rate: 200, budget: cents };
    t.strictSame(server.asked.pop(), { method: 'POST', url: '/drops', body, origin: server.url });
  }
  await page.locator('#drop-budget').fill('0.295');
  await page.locator('#drop-budget').press('Enter');
  await expectText(t, page, '#drop-form-said.error', 'Budget, yuan: an amount is needed such as 4000 or 0.29');
  t.equal(await page.evaluate('document.activeElement.id'), 'drop-budget');
  t.strictSame(server.asked, []);
});

inBrowser('a send is started, to users and in shares', async (t, page, server) => {
  await page.locator('#send-total').fill('3.30');
  await page.locator('#send-last').fill('99');
  await page.locator('#send-mode').selectOption('equal');
  await page.getByRole('button', { name: 'Start the send' }).click();
  await expectText(t, page, '#send-form-said', 'Send 9 has started.');
  const body = { count: 2000, rate: 200, shares: 3, total: 330, users: [0, 99], mode: 'equal' };
  t.strictSame(server.asked, [{ method: 'POST', url: '/sends', body, origin: server.url }]);
});

t.test('what the server says no to stands beside the form, and at the table', { skip: noBrowser }, async (t) => {
  const server = await PageServer.start();
  t.teardown(() => server.stop());
  // The browser itself writes a line to the console for an answer that is no success.
  const { page } = await openPage(browser, server.url);
  t.teardown(() => page.context().close());
  server.refusal = { status: 409, code: 'no_room', message: 'at most 64 drops can be open at once' };
  await page.getByRole('button', { name: 'Start the drop' }).click();
  await expectText(t as Test, page, '#drop-form-said.error', 'at most 64 drops can be open at once (no_room)');
  server.refusal = { status: 404, code: 'not_found', message: 'there is no drop 3' };
  await page.getByRole('button', { name: 'Pause drop 3' }).click();
  await expectText(t as Test, page, '#drops-error', 'Drop 3: there is no drop 3 (not_found)');
});

inBrowser('the buttons of a row ask for what they say, and closing asks the viewer first', async (t, page, server) => {
  const urls = () => server.asked.splice(0).map(({ method, url, body }) => [method, url, body]);
  await page.getByRole('button', { name: 'Pause drop 3' }).click();
  await page.getByRole('button', { name: 'Resume drop 2' }).click();
  await page.getByRole('button', { name: 'Pause send 5' }).click();
  await waitFor('three questions', () => server.asked.length === 3);
  const paths = ['/drops/3/pause', '/drops/2/resume', '/sends/5/pause'];
  t.strictSame(
    urls(),
    paths.map((path) => ['POST', path, {}]),
  );
  for (const name of ['Close drop 1', 'Close send 4', 'Pause send 4', 'Pause drop 2', 'Resume drop 3']) {
    t.equal(await page.getByRole('button', { name }).count(), 0, `there is no ${name}`);
  }
  await page.getByRole('button', { name: 'Close drop 3' }).click();
  await expectText(t, page, '#confirm-question', 'Close drop 3? What nobody has won goes back.');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Close drop 3' }).click();
  await page.getByRole('button', { name: 'Keep it' }).click();
  t.strictSame(urls(), [], 'a no is a no');
  await page.getByRole('button', { name: 'Close drop 3' }).click();
  await page.getByRole('button', { name: 'Close it' }).click();
  await page.getByRole('button', { name: 'Close send 5' }).click();
  await page.getByRole('button', { name: 'Close it' }).click();
  await waitFor('two questions', () => server.asked.length === 2);
  t.strictSame(urls(), [
    ['POST', '/drops/3/close', {}],
    ['POST', '/sends/5/close', {}],
  ]);
});

inBrowser('a row that changes stays where the focus is, and rows come and go', async (t, page, server) => {
  await page.getByRole('button', { name: 'Close drop 3' }).focus();
  const [drop] = server.state.drops!;
  drop.released = 4000;
  drop.state = 'released';
  server.state.drops!.pop();
  server.state.drops!.unshift({ ...drop, id: 4, state: 'releasing' });
  await expectText(t, page, '#drops-rows tr >> nth=1', /3\s*released\s*4,000 of 4,000 released/);
  t.equal(await page.evaluate('document.activeElement.ariaLabel'), 'Close drop 3');
  t.strictSame(await page.locator('#drops-rows .cell-number').allInnerTexts(), ['4', '3', '2']);
});

inBrowser('the rate of all load clients is set, and each one’s answer is shown', async (t, page, server) => {
  await page.getByLabel('Shakes per second, all together').fill('60000');
  await page.getByRole('button', { name: 'Set the rate' }).click();
  await expectText(t, page, '#qps-form-said', /^The rate is 60,000\/s from \d\d:\d\d:\d\d on\.$/);
  t.strictSame(await page.locator('#qps-clients li').allInnerTexts(), [
    'load-1@here: agreed',
    'load-2@here: the rate is already changing',
  ]);
  t.strictSame(server.asked, [{ method: 'PUT', url: '/clients/qps', body: { qps: 60_000 }, origin: server.url }]);
});

inBrowser('the sources say who is here, and a hostile name stays text', async (t, page, server) => {
  await expectText(
    t,
    page,
    '#sources-rows tr >> nth=2',
    /load-2@here\s*load client\s*missing\s*\d+ s ago\s*3\s*30,000/,
  );
  await expectText(t, page, '#refused', 'The monitor has refused 3 samples: bad_form 2, too_old 1.');
  const hostile = '<img src=x onerror="window.isTaken = true">';
  server.state.sources[0].source = hostile;
  server.state.refused = { [hostile]: 1 };
  server.state.lastRefusal = hostile;
  server.state.drops![0].state = hostile;
  await expectText(t, page, '#sources-rows', hostile);
  await expectText(t, page, '#refused-last', hostile);
  await expectText(t, page, '#drops-rows', hostile);
  t.equal(await page.locator('img').count(), 0);
  t.equal(await page.evaluate('window.isTaken'), undefined);
});

inBrowser('the page speaks Chinese at the press of a button, and remembers it', async (t, page) => {
  await expectText(t, page, '#drops-rows', 'releasing');
  await page.getByRole('button', { name: '中文' }).click();
  await expectText(t, page, '#difference', '每一分钱都有着落。');
  await expectText(t, page, '.plot >> nth=0', '客户端：已发');
  await expectText(t, page, '#drops-rows', '放出中');
  await expectText(t, page, '#link', '实时');
  t.equal(await page.evaluate('document.documentElement.lang'), 'zh-CN');
  const latin = await page.evaluate<string[]>(
    `[...document.querySelectorAll('[data-word]')].map((e) => e.textContent).filter((text) => !/[一-鿿]/.test(text))`,
  );
  t.strictSame(latin, ['English'], 'no English is left but the name of the other language');
  await page.reload();
  await expectText(t, page, 'h1', '红包');
  await page.getByRole('button', { name: 'English' }).click();
  await expectText(t, page, 'h1', 'Hongbao');
});

inBrowser(
  'a browser in Chinese gets Chinese, and a phone does not scroll sideways in either language',
  async (t, page) => {
    await expectText(t, page, 'h1', '红包');
    await expectText(t, page, '#drops-rows', '放出中');
    t.equal(await overflow(page), 0);
    await page.getByRole('button', { name: 'English' }).click();
    await expectText(t, page, '#drops-rows', 'releasing');
    t.equal(await overflow(page), 0);
    const canvas = await page.locator('#board canvas >> nth=0').boundingBox();
    t.ok(canvas!.x >= 0 && canvas!.x + canvas!.width <= 360);
  },
  { viewport: { width: 360, height: 740 }, locale: 'zh-CN' },
);

inBrowser('a window made narrow takes its charts along', async (t, page) => {
  await page.setViewportSize({ width: 400, height: 700 });
  const widest = `Math.max(...[...document.querySelectorAll('#board canvas')].map((canvas) => canvas.clientWidth))`;
  await waitFor('narrow charts', async () => (await page.evaluate<number>(widest)) < 400);
  t.ok((await page.evaluate<number>(widest)) > 250);
  t.equal(await overflow(page), 0);
});

inBrowser('Tab reaches the skip link, then the first button, with a focus that can be seen', async (t, page) => {
  await page.keyboard.press('Tab');
  t.equal(await page.evaluate('document.activeElement.className'), 'skip');
  t.ok((await page.locator('.skip').boundingBox())!.y >= 0, 'the skip link is seen');
  await page.keyboard.press('Tab');
  t.equal(await page.evaluate('document.activeElement.id'), 'language');
  t.equal(await style(page, '#language', 'outlineStyle'), 'solid');
  t.ok(Number.parseFloat(await style(page, '#language', 'outlineWidth')) >= 2);
  await page.keyboard.press('Enter');
  await expectText(t, page, 'h1', '红包');
});

inBrowser('the look follows the system until the viewer chooses, and is remembered', async (t, page) => {
  const light = await style(page, 'body', 'backgroundColor');
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await style(page, 'body', 'backgroundColor');
  t.not(dark, light);
  await page.getByRole('button', { name: 'Light' }).click();
  t.equal(await style(page, 'body', 'backgroundColor'), light);
  await page.reload();
  await expectText(t, page, '#look', 'Dark');
  t.equal(await style(page, 'body', 'backgroundColor'), light);
});

inBrowser('a monitor without a server has no money, drops or sends', async (t, page, server) => {
  await page.locator('#money').waitFor();
  delete server.hello.server;
  delete server.state.money;
  delete server.state.drops;
  delete server.state.sends;
  await page.reload();
  await expectText(t, page, '#sources-rows', 'load-1@here');
  for (const id of ['money', 'drops', 'sends']) t.notOk(await page.locator(`section#${id}`).isVisible());
  t.equal(await page.locator('nav a:visible').count(), 2);
});

inBrowser('a page that is not seen draws nothing', async (t, page) => {
  await expectText(t, page, '.plot >> nth=0', /client: sent\s*\d/);
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true })`);
  await page.waitForTimeout(1200);
  const before = await page.evaluate(PICTURE);
  await page.waitForTimeout(2500);
  t.equal(await page.evaluate(PICTURE), before);
  await page.evaluate(`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))`);
  await waitFor('it to be drawn', async () => (await page.evaluate(PICTURE)) !== before);
});

t.test('a stream that is cut is shown at once, and comes back by itself', { skip: noBrowser }, async (t) => {
  const server = await PageServer.start();
  t.teardown(() => server.stop());
  // The browser itself writes a line to the console for every attempt that fails.
  const { page } = await openPage(browser, server.url);
  t.teardown(() => page.context().close());
  await expectText(t as Test, page, '#link', 'live');
  await expectText(t as Test, page, '#drops-rows', 'releasing');
  t.notOk(await page.locator('#cut').isVisible());
  server.isLive = false;
  server.cut();
  await expectText(t as Test, page, '#link', 'not connected, trying again');
  await expectText(t as Test, page, '#cut', /^Not connected, trying again\. What you see is as of \d\d:\d\d:\d\d\.$/);
  await page.waitForTimeout(3000);
  t.ok(await page.locator('#cut').isVisible(), 'as long as it is refused');
  server.isLive = true;
  server.state.drops![0].state = 'released';
  await expectText(t as Test, page, '#link', 'live');
  await expectText(t as Test, page, '#drops-rows tr >> nth=0', 'released');
  t.notOk(await page.locator('#cut').isVisible());
});

t.test(
  'a server that asks for a token gets it from the viewer, who is asked once in a tab',
  { skip: noBrowser },
  async (t) => {
    const server = await PageServer.start();
    t.teardown(() => server.stop());
    server.token = 'T0ken-_'.repeat(6);
    // The browser itself writes a line to the console for an answer that is no success.
    const { page } = await openPage(browser, server.url);
    t.teardown(() => page.context().close());
    const dialog = page.locator('#token');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await dialog.waitFor();
    await page.locator('#token-field').fill('not a token');
    await page.keyboard.press('Enter');
    await expectText(t as Test, page, '#token-said', 'The server does not know this token.');
    await page.locator('#token-field').fill('another');
    await page.getByRole('button', { name: 'Use it' }).click();
    await expectText(t as Test, page, '#token-said', 'The server does not know this token.');
    await page.locator('#token-field').fill(server.token);
    await page.getByRole('button', { name: 'Use it' }).click();
    await expectText(t as Test, page, '#link', 'live');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Start the drop' }).click();
    await expectText(t as Test, page, '#drop-form-said', 'Drop 9 has started.');
    await page.reload();
    await expectText(t as Test, page, '#link', 'live');
    t.notOk(await dialog.isVisible(), 'it is kept');
    t.equal(await page.evaluate('localStorage.length'), 0, 'in the tab only');
    t.notOk((await page.content()).includes(server.token), 'it does not stand in the page');
    server.token = 'rotated';
    server.cut();
    await dialog.waitFor();
    await expectText(t as Test, page, '#token-said', 'The server does not know this token.');
  },
);
