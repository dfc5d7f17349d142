"""report.html: every answer of one or several runs in one self-contained page that opens from the disk.

`collect` makes plain values of what the page shows, `build` puts them into the page. The page's own code stands in
`static/`, the charting library (Chart.js, MIT) in `vendor/`; both are written into the file, which loads nothing.
"""

from safeeraser.runs.report.page.attacked import Attacks
from safeeraser.runs.report.page.build import build
from safeeraser.runs.report.page.collect import Shown, collect

__all__ = ["Attacks", "Shown", "build", "collect"]
