"""Random patients in shorthand. Dates are days before the day of judgement, so that a chart moves as a whole."""

import copy
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from cds_service.evaluation.judge import judge
from cds_service.evaluation.outcome import TrialOutcome
from cds_service.gather.bundle import read_bundle
from cds_service.screening.shorthand import to_bundle
from cds_service.trials.library import load_library

TRIAL = "NCT07235319"
AS_OF = date(2026, 3, 1)


@cache
def library():
    return load_library(Path(__file__).resolve().parents[2] / "rules")


@dataclass(frozen=True)
class At:
    """A time of day, so many days from the day of judgement."""

    day: int
    time: str = ""
    length: int = 10

    def on(self, as_of):
        return (as_of + timedelta(days=self.day)).isoformat()[: self.length] + self.time


def resolved(item, as_of):
    if isinstance(item, At):
        return item.on(as_of)
    if isinstance(item, dict):
        return {key: resolved(value, as_of) for key, value in item.items()}
    return [resolved(value, as_of) for value in item] if isinstance(item, list) else item


def bundle_of(patient, as_of=AS_OF):
    """The Bundle of a drawn patient; its resources are the caller's to change."""
    return copy.deepcopy(to_bundle(resolved(patient, as_of), library(), as_of))


def judged(bundle, as_of=AS_OF, anchor=None) -> TrialOutcome:
    return judge(read_bundle(bundle), library(), as_of=as_of, anchor=anchor, trials=[TRIAL]).trials[0]


def as_json(bundle, as_of=AS_OF, anchor=None):
    """The result contract's JSON of the one trial."""
    record = read_bundle(bundle)
    return judge(record, library(), as_of=as_of, anchor=anchor, trials=[TRIAL]).to_json()["results"][0]


def verdicts(result):
    """What is concluded, without the evidence and wording it is shown with."""
    criteria = {
        one["id"]: (
            one["verdict"],
            one["can_change"],
            one["leaning"],
            tuple((r["fact"], r["reason"]) for r in one["reasons"]),
        )
        for one in result["criteria"]
    }
    decisive = [(one["fact"], one["reason"], one["leaning"], one["criteria"]) for one in result["decisive"]]
    return (
        result["gate"],
        result["status"],
        tuple(result["blocked"]),
        tuple(result["to_confirm"]),
        criteria,
        decisive,
        result["coverage"],
    )


def with_entries(bundle, *resources):
    """The Bundle with further entries."""
    more = [{"resource": one} for one in resources]
    return {**bundle, "entry": [*bundle["entry"], *more]}


# Parts. ``exact`` leaves out dates that are less than a day precise, which cannot be moved by days.


def optional(**parts):
    """A dictionary with some of the parts."""
    return st.fixed_dictionaries({}, optional=parts)


def days(*choices, exact=False):
    """Some of these days, now and then as a time or, unless ``exact``, as a month or year."""
    day = st.sampled_from(choices)
    forms = [day, day, st.builds(At, day, st.sampled_from(["T23:30:00+08:00", "T00:10:00-05:00", "T12:00:00Z"]))]
    if not exact:
        forms.append(st.builds(At, day, st.just(""), st.sampled_from([7, 4])))
    return st.one_of(forms)


VERIFICATION = ["confirmed", "confirmed", "confirmed", "none", "provisional", "refuted", "entered-in-error"]
CLINICAL = ["active", "active", "active", "none", "resolved", "remission", "recurrence"]
STATUS = ["final", "final", "final", "amended", "corrected", "preliminary", "entered-in-error", "cancelled"]


def problems(exact):
    dated = optional(
        onset=days(-200, -100, -30, -29, -5, 0, 2, exact=exact),
        recorded=days(-100, -29, -4, 0, 3, exact=exact),
        verification=st.sampled_from(VERIFICATION),
        clinical=st.sampled_from(CLINICAL),
    )
    npc = st.one_of(
        st.just({"code": "C11.9"}),
        st.just({"code": "C11.9"}),
        st.just({"code": "C11.900", "system": "http://example.org/fhir/CodeSystem/icd-10-cn-clinical"}),
        st.just({"code": "448371005", "system": "snomed"}),
        st.just({"code": "423106003", "system": "snomed"}),
        st.sampled_from(["鼻咽癌", "鼻咽癌待排", "nasopharyngeal carcinoma", "lump"]).map(lambda text: {"text": text}),
    )
    staged = optional(stage=st.sampled_from(["4A", "4B", "3"]), edition=st.sampled_from(["8", "9"]))
    spread = st.sampled_from(["C79.5", "C78.7", "C78.0", "C77.0", "C77.9", "C79.9"]).map(lambda code: {"code": code})
    spread_text = st.sampled_from(["肝转移", "bone metastases", "no evidence of liver metastasis"]).map(
        lambda text: {"text": text}
    )
    other = st.sampled_from(["C50.9", "I10", "E11.9", "D68.9", "Z92.2"]).map(lambda code: {"code": code})
    history = st.just({"code": "161653008", "system": "snomed"})
    linked = st.one_of(st.just({}), st.just({"primary": "npc"}), st.just({"primary": "elsewhere"}))
    join = lambda *parts: {key: value for part in parts for key, value in part.items()}  # noqa: E731
    return st.builds(
        lambda first, others, metastases, rest: [
            *({**one, **({"id": "npc"} if at == 0 else {})} for at, one in enumerate([*first, *others])),
            *metastases,
            *rest,
        ],
        st.lists(st.builds(join, npc, dated, staged), min_size=0, max_size=1),
        st.lists(st.builds(join, npc, dated), max_size=1),
        st.lists(st.builds(join, spread | spread | spread_text, dated, linked), max_size=2),
        st.lists(st.builds(join, other | history, dated), max_size=2),
    )


def staging(exact):
    what = st.one_of(
        st.sampled_from(["M0", "M1", "cM0", "cM1b", "pM1", "ypM0", "rM1", "M1a", "MX", "T3N2M1"]).map(
            lambda m: {"m": m}
        ),
        st.sampled_from(["4A", "4B", "4C", "4", "3", "2", "IVA", "IVB", "y4A"]).map(lambda g: {"group": g}),
    )
    more = optional(
        edition=st.sampled_from(["6", "7", "8", "9", "9"]),
        date=days(-120, -30, -29, -20, -5, 0, 2, exact=exact) | st.just("none"),
        status=st.sampled_from(STATUS),
        by=st.just("text"),
    )
    return st.lists(st.builds(lambda a, b: {**a, **b}, what, more), max_size=3)


def histology(exact):
    code = st.sampled_from(["8073/3", "8072/3", "8082/3", "8071/3", "8083/3", "8140/3", "8070/3", "8010/3", "8072/6"])
    text = st.sampled_from(["非角化性癌，未分化型", "角化型鳞状细胞癌", "carcinoma"])
    what = code.map(lambda one: {"code": one}) | text.map(lambda one: {"text": one})
    more = optional(date=days(-100, -28, -22, -21, 0, 1, exact=exact), status=st.sampled_from(STATUS))
    return st.lists(st.builds(lambda a, b: {**a, **b}, what, more), max_size=3)


# Each limit of the protocol, one step to either side, and a value or two far away.
LAB_VALUES = {
    "hemoglobin": ["89.9", "90", "90.1", "121", "40"],
    "neutrophils": ["1.49", "1.5", "3.2", "0"],
    "platelets": ["99", "100", "101", "210"],
    "creatinine": ["60", "80", "120", "150", "151.5", "152", "300"],
    "creatinine_clearance": ["40", "59.9", "60", "90"],
    "egfr": ["40", "59", "60", "95"],
    "body_weight": ["40", "62", "95"],
    "bilirubin_total": ["12", "31.5", "31.6", "60"],
    "ast": ["24", "100", "101", "200", "201"],
    "alt": ["28", "100", "101", "200", "201"],
    "inr": ["1.05", "1.8", "1.81", "3"],
    "pt": ["12.1", "21", "21.5", "40"],
    "aptt": ["31", "60", "60.5", "90"],
}
HIGHS = {"creatinine": "101", "bilirubin_total": "21", "ast": "40", "alt": "40", "inr": "1.2", "pt": "14", "aptt": "40"}
UNITS = {"hemoglobin": ["g/dL"], "creatinine": ["mg/dL"], "bilirubin_total": ["mg/dL"], "platelets": ["10*3/uL"]}
SEXED = [
    {"high": {"value": 101}, "appliesTo": [{"text": "male"}]},
    {"high": {"value": 80}, "appliesTo": [{"text": "female"}]},
]


def result(name, exact, when=None):
    """One result of a lab."""
    parts = {
        "date": when if when is not None else days(-29, -15, -14, -14, -13, -3, -1, 0, 1, exact=exact),
        "status": st.sampled_from(STATUS),
        "comparator": st.sampled_from(["<", "<=", ">", ">="]),
        "unit": st.sampled_from(["none", "furlong", *UNITS.get(name, [])]),
    }
    required = {"value": st.sampled_from(LAB_VALUES[name]).map(Decimal)}
    if name in HIGHS:
        required["high"] = st.just(Decimal(HIGHS[name]))
    plain = st.fixed_dictionaries(required, optional={"date": parts["date"]})
    odd = st.fixed_dictionaries(required, optional={**parts, "absent": st.just(True)})
    without = odd.map(lambda item: {key: value for key, value in item.items() if key != "high"})
    sexed = st.fixed_dictionaries({**required, "ranges": st.just(SEXED)}, optional={"date": parts["date"]})
    undated = st.fixed_dictionaries({**required, "date": st.just("none")})
    issued = st.fixed_dictionaries({**required, "issued": st.sampled_from([-15, -14, -2])})
    text = st.fixed_dictionaries({"text": st.sampled_from(["pending", "< 5", "12.1↑", "1,2"])})
    return st.one_of(plain, plain, plain, plain, odd, without, sexed, undated, issued, text)


def grades(exact, most=2):
    dated = optional(
        date=days(-29, -28, -27, -5, 0, 1, exact=exact), status=st.sampled_from(STATUS), absent=st.just(True)
    )
    ecog = st.builds(lambda value, more: {"value": value, **more}, st.integers(0, 4), dated)
    word = st.builds(lambda text, more: {"text": text, **more}, st.sampled_from(["1", "0-1", "2级", "good"]), dated)
    karnofsky = st.builds(lambda value, more: {"value": value, **more}, st.sampled_from([50, 70, 90]), dated)
    return {
        "ecog": st.lists(ecog | ecog | word, min_size=1, max_size=most),
        "karnofsky": st.lists(karnofsky, min_size=1, max_size=1),
    }


DRUGS = (
    *("cisplatin", "gemcitabine", "toripalimab", "tislelizumab", "durvalumab", "cetuximab"),
    *("methotrexate", "warfarin", "aspirin", "dexamethasone"),
)
DOSES = (-200, -120, -60, -31, -30, -20, -10, 0, 2)


def treatments(exact, when=None):
    when = when if when is not None else days(*DOSES, exact=exact)
    timing = st.one_of(
        st.builds(lambda day: {"date": day}, when),
        st.builds(lambda day: {"date": day}, when),
        st.just({}),
        st.builds(lambda day: {"start": day}, when),
        st.builds(lambda day, end: {"start": min(day, end), "end": max(day, end)}, *[st.sampled_from(DOSES)] * 2),
    )
    reason = optional(reason=st.sampled_from(["C11.9", "C50.9", "I10", "C80.9"]))
    drug_status = st.sampled_from(
        ["completed", "completed", "active", "on-hold", "stopped", "intended", "draft", "not-done", "unknown"]
    )
    coded = st.sampled_from(DRUGS).map(lambda drug: {"drug": drug})
    vague = st.sampled_from(["L01", "L01F", "L01FF99", "L01X", "L01FX99"]).map(lambda code: {"code": code})
    named = st.sampled_from(["顺铂", "cisplatin 75 mg/m2", "toripalimab", "特瑞普利单抗", "vitamin C"]).map(
        lambda name: {"name": name}
    )
    kind = st.sampled_from(["administration", "administration", "statement", "request"])
    drug = st.builds(
        lambda what, kind, status, timing, reason: {**what, "as": kind, **status, **timing, **reason},
        coded | coded | vague | named,
        kind,
        optional(status=drug_status),
        timing,
        reason,
    )
    procedure = st.builds(
        lambda what, status, timing, reason, site: {"procedure": what, **status, **timing, **reason, **site},
        st.sampled_from(["radiotherapy", "nasopharyngectomy", "biopsy", "367336001"]),
        optional(status=st.sampled_from(["completed", "in-progress", "not-done", "preparation", "unknown"])),
        timing,
        reason,
        optional(site=st.sampled_from(["nasopharynx", "neck", "bone"])),
    )
    return st.lists(st.one_of(drug, drug, procedure), max_size=3)


def cycles():
    drugs = st.sampled_from(
        [["cisplatin"], ["cisplatin", "toripalimab"], ["toripalimab"], ["gemcitabine", "durvalumab"]]
    )
    gaps = st.lists(st.sampled_from([7, 14, 18, 21, 21, 21, 28]), max_size=7)

    def starts(gaps, last):
        found = [last]
        for gap in gaps:
            found.append(found[-1] - gap)
        return sorted(found)

    return st.builds(
        lambda drugs, gaps, last: {"drugs": drugs, "starts": starts(gaps, last)},
        drugs,
        gaps,
        st.sampled_from([-25, -8, -1]),
    )


def responses(exact):
    return st.lists(
        st.fixed_dictionaries(
            {"value": st.sampled_from(["CR", "PR", "SD", "PD", "improved", "部分缓解", "?"])},
            optional={"date": days(-40, -10, -2, 0, 1, exact=exact), "status": st.sampled_from(STATUS)},
        ),
        max_size=2,
    )


def lesions(exact):
    return st.lists(
        st.fixed_dictionaries(
            {"mm": st.sampled_from([5, 10, 14, 15, 32])}, optional={"date": days(-60, -29, -5, 0, 1, exact=exact)}
        ),
        max_size=2,
    )


def people(exact):
    age = st.sampled_from([17, 18, 40, 52, 69, 70, 71]).map(lambda years: {"age": years})
    birth = st.sampled_from(["1955", "1956-02-29", "1955-03", "2008-03-01"]).map(lambda day: {"birth": day})
    sex = st.sampled_from([{"sex": "male"}, {"sex": "female"}, {"sex": "other"}, {}])
    death = st.sampled_from([{}] * 8 + [{"deceased": True}, {"deceased": -2}, {"deceased": 3}])
    ages = age if exact else st.one_of(age, age, birth, st.just({}))
    return st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()}, ages, sex, death)


GOOD = {
    "age": 52,
    "sex": "male",
    "problems": [{"id": "npc", "code": "C11.9", "onset": -24}, {"code": "C79.5", "onset": -20, "primary": "npc"}],
    "staging": [{"m": "cM1b", "edition": 9, "date": -19}],
    "histology": [{"code": "8073/3", "date": -22}],
    "lesions": [{"mm": 32, "date": -20}],
    "ecog": {"value": 1},
    "hemoglobin": {"value": 121},
    "neutrophils": {"value": Decimal("3.2")},
    "platelets": {"value": 210},
    "creatinine": {"value": 80, "high": 111},
    "body_weight": {"value": 62},
    "bilirubin_total": {"value": 12, "high": 21},
    "ast": {"value": 24, "high": 40},
    "alt": {"value": 28, "high": 40},
    "inr": {"value": Decimal("1.05"), "high": Decimal("1.2")},
    "pt": {"value": Decimal("12.1"), "high": 14},
    "aptt": {"value": 31, "high": 40},
}


INDUCED = {
    **GOOD,
    "problems": [{"id": "npc", "code": "C11.9", "onset": -150}, {"code": "C79.5", "onset": -146, "primary": "npc"}],
    "staging": [{"m": "cM1b", "edition": 9, "date": -145}],
    "histology": [{"code": "8073/3", "date": -148}],
    "lesions": [{"mm": 32, "date": -146}],
    "cycles": {"drugs": ["gemcitabine", "toripalimab"], "starts": [-110, -89, -68, -47, -26]},
    "responses": [{"value": "PR", "date": -5}],
}


@cache
def parts(exact):
    """What a patient is drawn from, by the key in shorthand."""
    return {
        "problems": problems(exact),
        "staging": staging(exact),
        "histology": histology(exact),
        "lesions": lesions(exact),
        "treatments": treatments(exact),
        "cycles": cycles(),
        "responses": responses(exact),
        **{name: st.lists(result(name, exact), min_size=1, max_size=2) for name in sorted(LAB_VALUES)},
        **grades(exact),
    }


@cache
def person(exact):
    return people(exact)


@st.composite
def patients(draw, *, exact=False, empty=True):
    """Any patient: from nothing, or from one who passes everything, so that single faults decide."""
    base = draw(st.sampled_from([GOOD, GOOD, INDUCED, INDUCED, *([{}] if empty else [])]))
    drawn = draw(person(exact)) if not base or draw(st.integers(0, 3)) == 3 else {}
    keys = draw(st.lists(st.sampled_from(sorted(parts(exact))), max_size=8 if not base else 5, unique=True))
    return {**base, **drawn, **{key: draw(parts(exact)[key]) for key in keys}}


anchors = st.one_of(st.none(), st.none(), st.integers(0, 16).map(lambda days: AS_OF + timedelta(days=days)))
