"""A real browser, Debian's chromium, and the service on loopback for it to call."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright
from worklist_house import AS_OF, NOW, SPY, STORY, House, take

from cds_service.bootstrap import build, load_rules
from cds_service.cli.listening import in_background, listening
from cds_service.screening.patient import Rules
from cds_service.settings import load_settings
from cds_service.web import create_app

AXE = Path(__file__).resolve().parents[2] / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One chromium for a file of tests. Playwright's event loop ends with it: tests elsewhere run their own."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("install: make clients (or: apt-get install chromium)")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def rules() -> Rules:
    return load_rules()


@dataclass
class Visit:
    """The page as a user has it open.

    Args:
        page: of the browser.
        base: the service's address.
        asked: every address that the browser asked.
        told: bodies of the feedback that was posted, in order.
        errors: what the browser complained of, but refusals by HTTP.
    """

    page: Page
    base: str
    asked: list[str] = field(default_factory=list)
    told: list[dict] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, language: str = "") -> None:
        self.page.goto(f"{self.base}/simulator" + (f"?lang={language}" if language else ""))
        self.page.wait_for_selector("body[data-ready]")

    def choose(self, story: str) -> None:
        with self.page.expect_response(f"**/simulator/stories/{story}"):
            self.page.select_option("#story", story)
        expect(self.page.locator("#patient")).to_contain_text(story)

    def send(self) -> str:
        """Press Send and return the status line once the answer is shown."""
        self.page.click("#send")
        expect(self.page.locator("#answer-heading")).to_be_focused()
        return self.page.inner_text("#status")

    def cards(self) -> list[str]:
        return self.page.locator("#cards .card h3").all_inner_texts()


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, rules: Rules) -> Iterator[Open]:
    """Open the simulator of a fresh service; afterwards: the browser stayed at home and complained of nothing."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def start(*, fhir: str | None = None, scheme: str = "light", axe: bool = False, language: str = "") -> Visit:
            services = build(load_settings(mode="open"), clock=lambda: AS_OF, rules=rules)
            stack.callback(services.store.close)
            server = stack.enter_context(listening(create_app(services, simulator_fhir=fhir), "127.0.0.1", 0))
            stack.enter_context(in_background(server))
            context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            context.add_init_script(SPY)
            if axe:
                context.add_init_script(path=AXE)
            opened = Visit(context.new_page(), f"http://127.0.0.1:{server.port}")
            _watch(opened)
            visits.append(opened)
            opened.open(language)
            return opened

        yield start
        for one in visits:
            violations = one.page.evaluate("window.violations")
            assert violations == []
            assert one.errors == []
            assert [url for url in one.asked if not url.startswith(f"{one.base}/")] == []


def _watch(one: Visit) -> None:
    def asked(request: Request) -> None:
        one.asked.append(request.url)
        if request.url.endswith("/feedback"):
            one.told.append(request.post_data_json)

    def stay_home(route: Route) -> None:
        if route.request.url.startswith(f"{one.base}/"):
            route.fallback()
        else:
            route.abort()

    def complained(words: str) -> None:
        if "the server responded with a status of" not in words:
            one.errors.append(words)

    one.page.context.on("request", asked)
    one.page.context.route("**/*", stay_home)
    one.page.on("console", lambda message: complained(message.text) if message.type == "error" else None)
    one.page.on("pageerror", lambda error: one.errors.append(str(error)))
    one.page.on("dialog", lambda dialog: (one.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))


@pytest.fixture
def axe() -> Path:
    """axe-core, which looks for faults that shut people out."""
    if not AXE.is_file():
        pytest.skip("install: make clients (axe-core, from npm)")
    return AXE


@pytest.fixture
def house(browser: Browser, rules: Rules, tmp_path: Path) -> Iterator[House]:
    """A service with some stories on its list and a file for its store; afterwards: no browser complained."""
    store = f"sqlite:///{tmp_path / 'store.db'}"
    services = build(load_settings(mode="open", store=store), clock=lambda: AS_OF, now=lambda: NOW, rules=rules)
    with ExitStack() as stack:
        stack.callback(services.store.close)
        for name in ("candidate", "inr-on-warfarin", "neck-nodes-only", "after-5-cycles-pr"):
            take(services, name)
        server = stack.enter_context(listening(create_app(services), "127.0.0.1", 0))
        stack.enter_context(in_background(server))
        one = House(f"http://127.0.0.1:{server.port}", rules, browser, stack)
        yield one
        assert one.said == []
        assert [url for url in one.asked if not url.startswith(f"{one.base}/")] == []
        # Names stay out of addresses, ids of the record too.
        assert [url for url in one.asked if "/worklist" in url and re.search(f"{STORY}|Huang|%E9", url)] == []
        for page in one.pages:
            if not page.is_closed():
                assert page.evaluate("window.violations") == []
