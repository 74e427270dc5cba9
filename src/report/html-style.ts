/** The style of the report: system fonts, light and dark, fit for a phone and for paper. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ground: #f5f6f8; --ink: #1c2128; --soft: #57606a; --line: #d5dae0; --stripe: #f8f9fb;
  --good: #11662f; --good-ground: #dff3e4; --bad: #a11622; --bad-ground: #fde5e6;
  --attention: #7a4b00; --attention-ground: #fcefd2; --neutral: #57606a; --neutral-ground: #eceff3;
  --bar: #3c6fb4; --closed: #c0562c; --link: #0b57a4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161b22; --ground: #0d1117; --ink: #e4e9ef; --soft: #9aa5b1; --line: #303842; --stripe: #1a2029;
    --good: #6fd08c; --good-ground: #12301d; --bad: #ff9492; --bad-ground: #3d1719;
    --attention: #ecbb5c; --attention-ground: #36280c; --neutral: #9aa5b1; --neutral-ground: #242b34;
    --bar: #6a9de0; --closed: #e0855c; --link: #7db4f5;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.page { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
header, section, nav { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
header, section { padding: 1.25rem 1.5rem; margin-bottom: 1rem; }
nav { padding: .6rem 1.5rem; margin-bottom: 1rem; font-size: .9rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 0; padding: 0; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.1rem 0 .4rem; }
p { margin: .4rem 0; }
a { color: var(--link); }
.eyebrow { color: var(--soft); font-size: .85rem; margin: 0 0 .2rem; }
.outcome { font-size: 1.05rem; max-width: 60rem; margin: .75rem 0 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 1.1rem 0 0; padding: 0; }
.figures div { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem; background: var(--stripe); }
.figures dt { color: var(--soft); font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.2rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.badge { display: inline-block; white-space: nowrap; border-radius: 999px; padding: .05rem .6rem; font-size: .82rem; font-weight: 600; }
.badge.large { font-size: 1rem; padding: .2rem .9rem; }
.good { color: var(--good); background: var(--good-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
.attention { color: var(--attention); background: var(--attention-ground); }
.neutral { color: var(--neutral); background: var(--neutral-ground); }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; color: var(--soft); font-size: .85rem; padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; min-width: 4.5rem; }
.short { white-space: nowrap; }
td.sentence { min-width: 15rem; }
table:not(.facts) { min-width: 44rem; }
table.checklist { table-layout: fixed; }
.checklist th:nth-child(1) { width: 3.6rem; } .checklist th:nth-child(2) { width: 17rem; } .checklist th:nth-child(3) { width: 9.5rem; }
thead th { color: var(--soft); font-weight: 600; font-size: .8rem; white-space: nowrap; border-bottom-width: 2px; }
tbody tr:nth-child(even) { background: var(--stripe); }
tbody tr:last-child > * { border-bottom: 0; }
.facts th { width: 13rem; color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .88em ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; background: var(--neutral-ground); padding: .1em .35em; border-radius: 4px; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
figure { margin: 1rem 0 0; }
.todo { margin: 0; padding-left: 1.2rem; }
.todo li { margin: .25rem 0; overflow-wrap: anywhere; }
.lanes { margin: 0 0 1.1rem; }
.lane { display: grid; grid-template-columns: 11rem 1fr; align-items: center; gap: .75rem; margin: .3rem 0; font-size: .85rem; }
.lane > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.track { position: relative; height: 1.1rem; background: var(--neutral-ground); border-radius: 4px; overflow: hidden; }
.track i { position: absolute; top: 0; bottom: 0; min-width: 3px; border-radius: 3px; background: var(--bar); }
.track i.closed { background: repeating-linear-gradient(135deg, var(--closed) 0 7px, color-mix(in srgb, var(--closed) 70%, #000) 7px 10px); border-radius: 0; }
.track i.crit { background: repeating-linear-gradient(135deg, var(--bad) 0 5px, color-mix(in srgb, var(--bad) 60%, var(--paper)) 5px 8px); }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .78rem; margin-left: 11.75rem; font-variant-numeric: tabular-nums; }
.key { color: var(--soft); font-size: .8rem; margin: .4rem 0 0 11.75rem; }
footer { color: var(--soft); font-size: .85rem; padding: 0 .5rem; }
@media (max-width: 40rem) {
  .page { padding: .5rem; } header, section { padding: 1rem; }
  .lane { grid-template-columns: 1fr; gap: .1rem; } .axis, .key { margin-left: 0; }
  .facts th { width: 8rem; }
}
@media print {
  :root {
    --paper: #fff; --ground: #fff; --ink: #000; --soft: #444; --line: #bbb; --stripe: #f6f6f6;
    --good: #11662f; --good-ground: #fff; --bad: #a11622; --bad-ground: #fff; --attention: #7a4b00; --attention-ground: #fff;
    --neutral: #444; --neutral-ground: #eee; --bar: #3c6fb4; --closed: #c0562c; --link: #000;
  }
  body { font-size: 10pt; } .page { max-width: none; padding: 0; } nav { display: none; }
  header, section { border: 0; border-radius: 0; padding: 0; margin-bottom: 1.2rem; }
  .badge { border: 1px solid currentColor; } .scroll { overflow: visible; }
  table, caption { font-size: 8.5pt; } table:not(.facts) { min-width: 0; } .badge { font-size: 7.5pt; } th, td { padding: .25rem .4rem; }
  .checklist th:nth-child(1) { width: 2.6rem; } .checklist th:nth-child(2) { width: 12rem; } .checklist th:nth-child(3) { width: 7rem; }
  tr, .lane, .figures div { break-inside: avoid; } h2, h3, caption { break-after: avoid; }
  .track, .track i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
