"""The style of a page: light or dark as the reader prefers, one column on a phone, colours that the colour-blind
can distinguish."""

STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --card: #f5f7fa; --text: #1b1f24; --soft: #57606a; --rule: #d5dae1;
  --bar: #2f6fdb; --track: #e6eaf0; --bad: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --card: #1d2128; --text: #e8eaed; --soft: #a3acb8;
  --rule: #353b45; --bar: #7aa7f7; --track: #2a2f38; --bad: #f59e5b; } }
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
.row { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1rem; margin-bottom: .45rem;
  font-size: .85rem; }
.row svg { grid-column: 1 / -1; }
.label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.value { color: var(--soft); white-space: nowrap; }
svg { display: block; overflow: visible; }
.bar, .dot { fill: var(--bar); } .bad { fill: var(--bad); } .track { fill: var(--track); }
.span { stroke: var(--bar); stroke-width: 3; opacity: .45; } .mark { stroke: var(--bar); stroke-width: 4; }
.end { stroke: var(--bar); stroke-width: 1.5; } .grid { stroke: var(--rule); stroke-width: 1; }
.ticks text { fill: var(--soft); font-size: 11px; }
.axis { display: flex; justify-content: space-between; gap: 1rem; color: var(--soft); font-size: .8rem;
  border-top: 1px solid var(--rule); }
.scroll { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--rule); border-radius: 8px; }
.scroll:focus-visible { outline: 2px solid var(--bar); }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .75rem; white-space: nowrap; vertical-align: top; }
th { background: var(--card); color: var(--soft); font-weight: 600; }
th[title] { text-decoration: underline dotted; text-underline-offset: .25em; cursor: help; }
tbody tr + tr td { border-top: 1px solid var(--rule); }
.number { text-align: right; }
.prose { white-space: normal; min-width: 18rem; overflow-wrap: anywhere; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dt { padding-bottom: 0; } dd { padding-top: 0;
  margin-bottom: .5rem; } }
@media print { .scroll { overflow: visible; } th, td { white-space: normal; } section { break-inside: avoid-page; } }
""".strip()
