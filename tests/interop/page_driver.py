"""Opens a page from disk in headless Chromium and tells as JSON what it asked for, complained about and looks like.

Runs in an environment with playwright: `page_driver.py BROWSER PAGE FOLDER`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
LOOK = """() => ({
    wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth,
    back: getComputedStyle(document.body).backgroundColor, text: document.body.innerText,
    charts: document.querySelectorAll("figure").length, tables: document.querySelectorAll("table").length,
    scripts: document.scripts.length, resources: performance.getEntriesByType("resource").length,
    outside: [...document.querySelectorAll("svg rect, svg line, svg circle, svg text")].filter((part) => {
        const box = part.getBoundingClientRect();
        return box.right > document.documentElement.clientWidth + 1 || box.left < -1;
    }).length,
})"""


USE = """() => {
    const heading = document.querySelector("th.number"), button = heading.querySelector("button");
    const table = heading.closest("table"), scroll = table.parentElement;
    button.focus();
    const tip = heading.querySelector(".tip"), explained = !!tip && getComputedStyle(tip).display === "block";
    const sorted = [];
    for (let n = 0; n < 2; n++) { button.click(); sorted.push(heading.getAttribute("aria-sort")); }
    const texts = [...table.tBodies[0].rows].map((row) => row.cells[heading.cellIndex].textContent);
    const numbers = texts.filter((text) => text !== "-").map((text) => parseFloat(text.replace(/[^0-9.e+-]/g, "")));
    const left = () => Math.round(table.rows[1].cells[0].getBoundingClientRect().left);
    const before = left();
    scroll.scrollLeft = 60;
    return {sorted, explained, ordered: numbers.every((value, n) => n === 0 || numbers[n - 1] <= value),
            first_column_stays: left() === before};
}"""


def _keys(opened: Page) -> dict[str, object]:
    """What Enter does on a heading and on a link to a session, and an arrow key on the calls over time."""
    heading = opened.locator("th button").first
    heading.press("Enter")
    found: dict[str, object] = {"sorted_by_key": opened.locator("th[aria-sort]").first.get_attribute("aria-sort")}
    columns = opened.locator("svg.over g")
    if columns.count() > 1:
        columns.first.press("ArrowRight")
        found["moved"] = opened.evaluate("document.activeElement === document.querySelectorAll('svg.over g')[1]")
    link = opened.locator('a[href^="#session-"]')
    if link.count():
        link.first.press("Enter")
        opened.wait_for_selector("details[open]")
        found["opened"] = opened.locator("details[open]").count()
    return found


def main(browser: str, page: Path, folder: Path) -> None:
    pages = {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=QUIET)
        for name, options in VIEWS.items():
            context = chromium.new_context(**options)
            requests: list[str] = []
            complaints: list[str] = []
            opened = context.new_page()
            opened.on("request", lambda request, to=requests: to.append(request.url))
            opened.on("console", lambda message, to=complaints: to.append(message.text))
            opened.on("pageerror", lambda error, to=complaints: to.append(str(error)))
            opened.goto(page.as_uri())
            opened.screenshot(path=folder / f"{page.stem}-{name}.png", full_page=True)
            pages[name] = {"requests": requests, "complaints": complaints, **opened.evaluate(LOOK)}
            pages[name] |= opened.evaluate(USE)
            pages[name] |= _keys(opened)
            context.close()
        chromium.close()
    print(json.dumps(pages))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
