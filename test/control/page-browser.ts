// A browser for the tests of the dashboard, where there is one on this machine.

import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const executablePath = process.env.CHROMIUM || CANDIDATES.find((path) => existsSync(path));

/** Why the tests in a browser cannot run, or false. */
export const noBrowser: string | false =
  executablePath === undefined
    ? `no Chromium here: set CHROMIUM to one, or install it as one of ${CANDIDATES.join(', ')}`
    : false;

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
}

/** A page, and what went wrong on it: errors of the console, of scripts, and requests to another origin. */
export interface WatchedPage {
  page: Page;
  faults: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) faults.push(`asked elsewhere: ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults };
}
