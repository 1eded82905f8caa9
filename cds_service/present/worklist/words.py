"""The words of the worklist's lists and exports, besides those of the pages."""

from __future__ import annotations

from typing import Final

from cds_service.facts.phrase import say
from cds_service.present.pages.words import STATES

MISSING: Final = say("missing")
TO_CONFIRM: Final = say("to confirm")
AGAINST: Final = say("against")
NAMES: Final = say("Names")
BIRTH: Final = say("Born")
GENDER: Final = say("Gender")
NUMBER: Final = say("Patient no.")
CRITERION: Final = say("Criterion")
STATE_HEADING: Final = say("State")
REASON: Final = say("Reason")
ASSIGNEE: Final = say("Assigned to")
CHANGED: Final = say("Data changed")
CHANGED_CHIP: Final = say("data changed")
LAPSED: Final = say("Results lapsed")
LAPSED_CHIP: Final = say("results lapsed")
YES: Final = say("yes")
EXPORTED_BY: Final = say("Exported by")
EXPORTED_AT: Final = say("Exported at")
WHY: Final = say("Exported for")
NOTICE: Final = say("Notice")
NOTICE_TEXT: Final = say("Contains personal health data. For review by people.")


def lapsed(day: str) -> str:
    """Say that a candidate's results no longer count."""
    return say("lapsed after {day}", day=day)


def since(day: str) -> str:
    """Say that "not now" may have turned."""
    return say("again since {day}", day=day)


def until(day: str) -> str:
    """Say how long a candidate's results count."""
    return say("until {day}", day=day)


def again(day: str) -> str:
    """Say when "not now" may turn."""
    return say("again from {day}", day=day)


def state(value: str) -> str:
    """Say a state; one of a newer version of the service as it stands."""
    return STATES.get(value, value)
