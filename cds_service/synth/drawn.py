"""Patients as drawn: nasopharyngeal carcinoma of all stages and treatments, other cancers, healthy people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final, Literal

from cds_service.synth.drawn_labs import draw_labs
from cds_service.synth.person import AS_OF, Answer, Histology, Person, Primary, Sex, Treatment
from cds_service.synth.stream import Stream

_CHEMOTHERAPY: Final = (
    ("gemcitabine", "cisplatin"),
    ("gemcitabine", "cisplatin"),
    ("docetaxel", "cisplatin"),
    ("gemcitabine", "carboplatin"),
)
_PD1: Final = ("toripalimab", "tislelizumab", "camrelizumab", "pembrolizumab")
# Birthdays on which the age criterion turns; 29 February is a birthday on 1 March.
_BIRTHDAYS: Final = (
    date(2008, 3, 1), date(2008, 3, 2), date(2008, 2, 29), date(1955, 3, 1), date(1955, 3, 2), date(1956, 2, 29)
)  # fmt: skip

Facts = dict[str, Any]


def draw_person(seed: int, number: int) -> Person:
    """Draw the full facts of patient `number`; the same for a seed, whatever else is drawn."""
    rng = Stream(f"{seed}/{number}/facts")
    story = rng.weighted(_NAMES, _WEIGHTS)
    sex: Sex = "female" if rng.random() < (0.5 if story == "healthy" else 0.28) else "male"
    person = Person(
        id=f"s{number:07d}",
        story=story,
        sex=sex,
        birth=_birth(rng),
        dead=rng.random() < 0.01,
        primary="none",
        **_performance(rng),
    )
    person = replace(person, **_STORIES[story][1](rng))
    unstated = person.liver is None and person.onset is not None
    person = replace(person, labs=draw_labs(rng, person, liver_decides=not unstated))
    # Where INR and PT disagree no line says what an anticoagulant makes of it.
    return replace(person, anticoagulated=rng.random() < 0.06 and not _disagree(person))


def _disagree(person: Person) -> bool:
    sides = set()
    for name in ("inr", "pt"):
        lab = person.labs.get(name)
        if lab is not None and lab.high is not None:
            sides.add(lab.value * 2 <= lab.high * 3)
    return len(sides) == 2


def _birth(rng: Stream) -> date:
    x = rng.random()
    if x < 0.05:
        return rng.choice(_BIRTHDAYS)
    least, most = (19, 69) if x < 0.92 else (71, 88) if x < 0.98 else (8, 17)
    return AS_OF - timedelta(days=rng.randint(least * 366, most * 365))


def _performance(rng: Stream) -> Facts:
    days = rng.choice((0, 1, 3, 7, 14, 20, 27, 28))
    if rng.random() < 0.04:
        return {"karnofsky": rng.choice((90, 80, 70, 60)), "performance_days": days}
    return {"ecog": rng.weighted((0, 1, 2, 3), (30, 62, 6, 2)), "performance_days": days}


def _ago(days: int) -> date:
    return AS_OF - timedelta(days=days)


def _after(day: date, rng: Stream, least: int, most: int) -> date:
    return day + timedelta(days=rng.randint(least, most))


# The disease at diagnosis.


def _npc(rng: Stream, onset: date) -> Facts:
    kinds: tuple[Histology, ...] = ("nonkeratinizing", "keratinizing", "unspecified", "conflict")
    primary: Primary = "npc"
    return {
        "primary": primary,
        "onset": onset,
        "histology": rng.weighted(kinds, (85, 5, 8, 2)),
        "staged": _after(onset, rng, 0, 9),
        "edition": rng.weighted(("9", "8", "7"), (60, 30, 10)),
        "neck_nodes": rng.random() < 0.5,
        "lesions": _lesions(rng, onset),
    }


def _lesions(rng: Stream, onset: date) -> tuple[tuple[int, date], ...]:
    x = rng.random()
    if x < 0.1:
        return ()
    size = rng.randint(16, 80) if x < 0.85 else rng.choice((9, 10, 12, 14, 15))
    return ((size, _after(onset, rng, 0, 9)),)


def _metastatic(rng: Stream, onset: date) -> Facts:
    facts = _npc(rng, onset)
    sites = tuple(rng.sample(("bone", "lung", "liver", "nodes"), rng.choice((1, 1, 1, 2, 2, 3))))
    m = rng.choice(("M1", "M1a", "M1b")) if facts["edition"] == "9" else "M1"
    group = {"9": "IVA" if m == "M1a" else "IVB", "8": "IVB", "7": "IVC"}[facts["edition"]]
    if facts["edition"] == "9" and m == "M1" and rng.random() < 0.3:
        group = "IV"
    shape = rng.random()
    facts |= {
        "m": None if shape < 0.1 else m,
        "group": group if shape < 0.9 else None,
        "sites": () if 0.06 < shape < 0.1 else sites,
        "spread": None if 0.06 < shape < 0.1 else _after(onset, rng, -10, 9),
        "liver": "present" if "liver" in sites and not 0.06 < shape < 0.1 else "absent",
    }
    return facts


def _local(rng: Stream, onset: date) -> Facts:
    facts = _npc(rng, onset)
    groups = {"9": ("II", "III", "III"), "8": ("II", "III", "IVA", "IVA"), "7": ("II", "III", "IVA", "IVB")}
    return facts | {
        "m": "M0",
        "group": rng.choice(groups[facts["edition"]]),
        "liver": "absent",
    }


# What was given.


def _induction(rng: Stream, cycles: int, tail: int) -> tuple[date, list[Treatment], list[date]]:
    """Return the first day, the doses and the first day of each cycle; the last begins `tail` days ago."""
    starts = [_ago(tail)]
    for _ in range(cycles - 1):
        starts.append(starts[-1] - timedelta(days=rng.choice((21, 21, 21, 22, 24, 28))))
    starts.reverse()
    first, second = rng.choice(_CHEMOTHERAPY)
    pd1 = rng.choice(_PD1)
    doses = []
    for start in starts:
        doses += [
            Treatment("chemotherapy", first, start),
            Treatment("chemotherapy", second, start),
            Treatment("pd1", pd1, start),
        ]
        # A delayed day 8 stays in its cycle.
        day_8 = start + timedelta(days=rng.choice((7, 7, 7, 8, 10, 14)))
        if first == "gemcitabine" and day_8 <= AS_OF:
            doses.append(Treatment("chemotherapy", first, day_8))
    return starts[0], doses, starts


def _with_induction(rng: Stream, cycles: int) -> Facts:
    tail = rng.randint(12, 19) if cycles > 3 else rng.randint(0, 16)
    first, doses, starts = _induction(rng, cycles, tail)
    facts = _metastatic(rng, first - timedelta(days=rng.randint(12, 40)))
    responses: list[tuple[date, Answer]] = []
    if cycles > 1:  # too early to count
        responses.append((starts[1] + timedelta(days=rng.randint(1, min(15, (AS_OF - starts[1]).days or 1))), "PR"))
    if cycles > 3:
        found: tuple[Answer, ...] = rng.weighted(
            (("PR",), ("CR",), ("SD",), ("PD",), ("SD", "PR"), ("PR", "PD"), ("trend",)), (50, 18, 10, 6, 5, 5, 6)
        )
        day = starts[3] + timedelta(days=rng.randint(1, 6))
        for one in found:
            responses.append((min(day, AS_OF), one))
            day += timedelta(days=rng.randint(2, 6))
    lesions = facts["lesions"]
    if lesions and rng.random() < 0.5:  # a later, smaller size changes nothing
        lesions = (*lesions, (max(lesions[0][0] // 3, 1), _ago(rng.randint(0, min(tail, 9)))))
    kept = tuple(one for one in responses if one[0] <= AS_OF)
    return facts | {"treatments": tuple(doses), "responses": kept, "lesions": lesions}


def _untreated(rng: Stream) -> Facts:
    return _metastatic(rng, _ago(rng.randint(12, 75)))


def _in_induction(rng: Stream) -> Facts:
    return _with_induction(rng, rng.randint(1, 3))


def _after_induction(rng: Stream) -> Facts:
    return _with_induction(rng, rng.randint(4, 6))


def _too_many_cycles(rng: Stream) -> Facts:
    return _with_induction(rng, rng.randint(7, 8))


def _chemotherapy_only(rng: Stream) -> Facts:
    facts = _with_induction(rng, rng.choice((2, 4, 5)))
    return facts | {"treatments": tuple(one for one in facts["treatments"] if one.kind != "pd1")}


def _pd1_by_name(rng: Stream) -> Facts:
    facts = _with_induction(rng, rng.choice((2, 4, 5, 5, 7)))
    named = tuple(replace(one, given="named") if one.kind == "pd1" else one for one in facts["treatments"])
    return facts | {"treatments": named}


def _by_statement(rng: Stream) -> Facts:
    """Both halves known from statements with a period: cycles cannot be counted."""
    facts = _with_induction(rng, rng.choice((4, 5)))
    halves: dict[str, Treatment] = {}
    for one in facts["treatments"]:
        halves.setdefault(one.what, one)
    until = _ago(rng.randint(3, 15))
    form: Literal["statement"] = "statement"
    return facts | {"treatments": tuple(replace(one, form=form, until=until) for one in halves.values())}


def _radiotherapy(day: date, kind: Literal["other", "unclear"] = "other") -> Treatment:
    return Treatment(kind, "radiotherapy", day, form="procedure", until=min(day + timedelta(days=42), AS_OF))


def _local_untreated(rng: Stream) -> Facts:
    return _local(rng, _ago(rng.randint(12, 75)))


def _local_treated(rng: Stream) -> Facts:
    onset = _ago(rng.randint(120, 900))
    facts = _local(rng, onset)
    start = _after(onset, rng, 15, 50)
    given = [_radiotherapy(start)]
    if rng.random() < 0.5:
        given += [Treatment("chemotherapy", "cisplatin", start + timedelta(days=21 * n)) for n in range(3)]
    if rng.random() < 0.15:
        given.append(Treatment("other", rng.choice(("neck-dissection", "nasopharyngectomy")), start, form="procedure"))
    return facts | {"treatments": tuple(given)}


def _metachronous(rng: Stream) -> Facts:
    onset = _ago(rng.randint(400, 1200))
    facts = _local(rng, onset)
    sites = tuple(rng.sample(("bone", "lung", "liver", "nodes"), rng.choice((1, 2))))
    facts |= {"m": "M0", "sites": sites, "spread": _after(onset, rng, 150, 380), "liver": None}
    if rng.random() < 0.85:
        facts["treatments"] = (_radiotherapy(_after(onset, rng, 15, 50)),)
    return facts


def _remission(rng: Stream) -> Facts:
    return _local_treated(rng) | {"primary": "npc-remission"}


def _other_treatment(rng: Stream) -> Facts:
    onset = _ago(rng.randint(30, 80))
    facts = _metastatic(rng, onset)
    day = _after(onset, rng, 12, 25)
    given = rng.choice(
        (
            (Treatment("other", "cetuximab", day),),
            (Treatment("other", "atezolizumab", day),),
            (_radiotherapy(day),),
            (_radiotherapy(day), Treatment("chemotherapy", "cisplatin", day), Treatment("pd1", "toripalimab", day)),
        )
    )
    return facts | {"treatments": given}


def _doubtful(rng: Stream) -> Facts:
    onset = _ago(rng.randint(30, 80))
    facts = _metastatic(rng, onset)
    day = _after(onset, rng, 12, 25)
    one = rng.choice(
        (
            Treatment("chemotherapy", "cisplatin", day, "perhaps", "request"),
            Treatment("unclear", "antineoplastic", day),
            Treatment("unclear", "chemotherapy", day, form="procedure"),
            Treatment("chemotherapy", "docetaxel", onset - timedelta(days=rng.randint(5, 60))),
            _radiotherapy(day, "unclear"),
        )
    )
    return facts | {"treatments": (one,)}


def _conflict(rng: Stream) -> Facts:
    onset = _ago(rng.randint(12, 75))
    if rng.random() < 0.5:
        return _metastatic(rng, onset) | {
            "edition": "9",
            "m": "M1",
            "group": "III",
            "sites": (),
            "spread": None,
            "liver": "absent",
        }
    return _local(rng, onset) | {"m": "M0", "sites": ("bone",), "spread": _after(onset, rng, 0, 9), "liver": None}


# Everybody else.


def _lymphoma(_rng: Stream) -> Facts:
    return {"primary": "lymphoma"}


def _other_cancer(rng: Stream) -> Facts:
    facts: Facts = {"primary": "other-cancer"}
    if rng.random() < 0.5:
        reason = rng.random() < 0.6
        start = _ago(rng.randint(60, 400))
        days = [start + timedelta(days=21 * n) for n in range(rng.choice((2, 3, 5, 8)))]
        drug = rng.choice(("carboplatin", "docetaxel", "gemcitabine"))
        facts["treatments"] = tuple(
            Treatment("chemotherapy", drug, day, for_other=reason) for day in days if day <= AS_OF
        )
    if rng.random() < 0.3:
        facts |= {"sites": (rng.choice(("bone", "lung", "liver")),), "spread": _ago(rng.randint(10, 300))}
    return facts


def _healthy(_rng: Stream) -> Facts:
    return {}


# The weights are ours: enough of each kind to measure, no prevalence.
_STORIES: Final[dict[str, tuple[int, Callable[[Stream], Facts]]]] = {
    "healthy": (250, _healthy),
    "other-cancer": (120, _other_cancer),
    "lymphoma-of-site": (15, _lymphoma),
    "metastatic-untreated": (215, _untreated),
    "in-induction": (70, _in_induction),
    "after-4-6-cycles": (120, _after_induction),
    "more-than-6-cycles": (15, _too_many_cycles),
    "chemotherapy-only": (15, _chemotherapy_only),
    "pd1-by-name": (15, _pd1_by_name),
    "induction-by-statement": (15, _by_statement),
    "local-untreated": (45, _local_untreated),
    "local-treated": (35, _local_treated),
    "metachronous": (30, _metachronous),
    "in-remission": (10, _remission),
    "other-treatment": (10, _other_treatment),
    "doubtful-treatment": (20, _doubtful),
    "conflicting-stage": (10, _conflict),
}
_NAMES: Final = tuple(_STORIES)
_WEIGHTS: Final = tuple(weight for weight, _draw in _STORIES.values())
