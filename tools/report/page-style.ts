// How the page of a report looks: light and dark, on a phone, and on paper. Charts keep their white ground.

export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #222831; --faint: #5a6472; --ground: #f6f7f9; --card: #fff; --rule: #d8dde4;
  --link: #1f5fbf; --good: #1d7a46; --bad: #c02a1d; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --faint: #a3adba; --ground: #14171c; --card: #1d2229; --rule: #38404b;
    --link: #8db9ee; --good: #5fcf8f; --bad: #ff8a7a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 64rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
a { color: var(--link); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .5rem 1.5rem; margin: 1rem 0; }
dt { font-size: .8125rem; color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; background: var(--card); min-width: 20rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .375rem .75rem; border: 1px solid var(--rule); }
th { font-size: .8125rem; color: var(--faint); font-weight: 600; }
.numbers :is(th, td):not(:first-child) { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.passed { color: var(--good); }
.failed { color: var(--bad); font-weight: 600; }
nav ul { columns: 18rem; padding-left: 1.25rem; }
td:is(.passed, .failed) { white-space: nowrap; }
figure { margin: 1.25rem 0; }
.chart { overflow-x: auto; background: #fff; border: 1px solid var(--rule); border-radius: .375rem; }
.chart svg { display: block; width: 100%; min-width: 44rem; height: auto; }
figcaption { font-size: .8125rem; color: var(--faint); padding: .25rem 0; }
footer { margin-top: 2rem; border-top: 1px solid var(--rule); color: var(--faint); font-size: .875rem; }
@media print {
  :root { color-scheme: light; --ink: #000; --faint: #444; --ground: #fff; --card: #fff; --rule: #bbb; --link: #000;
    --good: #1d7a46; --bad: #c02a1d; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  figure, tr { break-inside: avoid; }
  .chart { overflow: visible; }
  .chart svg { min-width: 0; }
}
`;
