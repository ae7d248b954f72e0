"""The pages as a reader meets them: from disk, in chromium, light and dark, by keyboard, checked by axe-core."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from report_fixtures import HOSTILE, full_report, steps
from torchclinic.cli.lab_pages import write_pages
from torchclinic.labs import catalogue
from torchclinic.labs.lab import Options
from torchclinic.report.html import report_page
from torchclinic.report.model import Section
from torchclinic.report.results import Report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAB = "tensor-basics"  # takes a second, and brings figures of its own
PAGES = ("full.html", "hostile.html", "empty.html", "index.html", f"{LAB}.html")

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page of everything, one of hostile names, one of nothing, and the pages of a real lab."""
    folder = tmp_path_factory.mktemp("pages")
    sample = {"full": full_report(), "hostile": full_report(HOSTILE), "empty": Report("Nothing to report")}
    for name, report in sample.items():
        (folder / f"{name}.html").write_text(report_page(report), encoding="utf8")
    lab = catalogue.run(catalogue.find(LAB), Options(fast=True))
    write_pages(folder, {LAB: lab, "sample": full_report()})
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """An open page, and everything it asked for or complained about."""

    def __init__(self, browser: Browser, path: Path, **options: object) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._watch)
        self._address = path.as_uri()
        self.page.goto(self._address)

    def _hear(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    def _watch(self, request: Request) -> None:
        if request.url != self._address and not request.url.startswith("data:"):
            self.complaints.append(f"request: {request.url}")

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_and_accessible_in_light_and_dark(browser, folder, name):
    with Visit(browser, folder / name, color_scheme="light") as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach(element => { element.open = true })")
        light = Axe().run(visit.page)
        assert light.violations_count == 0, light.generate_report()
        visit.page.emulate_media(color_scheme="dark")
        assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
        dark = Axe().run(visit.page, options={"runOnly": ["color-contrast", "link-in-text-block"]})
        assert dark.violations_count == 0, dark.generate_report()
        assert visit.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_under_500_kilobytes(folder, name):
    assert (folder / name).stat().st_size < 500_000


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_never_scrolls_sideways_as_a_whole(browser, folder, name, width):
    with Visit(browser, folder / name, viewport={"width": width, "height": 800}) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_would_notice(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<!doctype html><html><body><img src='data:,'><p style='color:#eee'>pale</p></body></html>")
    with Visit(browser, path) as visit:
        found = {violation["id"] for violation in Axe().run(visit.page).response["violations"]}
    assert {"image-alt", "color-contrast", "html-has-lang", "document-title"} <= found


def test_a_request_would_be_noticed(browser, tmp_path):
    path = tmp_path / "calls.html"
    path.write_text("<!doctype html><link rel=stylesheet href='other.css'>")
    with Visit(browser, path) as visit:
        visit.page.wait_for_load_state("networkidle")
        assert any(complaint.startswith("request: file:") for complaint in visit.complaints)


def test_the_policy_stops_what_would_slip_through(browser, folder):
    with Visit(browser, folder / "full.html") as visit:
        visit.page.evaluate(
            """document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.slipped = 1">');
            const style = document.createElement('style');
            style.textContent = 'body { display: none }';
            document.head.append(style);
            const script = document.createElement('script');
            script.textContent = 'window.slipped = 2';
            document.body.append(script);"""
        )
        visit.page.wait_for_timeout(100)
        assert visit.page.evaluate("window.slipped") is None
        assert visit.page.evaluate("getComputedStyle(document.body).display") != "none"
        assert len(visit.complaints) == 3, "each attempt is reported"


def test_the_first_tab_stop_skips_to_the_content(browser, folder):
    with Visit(browser, folder / "full.html") as visit:
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        assert visit.page.locator(".tc-skip").bounding_box()["x"] >= 0, "visible once focused"
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate("document.activeElement.id") == "content"


def test_steps_are_walked_by_keyboard_and_by_buttons(browser, folder):
    with Visit(browser, folder / "full.html") as visit:
        page = visit.page
        position = page.locator(".tc-position")

        def shown() -> list[int]:
            return [i for i, step in enumerate(page.locator(".tc-step").all()) if step.is_visible()]

        assert shown() == [0]
        page.get_by_role("button", name="Next").click()
        assert shown() == [1]
        for key, expected in (("ArrowRight", 2), ("ArrowRight", 2), ("ArrowLeft", 1), ("Home", 0), ("End", 2), ("Home", 0)):
            page.keyboard.press(key)
            assert shown() == [expected], key
            assert position.inner_text() == f"Step {expected + 1} of 3"
        assert page.get_by_role("button", name="Previous").get_attribute("aria-disabled") == "true"
        page.keyboard.press("Enter")
        assert shown() == [1], "the button keeps the focus"
        assert visit.complaints == []


def test_two_groups_of_steps_walk_alone(browser, tmp_path):
    path = tmp_path / "two.html"
    path.write_text(report_page(Report("t", (Section("s", (steps("a"), steps("b"))),))), encoding="utf8")
    with Visit(browser, path) as visit:
        visit.page.get_by_role("button", name="Next").last.click()
        assert visit.page.locator(".tc-position").all_inner_texts() == ["Step 1 of 3", "Step 2 of 3"]


def test_without_script_all_steps_are_shown(browser, folder):
    with Visit(browser, folder / "full.html", java_script_enabled=False) as visit:
        assert all(step.is_visible() for step in visit.page.locator(".tc-step").all())
        assert visit.page.locator(".tc-controls").is_hidden()


def test_print_shows_all_steps_and_no_controls(browser, folder):
    with Visit(browser, folder / "full.html") as visit:
        visit.page.emulate_media(media="print")
        assert all(step.is_visible() for step in visit.page.locator(".tc-step").all())
        assert visit.page.locator(".tc-controls").is_hidden()
        assert visit.page.locator("nav").is_hidden()


def test_only_regions_that_scroll_are_tab_stops(browser, folder):
    with Visit(browser, folder / "full.html", viewport={"width": 390, "height": 800}) as visit:
        visit.page.wait_for_timeout(100)
        pairs = visit.page.evaluate(
            """[...document.querySelectorAll('.tc-scroll')].filter(e => e.checkVisibility()).map(
                e => [e.scrollWidth > e.clientWidth, e.tabIndex === 0])"""
        )
    assert any(scrolls for scrolls, _ in pairs)
    assert any(not scrolls for scrolls, _ in pairs)
    assert all(scrolls == stops for scrolls, stops in pairs)


def test_the_overview_leads_to_a_lab_and_its_claim(browser, folder):
    with Visit(browser, folder / "index.html") as visit:
        visit.page.get_by_role("link", name="The first loss is log 10").last.click()
        assert visit.page.url.endswith("sample.html#claim-sample.loss")
        assert visit.page.locator("#claim-sample\\.loss").is_visible()
        visit.page.get_by_role("link", name="torchclinic").click()
        assert visit.page.url.endswith("index.html")
