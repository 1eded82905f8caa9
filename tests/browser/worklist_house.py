"""A service with a worklist, and the browsers of those who use it: what several files of tests share."""

from __future__ import annotations

import json
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page

from cds_service.bootstrap import Services
from cds_service.cli.demo_ehr import prefetch_of
from cds_service.gather.bundle import read_bundle
from cds_service.screening.patient import Rules
from cds_service.screening.worklist.intake import take_outcome

AS_OF = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TRIAL = "NCT07235319"
LIST = f"/worklist/trials/{TRIAL}"
SERVICE = "npc-trials-patient-view"
STORY = "stale-bilirubin"
PATIENTS = Path(__file__).resolve().parents[2] / "fhir_examples" / "patients"
# What a page did that it must not: collected by the browser itself, told at the end of each test.
SPY = "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI));"


def bundle_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PATIENTS / name / "bundle.json").read_text(encoding="utf-8"))
    return found


def with_new_bilirubin() -> dict[str, Any]:
    """Return the story's chart with a bilirubin of today beside the one that is too old."""
    bundle = bundle_of(STORY)
    old = next(one for one in bundle["entry"] if one["resource"]["id"] == f"{STORY}-bili")
    new = json.loads(json.dumps(old))
    new["fullUrl"] += "-2"
    new["resource"]["id"] += "-2"
    new["resource"]["effectiveDateTime"] = "2026-03-01T07:30:00+08:00"
    new["resource"]["valueQuantity"]["value"] = 14
    bundle["entry"].append(new)
    return bundle


@dataclass
class House:
    """The service, and the browsers of those who use it.

    Args:
        base: address of the service.
        rules: for what a record system sends along.
        browser: that people's windows are of.
        stack: closes them.
        said: what browsers complained of, but refusals by HTTP.
        asked: every address that browsers asked.
        pages: that scripts run on.
    """

    base: str
    rules: Rules
    browser: Browser
    stack: ExitStack
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def window(self, *, scripts: bool = True, **options: Any) -> BrowserContext:
        context = self.browser.new_context(base_url=self.base, java_script_enabled=scripts, **options)
        self.stack.callback(context.close)
        context.set_default_timeout(10_000)
        context.on("request", lambda request: self.asked.append(request.url))
        if scripts:
            context.add_init_script(SPY)
        context.on("page", lambda page: self._watch(page, scripts))
        return context

    def _watch(self, page: Page, scripts: bool) -> None:
        def complained(words: str) -> None:
            if "the server responded with a status of 4" not in words:
                self.said.append(words)

        page.on("console", lambda message: complained(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        if scripts:
            self.pages.append(page)

    def hook(self, bundle: dict[str, Any]) -> list[dict[str, Any]]:
        """Open a chart as a record system without our simulator does; return the cards."""
        patient = next(e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
        body = {
            "hook": "patient-view",
            "hookInstance": "6a1b7e05-8ea9-4f1c-9f6c-3f4f7a1f7c11",
            "context": {"userId": "Practitioner/li", "patientId": patient},
            "prefetch": prefetch_of(bundle, self.rules.plan.templates),
        }
        asked = urllib.request.Request(
            f"{self.base}/cds-services/{SERVICE}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            cards: list[dict[str, Any]] = json.load(answer)["cards"]
        return cards


def take(services: Services, name: str) -> None:
    record = read_bundle(bundle_of(name))
    outcome = services.rules.judge(record, services.rules.library, as_of=AS_OF)
    take_outcome(services.store.worklist, record, outcome, source="", now=NOW)


def form(page: Page, action: str) -> Locator:
    return page.locator(f"form[action$='/{action}']")


def row(page: Page) -> Locator:
    """Return the row of the story's patient in the list."""
    return page.locator("#list tbody tr", has_text="黄美玲")


def sentence(page: Page) -> Locator:
    return page.locator("p.sentence")
