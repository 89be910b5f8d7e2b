"""The style of a page: light or dark as the reader prefers, one column on a phone, colours that the colour-blind
can distinguish."""

STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --card: #f5f7fa; --text: #1b1f24; --soft: #57606a; --rule: #d5dae1;
  --bar: #2f6fdb; --track: #e6eaf0; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --card: #1d2128; --text: #e8eaed; --soft: #a3acb8;
  --rule: #353b45; --bar: #7aa7f7; --track: #2a2f38; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 68rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 2.5rem 0 .25rem; padding-top: 1rem;
  border-top: 1px solid var(--rule); }
p { margin: .25rem 0; overflow-wrap: anywhere; }
.soft, figcaption, footer { color: var(--soft); font-size: .85rem; }
.answer { font-weight: 600; }
dl { margin: 1.25rem 0; display: grid; grid-template-columns: fit-content(18rem) 1fr; gap: .1rem 1.25rem;
  background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .75rem 1rem; }
dt, dd { margin: 0; padding: .2rem 0; overflow-wrap: anywhere; }
a { color: var(--bar); text-underline-offset: .15em; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.chart { margin: 1rem 0; font-variant-numeric: tabular-nums; }
.rows { display: grid; grid-template-columns: fit-content(40%) 1fr auto; gap: .35rem 1rem; align-items: center;
  font-size: .85rem; }
.row { display: contents; }
.ticks { grid-column: 2; }
.label { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden;
  overflow-wrap: anywhere; }
.value { color: var(--soft); white-space: nowrap; text-align: right; }
svg { display: block; overflow: visible; }
.bar, .dot { fill: var(--bar); } .bad { fill: var(--bad); } .track { fill: var(--track); }
.span { stroke: var(--bar); stroke-width: 3; opacity: .45; } .mark { stroke: var(--bar); stroke-width: 4; }
.end { stroke: var(--bar); stroke-width: 1.5; } .grid { stroke: var(--rule); stroke-width: 1; }
.over g:focus { outline: none; } .over g:focus rect, .over g:hover rect { stroke: var(--text); stroke-width: 1.5; }
.over .tip { display: none; fill: var(--text); font-size: 12px; }
.over g:hover .tip, .over g:focus .tip, .over:not(:hover) g:focus .tip { display: block; }
.over:hover g:focus:not(:hover) .tip { display: none; }
.over { margin-top: 1.75rem; }
.ticks text { fill: var(--soft); font-size: 11px; }
.axis { display: flex; justify-content: space-between; gap: 1rem; color: var(--soft); font-size: .8rem;
  border-top: 1px solid var(--rule); }
.scroll { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--rule); border-radius: 8px; }
.scroll:focus-visible { outline: 2px solid var(--bar); }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .75rem; white-space: nowrap; vertical-align: top; }
th { background: var(--card); color: var(--soft); font-weight: 600; }
th button { all: unset; font: inherit; color: inherit; text-decoration: underline dotted;
  text-underline-offset: .25em; }
th button:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
.live th button { cursor: pointer; }
th[aria-sort] button { color: var(--text); }
th[aria-sort="ascending"] button::after { content: " ↑"; } th[aria-sort="descending"] button::after { content: " ↓"; }
th .tip { display: none; }
th button:focus + .tip { display: block; position: fixed; left: 0; right: 0; bottom: 0; padding: .6rem 1rem;
  background: var(--text); color: var(--back); font-weight: 400; white-space: normal; text-align: center; }
th:first-child, td:first-child { position: sticky; left: 0; z-index: 1; }
td:first-child { background: var(--back); }
th:focus-within { z-index: 3; position: relative; } th:first-child:focus-within { position: sticky; }
tr:target td { background: var(--card); box-shadow: inset 0 2px var(--bar), inset 0 -2px var(--bar); }
.failed, td.failed a { color: var(--bad); } .absent { color: var(--soft); opacity: .7; }
tbody tr + tr td { border-top: 1px solid var(--rule); }
.number { text-align: right; }
.prose { white-space: normal; min-width: 18rem; overflow-wrap: anywhere; }
details { margin: .75rem 0; } summary { cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
summary:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
details p:target { background: var(--card); box-shadow: inset 3px 0 var(--bar); padding-left: .5rem; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dt { padding-bottom: 0; } dd { padding-top: 0;
  margin-bottom: .5rem; } .rows { display: block; } .row { display: flex; flex-wrap: wrap;
  gap: 0 1rem; margin-bottom: .45rem; } .row .value { margin-left: auto; } .row svg { flex: 0 0 100%; order: 3; }
  th:first-child:not(.number), td:first-child:not(.number) { min-width: 40vw; max-width: 44vw; white-space: normal;
  overflow-wrap: anywhere; border-right: 1px solid var(--rule); } }
@media print { .scroll { overflow: visible; } th, td { white-space: normal; } section { break-inside: avoid-page; } }
""".strip()
