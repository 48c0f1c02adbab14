// The page of a report: one HTML file with the charts inside it, which needs no script and nothing from elsewhere.

import type { RunHeader, RunMark, RunVerdict } from '../../lib/monitor/run-log.ts';
import type { Run } from '../../lib/monitor/run-reader.ts';
import { formatCents, formatCount } from '../../lib/monitor/text-table.ts';
import { formatClock } from './axis.ts';
import type { DrawnChart, DrawnCharts, MissingChart } from './draw-charts.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { Timeline } from './timeline.ts';
import { fill, nameClock, type Words } from './words.ts';

const MEGABYTE = 2 ** 20;

/** The whole page. @param run whose marks are in order */
export function makePage(run: Run, timeline: Timeline, charts: DrawnCharts, words: Words): string {
  const { header, marks, verdict } = run;
  const title = escapeHtml(fill(words.heading, { name: header.name }));
  return `<!doctype html>
<html lang="${words.locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<header>
<h1>${title}</h1>
${headerList(header, timeline, words)}
</header>
<main>
${verdict === undefined ? `<p>${escapeHtml(words.noVerdict)}</p>` : verdictSection(verdict, words)}
${marks.length === 0 ? '' : marksTable(marks, timeline, words)}
${chartsSection(charts, timeline, words)}
${charts.missing.length === 0 ? '' : missingSection(charts.missing, words)}
</main>
<footer><p>${escapeHtml(footerText(run, words))}</p></footer>
</body>
</html>
`;
}

function headerList(header: RunHeader, timeline: Timeline, words: Words): string {
  const { cpus, cpu, memoryBytes, platform, node } = header.machine;
  const clock = nameClock(words, timeline.lengthSeconds);
  const facts: [string, string][] = [
    [words.header.program, header.program],
    [words.header.name, header.name],
    [words.header.startedAt, formatStart(header.startedAt)],
    [fill(words.header.duration, { clock }), formatClock(timeline.lengthSeconds)],
    [words.header.cpu, `${cpus} × ${cpu}`],
    [words.header.memory, `${formatCount(memoryBytes / MEGABYTE)} MB`],
    [words.header.platform, platform],
    [words.header.node, node],
  ];
  return `<dl>${facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>`;
}

/** 2026-01-02T03:04:05.678Z as 2026-01-02 03:04:05 UTC. */
function formatStart(startedAt: string): string {
  const ms = Date.parse(startedAt);
  return Number.isNaN(ms) ? startedAt : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function verdictSection({ isPassed, checks, bothEnds }: RunVerdict, words: Words): string {
  const outcome = (passed: boolean) => ({
    text: passed ? words.passed : words.failed,
    className: passed ? 'passed' : 'failed',
  });
  const { what, target, reached, result } = words.checks;
  const checkRows = checks.map((check) => [check.what, check.target, check.reached, outcome(check.isPassed)]);
  const ends = words.bothEnds;
  const endRows = bothEnds.map(({ what, client, server, isCents }) => {
    const format = isCents ? formatCents : formatCount;
    return [
      isCents ? fill(ends.yuan, { what }) : what,
      format(client),
      format(server),
      { text: format(client - server), className: client === server ? 'passed' : 'failed' },
    ];
  });
  return `<section>
<h2 class="${outcome(isPassed).className}">${escapeHtml(isPassed ? words.verdictPassed : words.verdictFailed)}</h2>
${table(words.checks.caption, [what, target, reached, result], checkRows, 'words')}
${endRows.length === 0 ? '' : table(ends.caption, [ends.what, ends.client, ends.server, ends.difference], endRows, 'numbers')}
</section>`;
}

function marksTable(marks: readonly RunMark[], { firstSecond, lengthSeconds }: Timeline, words: Words): string {
  const rows = marks.map(({ atMs, text }, i) => {
    const at = atMs / 1000 - firstSecond;
    return [String(i + 1), at < 0 ? `−${formatClock(-at)}` : formatClock(at), text];
  });
  const at = fill(words.marks.at, { clock: nameClock(words, lengthSeconds) });
  return `<section>${table(words.marks.caption, ['', at, words.marks.text], rows, 'words')}</section>`;
}

function chartsSection({ drawn }: DrawnCharts, { pointSeconds, columnSeconds }: Timeline, words: Words): string {
  const notes = [
    ...(pointSeconds > 1 ? [fill(words.noteThinned, { seconds: pointSeconds })] : []),
    ...(drawn.some(({ name }) => name === 'client-latency-heat')
      ? [fill(words.noteHeat, { seconds: columnSeconds })]
      : []),
  ];
  const links = drawn.map(({ name }) => `<li><a href="#${name}">${escapeHtml(words.charts[name].title)}</a></li>`);
  return `<section>
<h2>${escapeHtml(words.chartsCaption)}</h2>
<nav><ul>${links.join('')}</ul></nav>
${notes.map((note) => `<p>${escapeHtml(note)}</p>`).join('\n')}
${drawn.map((chart) => figure(chart, words)).join('\n')}
</section>`;
}

function figure({ name, svg, notes }: DrawnChart, words: Words): string {
  const { title, shows } = words.charts[name];
  const files = ['svg', 'png'].map((type) => `<a href="${name}.${type}">${name}.${type}</a>`);
  return `<figure id="${name}">
<div class="chart" role="img" aria-label="${escapeHtml(`${title}: ${shows}`)}" tabindex="0">${svg}</div>
<figcaption>${[...notes.map(escapeHtml), files.join(' · ')].join('<br>')}</figcaption>
</figure>`;
}

function missingSection(missing: readonly MissingChart[], words: Words): string {
  const items = missing.map(({ name, reason }) => `<li>${escapeHtml(`${words.charts[name].title}: ${reason}.`)}</li>`);
  return `<section><h2>${escapeHtml(words.leftOut)}</h2><ul>${items.join('')}</ul></section>`;
}

function footerText({ samples, marks, badLines }: Run, words: Words): string {
  return fill(words.footer, {
    samples: formatCount(samples.length),
    marks: formatCount(marks.length),
    badLines: formatCount(badLines),
  });
}

type Cell = string | { text: string; className: string };

/** @param kind whether the columns behind the first are words or numbers */
function table(
  caption: string,
  heading: readonly string[],
  rows: readonly Cell[][],
  kind: 'words' | 'numbers',
): string {
  const cells = (row: readonly Cell[]) =>
    row
      .map((cell) =>
        typeof cell === 'string'
          ? `<td>${escapeHtml(cell)}</td>`
          : `<td class="${cell.className}">${escapeHtml(cell.text)}</td>`,
      )
      .join('');
  return `<div class="table"><table class="${kind}"><caption>${escapeHtml(caption)}</caption>
<thead><tr>${heading.map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n')}</tbody></table></div>`;
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for HTML, also in quotes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
}
