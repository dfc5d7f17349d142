"""How large report.html is and how fast it filters, in a real Chromium: `python -m bench.page [--questions 10000]`.

Times are the page's own processor time, which other work on the machine leaves alone, and by the clock.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from safeeraser.runs.report.page import build
from tests.runs.report.views import MODELS, page_view

CHOOSE = "const field = document.getElementById('filter-{}'); field.value = '{}'; field.dispatchEvent(new Event('{}'))"
ACTIONS = {
    "part": CHOOSE.format("part", "generality", "change"),
    "transition": CHOOSE.format("transition", "forgot", "change"),
    "category": CHOOSE.format("category", "Kind1", "change"),
    "verdict": CHOOSE.format("verdict", "refused", "change"),
    "reset": "[...document.querySelectorAll('.actions button')].find((one) => one.textContent === 'reset').click()",
    "sort": CHOOSE.format("sort", "longest", "change"),
}


def main() -> None:
    """Print the size of a page, and for each filter the time from the choice to the drawn cards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10_000)
    questions = parser.parse_args().questions
    folder = Path(tempfile.mkdtemp())
    file = folder / "report.html"
    view = page_view(folder, -(-questions // 3))
    file.write_text(build("bench", view), encoding="utf-8")
    attacked = len(view["models"]) - len(MODELS)
    print(
        f"{questions:,} questions x {len(MODELS)} models and {attacked} attacked: {file.stat().st_size / 2**20:.1f} MiB"
    )
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        metrics = tab.context.new_cdp_session(tab)
        metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

        def spent() -> float:
            found = metrics.send("Performance.getMetrics")["metrics"]
            return 1000 * float(next(each["value"] for each in found if each["name"] == "TaskDuration"))

        tab.goto(file.as_uri())
        print(f"{'load':<12}{spent():7.0f} ms")
        for name, action in ACTIONS.items():
            before, begin = spent(), time.perf_counter()
            tab.evaluate(f"() => {{ {action}; document.body.getBoundingClientRect(); }}")
            took, clock = spent() - before, 1000 * (time.perf_counter() - begin)
            print(f"{name:<12}{took:7.0f} ms ({clock:.0f} by the clock)  {tab.locator('#count').inner_text()}")
        browser.close()


if __name__ == "__main__":
    main()
