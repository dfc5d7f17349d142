"""How large report.html is and how fast it filters, in a real Chromium: `python -m bench.page [--questions 10000]`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from safeeraser.runs.report.page import build
from tests.runs.report.views import MODELS, page_view

FILTERS = {"part": "generality", "transition": "forgot", "category": "Kind1", "verdict": "refused"}


def main() -> None:
    """Print the size of a page, and for each filter the time from the choice to the drawn count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10_000)
    questions = parser.parse_args().questions
    folder = Path(tempfile.mkdtemp())
    file = folder / "report.html"
    file.write_text(build("bench", page_view(folder, -(-questions // 3))), encoding="utf-8")
    print(f"{questions:,} questions x {len(MODELS)} models: {file.stat().st_size / 2**20:.1f} MiB")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        begin = time.perf_counter()
        tab.goto(file.as_uri())
        print(f"{'load':<12}{1000 * (time.perf_counter() - begin):7.0f} ms")
        for name, value in FILTERS.items():
            took = tab.evaluate(
                """([name, value]) => {
                    const field = document.getElementById(`filter-${name}`);
                    const begin = performance.now();
                    field.value = value;
                    field.dispatchEvent(new Event("change"));
                    document.body.getBoundingClientRect();
                    return performance.now() - begin;
                }""",
                [name, value],
            )
            print(f"{name:<12}{took:7.0f} ms  {tab.locator('#count').inner_text()}")
        browser.close()


if __name__ == "__main__":
    main()
