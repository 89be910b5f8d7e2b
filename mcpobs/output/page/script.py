"""The script of a page, which works without it: it sorts tables, moves along a chart by the arrow keys, and opens a
timeline that a link leads to. It reads texts and moves elements; it makes no markup."""

SCRIPT = """
"use strict";
const ABSENT = "-";
const number = (text) => parseFloat(text.replace(/[^0-9.e+-]/g, ""));
const read = (cell) => cell.dataset.n ?? cell.textContent;
const place = new Intl.Collator(undefined, {numeric: true});
function sort(heading) {
  const body = heading.closest("table").tBodies[0], at = heading.cellIndex;
  const numeric = heading.classList.contains("number");
  const before = heading.getAttribute("aria-sort");
  const down = before === null ? numeric : before === "ascending";
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const keyed = [...body.rows].map((row) => [read(row.cells[at]), row]);
  keyed.sort(([a], [b]) => {
    if (a === ABSENT || b === ABSENT) return (a === ABSENT) - (b === ABSENT);
    const order = numeric ? number(a) - number(b) : place.compare(a, b);
    return down ? -order : order;
  });
  body.append(...keyed.map(([, row]) => row));
}
for (const button of document.querySelectorAll("th button"))
  button.addEventListener("click", () => sort(button.parentElement));
for (const chart of document.querySelectorAll("svg.over")) {
  const parts = [...chart.querySelectorAll("g")];
  parts.forEach((part, n) => {
    part.setAttribute("tabindex", n ? -1 : 0);
    part.addEventListener("keydown", (event) => {
      const next = parts[n + ({ArrowRight: 1, ArrowLeft: -1}[event.key] ?? NaN)];
      if (!next) return;
      event.preventDefault();
      part.setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    });
  });
}
function reveal() {
  const target = document.getElementById(location.hash.slice(1));
  const folded = target && target.closest("details");
  if (!folded || folded.open) return;
  folded.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();
document.documentElement.classList.add("live");
""".strip()
