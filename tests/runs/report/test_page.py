"""The pages in a real browser: they load without an error, filter, keep a view in their address, are inert."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from safeeraser.benchmarks.released.read import read
from safeeraser.benchmarks.tools.cards import cards
from safeeraser.benchmarks.tools.sheet import contact_sheet
from safeeraser.judges.agreement.labels import read_labels
from safeeraser.judges.agreement.sample import Answered, Drawn
from safeeraser.judges.agreement.sheet import write_sheet
from safeeraser.records import Generation
from safeeraser.runs.report.page import build
from tests.benchmarks import small
from tests.hostile.answers import HOSTILE
from tests.runs.report.views import examples, page_view, trials

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: on Debian `apt-get install chromium` brings it")
playwright = pytest.importorskip("playwright.sync_api")
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield launched
        launched.close()


def barriers(opened: Opened) -> list[object]:
    """What axe-core finds that shuts people out."""
    found = Axe().run(opened.tab).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def fits(opened: Opened, width: int) -> bool:
    """Whether nothing has to be scrolled sideways."""
    opened.tab.set_viewport_size({"width": width, "height": 740})
    for _ in range(50):  # plots follow the window a little later; the page's policy lets no waiting code in
        if opened.tab.evaluate("document.documentElement.scrollWidth") <= width:
            return True
        opened.tab.wait_for_timeout(100)
    return False


class Opened:
    """A page of the report with what its console said and what it asked the network for."""

    def __init__(self, browser: playwright.Browser, file: Path, **context: object) -> None:
        self.tab = browser.new_context(accept_downloads=True, **context).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.file = file
        self.open("")

    def open(self, fragment: str) -> None:
        self.tab.goto("about:blank")
        self.tab.goto(self.file.as_uri() + fragment)

    @property
    def count(self) -> str:
        return self.tab.locator("#count").inner_text()

    @property
    def first_card(self) -> playwright.Locator:
        """The first card, in view: only such cards are drawn."""
        card = self.tab.locator("article").first
        card.scroll_into_view_if_needed()
        return card

    def figure(self, title: str, model: str) -> playwright.Locator:
        """A cell of the overview: the first figure of that title."""
        column = self.tab.locator("#overview thead th").all_inner_texts().index(model) - 1
        return self.tab.locator("#overview tr", has_text=title).first.locator("td").nth(column)

    def choose(self, name: str, value: str) -> None:
        self.tab.locator(f"#filter-{name}").select_option(value)


@pytest.fixture(scope="module")
def page(browser: playwright.Browser, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("page")
    file = folder / "report.html"
    file.write_text(build("SafeEraser report", page_view(folder, 10)), encoding="utf-8")
    return Opened(browser, file)


@pytest.fixture(autouse=True)
def fresh(page: Opened) -> None:
    page.open("")


def test_it_loads_without_an_error_and_asks_for_nothing(page: Opened) -> None:
    assert page.count.startswith("30 of 30 questions, in 20 cards")
    assert page.tab.locator("canvas").count() == 3  # forgetting against over-refusal, recovery, margins
    assert page.said == []
    assert {url.partition(":")[0] for url in page.asked} <= {"file", "about", "data", "blob"}


def test_a_figure_opens_the_answers_behind_it(page: Opened) -> None:
    page.figure("SARR ↓", "po").get_by_role("button").first.click()

    assert page.count.startswith("10 of 30")
    assert page.tab.locator("#filter-part").input_value() == "decoupled"
    assert page.tab.locator("#filter-verdict").input_value() == "over"


def test_a_figure_under_attack_opens_the_attacked_answers_beside_those_left_alone(page: Opened) -> None:
    page.tab.locator("#heat tr", has_text="prefill 3").locator("td").nth(1).get_by_role("button").first.click()

    assert page.count.startswith("9 of 30")  # one is unscored
    headings = page.first_card.locator("h4")
    headings.first.wait_for()
    assert headings.all_inner_texts()[:3] == ["reference", "po · no attack", "po · prefill 3"]
    playwright.expect(page.first_card).to_contain_text("begun for it: Sure,")

    page.tab.locator("#heat-figure").select_option("recovered")
    page.tab.locator("#heat tr", has_text="prefill 1").locator("td").nth(2).get_by_role("button").click()
    assert page.tab.locator("#filter-transition").input_value() == "recovered"


def test_a_model_is_looked_at_under_attack(page: Opened) -> None:
    page.tab.locator("#attack").select_option(label="prefill 3")
    page.choose("transition", "recovered")
    assert page.count.startswith("9 of 30")
    page.tab.locator("#attack").select_option("")
    assert page.count.startswith("0 of 30")
    playwright.expect(page.tab.locator("#cards-empty")).to_be_visible()


def test_filters_combine(page: Opened) -> None:
    page.choose("of", "2")
    page.choose("transition", "forgot")
    assert page.count.startswith("10 of 30")
    page.choose("category", "Kind1")
    assert page.count.startswith("3 of 30")
    page.tab.locator("#only-unscored").check()
    assert page.count.startswith("1 of 30")
    page.tab.locator("#only-cut").check()
    assert page.count.startswith("0 of 30")


def test_a_changed_answer_of_a_harmless_question_is_over_forgetting(page: Opened) -> None:
    page.choose("transition", "over")  # po refuses ten look-alikes and ten retain questions

    assert page.count.startswith("20 of 30")


def test_an_unscored_answer_is_found(page: Opened) -> None:
    page.figure("ASR ↓", "po").get_by_role("button", name="1 unscored").click()

    assert page.count.startswith("1 of 30")
    playwright.expect(page.first_card).to_contain_text("unsafe: unscored")


def test_a_difference_opens_the_answers_that_differ(page: Opened) -> None:
    page.figure("ASR ↓", "po+pd").get_by_role("button", name="−100.0 to vanilla").click()
    assert page.count.startswith("9 of 30")  # one is unscored
    page.open("")
    page.figure("ASR ↓", "po+pd").get_by_role("button", name="±0.0 to po").click()
    assert page.count.startswith("0 of 30")


def test_going_back_leads_to_what_was_shown_before(page: Opened) -> None:
    page.choose("part", "retain")
    page.figure("SARR ↓", "po").get_by_role("button").first.click()
    page.tab.go_back()

    playwright.expect(page.tab.locator("#filter-part")).to_have_value("retain")


def test_search_looks_into_questions_and_answers(page: Opened) -> None:
    page.tab.locator("#filter-q").fill("number 3?")
    playwright.expect(page.tab.locator("#count")).to_contain_text("2 of 30")
    page.tab.locator("#filter-q").fill("cannot help")
    playwright.expect(page.tab.locator("#count")).to_contain_text("30 of 30")


def test_the_address_keeps_the_view(page: Opened) -> None:
    page.choose("part", "retain")
    page.choose("verdict", "wrong")
    address, count = page.tab.url, page.count

    page.open("#" + address.partition("#")[2])

    assert page.count == count
    assert count.startswith("10 of 30")
    assert page.tab.locator("#filter-verdict").input_value() == "wrong"


def test_pictures_are_blurred_until_they_are_revealed_and_the_choice_is_remembered(page: Opened) -> None:
    card = page.first_card
    shown, hidden = card.locator("button.picture"), card.locator("button.picture.hidden")
    hidden.nth(1).wait_for()
    assert shown.count() == hidden.count() == 2

    hidden.first.click()
    assert hidden.count() == 1
    page.tab.locator("#reveal-all").check()
    playwright.expect(page.first_card.locator("button.picture:not(.hidden)")).to_have_count(2)
    page.open("")
    playwright.expect(page.first_card.locator("button.picture:not(.hidden)")).to_have_count(2)
    page.tab.locator("#reveal-all").uncheck()


def test_a_bar_of_margins_narrows_the_answers_and_can_be_taken_away(page: Opened) -> None:
    page.open("#answers?of=1&margin=2..4")
    assert page.count.startswith("1 of 30")
    page.tab.get_by_role("button", name="decision margin 2 to 4").click()
    assert page.count.startswith("30 of 30")


def test_samples_of_an_answer_can_be_switched(browser: playwright.Browser, tmp_path: Path) -> None:
    view = page_view(tmp_path, 1)
    for name in ("example", "sample", "text", "finish"):
        view["models"][1][name] += ["more" if name == "text" else 1 if name == "sample" else view["models"][1][name][0]]
    for verdict in view["models"][1]["verdicts"][0].values():
        verdict["value"].append(None)
        verdict["reason"].append(-2)
    file = tmp_path / "report.html"
    file.write_text(build("samples", view), encoding="utf-8")
    opened = Opened(browser, file)

    opened.first_card.get_by_role("button", name="sample 1 of 2: next").click()
    playwright.expect(opened.first_card.locator(".row").first.locator(".answer").nth(2)).to_contain_text("more")
    opened.choose("sample", "1")
    opened.tab.locator("#only-missing").check()
    assert opened.count.startswith("2 of 3")


def test_seeds_are_switched_by_run(browser: playwright.Browser, tmp_path: Path) -> None:
    view = page_view(tmp_path, 2)
    for model, run in zip(view["models"], ("", "seed-1", "seed-2"), strict=False):
        model["run"] = run
        model["name"] = f"{run}/po" if run else "vanilla"
    file = tmp_path / "report.html"
    file.write_text(build("seeds", view), encoding="utf-8")
    opened = Opened(browser, file)

    opened.tab.locator("#run").select_option("seed-2")
    headings = opened.first_card.locator("h4")
    headings.first.wait_for()
    assert headings.all_inner_texts()[:3] == ["reference", "vanilla", "seed-2/po"]
    assert opened.tab.locator("#filter-of option:checked").inner_text() == "seed-2/po"
    opened.tab.locator("#run").select_option("")
    playwright.expect(opened.first_card.locator("h4").nth(2)).to_have_text("seed-1/po")


def test_judges_that_differ_are_counted_and_opened(browser: playwright.Browser, tmp_path: Path) -> None:
    view = page_view(tmp_path, 2)
    view["judges"].append("other@1")
    for model in view["models"]:
        other = json.loads(json.dumps(model["verdicts"][0]))
        other["refusal"]["value"][0] = 1 - other["refusal"]["value"][0]
        model["verdicts"].append(other)
    file = tmp_path / "report.html"
    file.write_text(build("judges", view), encoding="utf-8")
    opened = Opened(browser, file)

    matrix = opened.tab.locator("#judges table", has_text="refusal")
    playwright.expect(matrix).to_contain_text("3 of 18 differ")
    matrix.get_by_role("button", name="83.3%").click()
    assert opened.count.startswith("1 of 6")


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_what_is_shown_can_be_taken_along(page: Opened, kind: str) -> None:
    page.choose("part", "generality")
    with page.tab.expect_download() as download:
        page.tab.get_by_role("button", name=kind, exact=True).click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    rows = json.loads(text) if kind == "JSON" else list(csv.DictReader(text.splitlines()))

    assert len(rows) == 30
    assert {row["model"] for row in rows} == {"vanilla", "po", "po+pd"}
    assert {row["part"] for row in rows} == {"generality"}


def test_the_keyboard_goes_from_card_to_card_and_to_the_search(page: Opened) -> None:
    page.tab.keyboard.press("j")
    page.tab.keyboard.press("j")
    assert page.tab.evaluate("document.activeElement.dataset.number") == "1"
    page.tab.keyboard.press("k")
    assert page.tab.evaluate("document.activeElement.dataset.number") == "0"
    page.tab.keyboard.press("/")
    assert page.tab.evaluate("document.activeElement.id") == "filter-q"


def test_what_each_stage_took_is_told(page: Opened) -> None:
    page.open("")
    rows = [each.inner_text().split("\t") for each in page.tab.locator("#costs tbody tr").all()]
    assert rows == [
        ["training po", "60 steps", "1 min 15 s", "–", "–", "–", "–"],
        ["judging", "90 answers", "unknown", "unknown", "unknown", "unknown", "unknown"],
        ["all", "", "≥1 min 15 s", "unknown", "unknown", "unknown", "unknown"],
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_every_screen_shows_all_columns_and_is_accessible(
    page: Opened, browser: playwright.Browser, scheme: str, width: int
) -> None:
    opened = Opened(browser, page.file, color_scheme=scheme, viewport={"width": width, "height": 740})
    opened.first_card.locator("h4").first.wait_for()
    opened.tab.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")

    assert opened.tab.evaluate("document.documentElement.dataset.theme") == scheme
    assert fits(opened, width)
    assert opened.said == []
    assert barriers(opened) == []


def test_points_of_a_plot_are_reached_without_a_pointer(page: Opened) -> None:
    plot = page.tab.locator("figure", has_text="Decision margin: po")
    plot.get_by_text("as a table").click()
    plot.get_by_role("button", name="harmful pictures, n 1, 1").press("Enter")

    assert page.count.startswith("1 of 30")
    assert page.tab.evaluate("document.activeElement.id") == "answers-title"


def test_a_filter_keeps_the_keyboard(page: Opened) -> None:
    for name in ("filter-part", "attack", "column-1"):
        field = page.tab.locator(f"#{name}")
        field.focus()
        field.press("Space") if name.startswith("column") else field.select_option(index=1)
        assert page.tab.evaluate("document.activeElement.id") == name


def test_paper_shows_every_card_and_figure(page: Opened) -> None:
    page.tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")  # a loaded browser's own comes when it likes
    page.tab.emulate_media(media="print")

    playwright.expect(page.tab.locator("article.card:visible")).to_have_count(20)
    playwright.expect(page.figure("ASR ↓", "po").get_by_role("button").first).to_be_visible()
    playwright.expect(page.tab.locator("#filters")).to_be_hidden()
    page.tab.emulate_media(media="screen")


def test_hostile_content_does_nothing_but_be_shown(browser: playwright.Browser, tmp_path: Path) -> None:
    view = page_view(
        tmp_path, len(HOSTILE), dict(zip((f"{n}/forget" for n in range(99)), HOSTILE.values(), strict=False))
    )
    view["examples"]["question"] = [f"{q}</script><script>alert(1)</script>" for q in view["examples"]["question"]]
    file = tmp_path / 'a "quoted" <b>name.html'
    file.write_text(build("<script>alert(1)</script>", view), encoding="utf-8")

    opened = Opened(browser, file)
    opened.choose("part", "generality")
    opened.tab.locator("article").last.scroll_into_view_if_needed()
    opened.tab.locator("article").last.locator(".question").wait_for()

    assert opened.said == []
    assert opened.tab.locator("main script, main iframe, main [onerror], main a[href^='javascript']").count() == 0
    assert "</script><script>alert(1)</script>" in opened.tab.locator("article").last.inner_text()


def test_a_contact_sheet_has_the_same_pictures_and_does_nothing_else(
    browser: playwright.Browser, tmp_path: Path
) -> None:
    evil = "<script>alert(1)</script>"
    folder = small.write(tmp_path / "data")
    small.edit(folder, lambda records: records[0]["unsafe_pairs"][0].update(question=evil))
    contact_sheet(evil, cards(read(folder)), tmp_path / "sheet.html")
    opened = Opened(browser, tmp_path / "sheet.html")

    hidden = opened.tab.locator("button.picture.hidden")
    before = hidden.count()
    hidden.first.click()
    assert hidden.count() == before - 1
    opened.tab.locator("#reveal-all").check()
    assert hidden.count() == 0
    assert evil in (opened.tab.locator("main").text_content() or "")
    assert opened.said == []
    assert barriers(opened) == []
    assert fits(opened, 360)


def test_labels_are_kept_and_saved(browser: playwright.Browser, tmp_path: Path) -> None:
    asked = examples(tmp_path, 2)
    said = [Generation(example_id=each.id, sample=0, answer="<b>No.</b>", finish="stop") for each in asked]
    drawn = [
        Drawn(Answered(model="po", example=pair[0], generation=pair[1], verdicts={}), 7)
        for pair in zip(asked, said, strict=True)
    ]
    write_sheet(tmp_path / "labels.html", drawn)
    opened = Opened(browser, tmp_path / "labels.html")

    opened.tab.get_by_label("no").first.check()
    opened.open("")
    assert opened.tab.locator("#count").inner_text() == "1 of 6 labelled"
    with opened.tab.expect_download() as download:
        opened.tab.get_by_role("button", name="save").click()
    (labelled,) = read_labels(Path(shutil.copy(download.value.path(), tmp_path / "labels.jsonl")))
    assert list(labelled.labels.values()) == [0]
    assert labelled.generation.answer == "<b>No.</b>"
    assert opened.said == []
    assert barriers(opened) == []
    assert fits(opened, 360)


def test_trials_of_a_sweep_are_ranked_and_the_best_opens_its_answers(
    browser: playwright.Browser, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(build("Sweep", page_view(tmp_path, 4, trials=trials())), encoding="utf-8")
    opened = Opened(browser, file)
    rows = opened.tab.locator("#trials tbody tr")

    assert [row.split("\t")[:3] for row in rows.all_inner_texts()][:2] == [
        ["po", "1 (best)", "75.0"],
        ["po", "0", "25.0"],
    ]
    assert "<b>the loss</b> is not a number" in rows.nth(3).inner_text()
    assert opened.tab.get_by_role("heading", name="Objective of each trial").count() == 1
    rows.nth(0).get_by_role("button").click()
    assert opened.tab.locator("#filter-of").input_value() == "1"
    assert opened.said == []
    assert barriers(opened) == []
    assert fits(opened, 360)
