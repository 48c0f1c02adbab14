// The dashboard's files over HTTP: the page at GET /, and what it loads at GET /page/FILE.
//
// The list is fixed: no part of a request becomes a path. The page's scripts lie beside this file, in page/. Run from the
// sources they are TypeScript, and are served without their types; run from the built package they are JavaScript. Each is
// read at its first request and kept. The page may load nothing from elsewhere, and the headers hold it to that.

import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** Scripts of the page, without their extension. */
const MODULES = [
  'campaign-table',
  'chart-board',
  'chart-list',
  'columns',
  'confirm',
  'dom',
  'format',
  'forms',
  'heat-buckets',
  'heat-map',
  'look',
  'main',
  'money-gauge',
  'money-text',
  'plot-base',
  'request',
  'second-store',
  'sources',
  'sse-parser',
  'stream',
  'texts',
  'time-chart',
  'token',
  'words',
] as const;

/** `.ts` in the sources, `.js` in the built package: modules import each other by it. */
const EXTENSION = extname(import.meta.url);

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';
const STYLE_TYPE = 'text/css; charset=utf-8';

/** uPlot sets styles from its script, which `style-src` does not concern. */
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

/** Adds the routes of the dashboard. */
export function addPage(app: FastifyInstance): void {
  const addFile = (path: string, type: string, load: () => Promise<string>) => {
    let text: string | undefined;
    app.get(path, { config: { isPublic: true } }, async (_request, reply: FastifyReply) => {
      text ??= await load();
      return reply.headers(HEADERS).type(type).send(text);
    });
  };
  const pageFile = (name: string) => () => readFile(new URL(`./page/${name}`, import.meta.url), 'utf8');
  const uplotFile = (name: string) => () => readFile(new URL(name, import.meta.resolve('uplot')), 'utf8');

  addFile('/', 'text/html; charset=utf-8', pageFile('index.html'));
  addFile('/page/page.css', STYLE_TYPE, pageFile('page.css'));
  addFile('/page/icon.svg', 'image/svg+xml', pageFile('icon.svg'));
  addFile('/page/uplot.js', SCRIPT_TYPE, uplotFile('uPlot.esm.js'));
  addFile('/page/uplot.css', STYLE_TYPE, uplotFile('uPlot.min.css'));
  for (const name of MODULES) {
    const load = pageFile(name + EXTENSION);
    // The page asks for main.js, whatever the scripts are made of.
    const served = name === 'main' ? 'main.js' : name + EXTENSION;
    addFile(`/page/${served}`, SCRIPT_TYPE, EXTENSION === '.ts' ? async () => stripTypes(await load()) : load);
  }
}

/** The script without its types, and without Node's warning that the function is young: nobody at the server can act on it. */
function stripTypes(script: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(script);
  } finally {
    process.emitWarning = emitWarning;
  }
}
