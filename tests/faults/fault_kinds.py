"""What a fault is, and how one is written: scripts over an honest chart, and the outcomes that faults have in common.

The numbers are those of the table of named faults that the tests, the page `docs/faults.md` and the issues share.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fault_chart import Chart, next_link, page_url
from fault_plays import Asked, Script, Step, plain, refusal, text
from fault_runs import PATIENT, Run, example, scripted

Play = Callable[[Chart, Asked], Iterable[Step]]

TRIAL = "NCT07235319"
FREE = (
    "May be a candidate for NCT07235319, for review: all 15 computed criteria met, 2 to confirm; "
    "labs count until 12 Mar"
)
# What an Observation decides for this patient; age comes from the Patient, NPC and metastasis from Conditions.
OBSERVED = frozenset(
    {
        *("ecog", "histology", "measurable-lesion", "stage", "hemoglobin", "neutrophils", "platelets", "renal"),
        *("bilirubin", "transaminases", "inr-pt", "aptt"),
    }
)


@dataclass(frozen=True)
class Fault:
    """A fault that a server plays, and what has to come of it.

    Args:
        number: in the table.
        name: what the server does.
        does: what the service does.
        script: what is played.
        sees: what the clinician sees: a card's summary, or the words of a 412.
        log: the warning.
        status: of HTTP.
        unread: criteria that become unknown, ``not-fetched``; every other verdict stays.
        reasons: for criteria that become unknown for another reason, the reason.
        asked: requests by type, where the number matters.
        chosen: settings, and ``prefetch``.
        stage: how the call is made, where one scripted server is not enough.
    """

    number: int
    name: str
    does: str
    script: Script
    sees: str = FREE
    log: str = ""
    status: int = 200
    unread: frozenset[str] = frozenset()
    reasons: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    stage: Callable[[], Run] | None = None

    def run(self) -> Run:
        """Open the chart while the fault is played."""
        return self.stage() if self.stage else scripted(self.script, **self.chosen)

    @property
    def id(self) -> str:
        return f"{self.number}: {self.name}"


@dataclass(frozen=True)
class Elsewhere:
    """A fault that other tests play.

    Args:
        number: in the table.
        name: of the fault.
        does: what the service does.
        sees: what the clinician sees.
        log: what the log says.
        tests: ``file::function`` below tests/.
    """

    number: int
    name: str
    does: str
    sees: str
    log: str
    tests: tuple[str, ...]


# Scripts.


def on(kinds: Iterable[str], play: Play, chart: Chart | None = None) -> Script:
    """Play a fault where one of these types is asked for; be honest elsewhere. No types: everywhere."""
    honest, wanted = chart or Chart(example()), frozenset(kinds)
    return lambda asked: play(honest, asked) if not wanted or asked.kind in wanted else honest.script(asked)


def line(play: Callable[[bytes], Iterable[Step]]) -> Play:
    """A fault of the line, over the answer that would have come."""
    return lambda chart, asked: play(text(chart.answer(asked)[0]))


def always(*answer: Any, **headers: Any) -> Play:
    return lambda _chart, _asked: plain(*answer, **headers)


def status(code: int, **headers: Any) -> Play:
    return lambda _chart, _asked: refusal(code, **headers)


def first(play: Play) -> Play:
    """The fault on the first time that something is asked, and never again."""
    return lambda chart, asked: play(chart, asked) if asked.times == 0 else chart.script(asked)


def page(**changes: Any) -> Play:
    """The whole answer with changes to the Bundle."""
    return lambda chart, asked: plain(chart.searchset(asked, **changes))


def added(*entries: Any) -> Play:
    """The whole answer with further entries."""

    def play(chart: Chart, asked: Asked) -> Iterable[Step]:
        body = chart.searchset(asked)
        return plain({**body, "entry": [*body["entry"], *entries]})

    return play


def paged(then: Play | None = None, size: int = 4) -> Play:
    """Pages; the second and later ones may be something else."""

    def play(chart: Chart, asked: Asked) -> Iterable[Step]:
        if then is not None and "_page" in asked.query:
            return then(chart, asked)
        return plain(chart.searchset(asked, size=size))

    return play


def linked(url: Callable[[Asked], str]) -> Play:
    """The first half of the matches, and a link to the next page."""

    def play(chart: Chart, asked: Asked) -> Iterable[Step]:
        return plain(chart.searchset(asked, size=4, link=next_link(url(asked))))

    return play


def endless(chart: Chart, asked: Asked) -> Iterable[Step]:
    following = int(asked.query.get("_page", "0")) + 1
    return plain(chart.searchset(asked, link=next_link(page_url(asked, following))))


def circle(chart: Chart, asked: Asked) -> Iterable[Step]:
    other = {"0": "1", "1": "2", "2": "1"}[asked.query.get("_page", "0")]
    return plain(chart.searchset(asked, size=3, link=next_link(page_url(asked, other))))


def overlapping(chart: Chart, asked: Asked) -> Iterable[Step]:
    """Each page begins with what the one before ended with."""
    matches, at = chart.matches(asked), int(asked.query.get("_page", "0"))
    body = chart.searchset(asked, entry=[{"resource": one} for one in matches[max(0, 3 * at - 1) : 3 * at + 3]])
    return plain({**body, "link": next_link(page_url(asked, at + 1))} if 3 * at + 3 < len(matches) else body)


def changed(name: str, **fields: Any) -> Chart:
    """The chart with one record changed; None removes a field."""
    bundle = copy.deepcopy(example())
    for entry in bundle["entry"]:
        if entry["resource"].get("id") == f"{PATIENT}-{name}":
            entry["resource"].update(fields)
            entry["resource"] = {key: value for key, value in entry["resource"].items() if value is not None}
    return Chart(bundle)


def with_record(name: str, new: str, **fields: Any) -> Chart:
    """The chart with a second record like one of its own."""
    bundle = copy.deepcopy(example())
    like = next(e["resource"] for e in bundle["entry"] if e["resource"].get("id") == f"{PATIENT}-{name}")
    bundle["entry"].append({"resource": {**like, "id": f"{PATIENT}-{new}", **fields}})
    return Chart(bundle)


def hemoglobin(value: Any, unit: str | None = "g/dL", **more: Any) -> dict[str, Any]:
    quantity = {"value": value, **({"unit": unit, "system": "http://unitsofmeasure.org", "code": unit} if unit else {})}
    return {"valueQuantity": {**quantity, **more}}


# Outcomes.

O = ("Observation",)  # noqa: E741
NOT_READ = "NCT07235319: laboratory results and findings could not be read ({why}); {met} of 15 computed criteria met"


def failed(number: int, name: str, does: str, play: Play, why: str, asked: int = 2, **chosen: Any) -> Fault:
    """No Observation could be read."""
    return Fault(
        number,
        name,
        does,
        on(O, play),
        NOT_READ.format(why=why, met=3),
        f"not read completely: Observation ({why})",
        unread=OBSERVED,
        asked={"Observation": asked},
        chosen=chosen,
    )


def gone(number: int, name: str, does: str, script: Script, why: str, **more: Any) -> Fault:
    """The Patient could not be read."""
    says = f"The Patient could not be read ({why})."
    return Fault(number, name, does, script, says, f"not judged: {says}", 412, **more)


def harmless(number: int, name: str, does: str, play: Play, **more: Any) -> Fault:
    """The answer is that of a server without a fault."""
    return Fault(number, name, does, on(O, play), **more)


def chart_of(number: int, name: str, does: str, chart: Chart, **more: Any) -> Fault:
    """A server without a fault, whose records are odd."""
    return Fault(number, name, does, chart.script, **more)


AS_NONE = "takes nothing from the answer; the type was not read"
SOME = (
    "May be a candidate for NCT07235319, for review: all 15 computed criteria met, 2 to confirm; "
    "not all of the record could be read"
)
SECOND_HALF = frozenset(
    {"hemoglobin", "neutrophils", "platelets", "renal", "bilirubin", "transaminases", "inr-pt", "aptt"}
)
OTHERS = {
    "resourceType": "Observation",
    "id": "of-somebody-else",
    "status": "final",
    "subject": {"reference": "Patient/somebody-else"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    "effectiveDateTime": "2026-02-27",
    **hemoglobin(8),
}
UNREADABLE = {
    "resourceType": "Observation",
    "id": "odd",
    "status": "final",
    "subject": {"reference": f"Patient/{PATIENT}"},
    "code": 7,
}
SHORT = 0.5  # seconds for a whole chart, where a server takes for ever


def partly(number: int, name: str, does: str, play: Play, why: str, sees: str = SOME, **more: Any) -> Fault:
    """Some Observations were read."""
    return Fault(number, name, does, on(O, play), sees, f"not read completely: Observation ({why})", **more)


def half(
    number: int, name: str, does: str, play: Play, why: str, met: str = "; 7 of 15 computed criteria met", **more: Any
) -> Fault:
    """The first page of two was read."""
    sees = f"NCT07235319: laboratory results and findings could not be read ({why}){met}"
    return partly(number, name, does, play, why, sees, unread=SECOND_HALF, **more)


def odd(number: int, name: str, reason: str, known: str, chart: Chart, does: str = "judges what is written") -> Fault:
    """A hemoglobin that cannot be judged."""
    sees = f"NCT07235319: hemoglobin decides ({known}); 14 of 15 computed criteria met"
    return chart_of(number, name, f"{does}: unknown, `{reason}`", chart, sees=sees, reasons={"hemoglobin": reason})


def number_as(written: bytes) -> Play:
    """The hemoglobin's number as raw JSON text."""

    def play(chart: Chart, asked: Asked) -> Iterable[Step]:
        return plain(text(chart.answer(asked)[0]).replace(b"123454321", written))

    return play


def elsewhere(asked: Asked) -> str:
    return f"{asked.base.replace('127.0.0.1', '127.0.0.2')}/{asked.target.partition('/fhir/')[2]}"
