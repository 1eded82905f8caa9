"""What the tests of an entry's page share: a judged story, its page, and the tags of a page."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser

from entry_pages import PREFIX, STORIES, Shown, judged_story, page_app

from cds_service.evaluation.outcome import PatientOutcome, TrialOutcome
from cds_service.evaluation.seen import LabPoint, LabSeries
from cds_service.facts.phrase import say

ALL = sorted(path.parent.name for path in STORIES.glob("*/bundle.json"))
EVIL = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202eabc'
DAY = date(2026, 3, 1)


def judged(name: str) -> tuple[TrialOutcome, PatientOutcome]:
    patient = judged_story(name)
    return patient.trials[0], patient


def get(name: str, path: str = PREFIX, shown: Shown = Shown()) -> str:  # noqa: B008
    answer = page_app(name, shown).test_client().get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


class Tags(HTMLParser):
    """Collects the tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def point(day: date | None, value: str | None = None, **rest: object) -> LabPoint:
    told = {
        "day": day,
        "day_text": day.isoformat() if day else "2026",
        "value": Decimal(value) if value else None,
        "low": None,
        "high": None,
        "recorded": f"{value} U/L",
        "upper": Decimal(40),
        "status": "final",
        "used": False,
        "resource": "Observation/x",
        "why_not": "",
        **rest,
    }
    return LabPoint(**told)  # type: ignore[arg-type]


def ast(*points: LabPoint, **rest: object) -> LabSeries:
    told = {
        "criteria": ("transaminases",),
        "fact": "ast",
        "label": say("AST"),
        "unit": "U/L",
        "points": points,
        "least": None,
        "most": Decimal(100),
        "upper": Decimal(40),
        "factor": Decimal("2.5"),
        "window": (DAY - timedelta(days=14), DAY),
        **rest,
    }
    return LabSeries(**told)  # type: ignore[arg-type]


def harmless(page: str) -> bool:
    """Say whether what is hostile stands in a page as text only."""
    tags = Tags(page)
    scripts = [one for tag, one in tags.tags if tag == "script" and "src" not in one]
    return not scripts and "img" not in {tag for tag, _ in tags.tags} and "\u202e" not in page
