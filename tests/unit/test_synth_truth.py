"""The hand-written truth at the limits of the contract, and the service's answer to the same patients."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from cds_service.bootstrap import load_rules
from cds_service.gather.json_text import read_json
from cds_service.screening.patient import screen_bundle
from cds_service.synth.person import AS_OF, TRIAL, Lab, Person, Treatment
from cds_service.synth.record import make_up
from cds_service.synth.truth import age_on, ckd_epi_2021, cockcroft_gault, cycles, group_means, judge
from cds_service.synth.written_drugs import medications

ONSET = AS_OF - timedelta(days=60)


def lab(value: str, unit: str, high: str = "", days: int = 3) -> Lab:
    return Lab(Decimal(value), unit, days, Decimal(0), Decimal(high) if high else None)


LABS = {
    "hemoglobin": lab("90", "g/L"),
    "neutrophils": lab("1500", "/uL"),
    "platelets": lab("100", "10*9/L"),
    "creatinine": lab("1.8", "mg/dL", "1.2"),
    "weight": lab("70", "kg"),
    "bilirubin": lab("31.5", "umol/L", "21"),
    "ast": lab("100", "U/L", "40"),
    "alt": lab("100", "U/L", "40"),
    "inr": lab("1.80", "1", "1.2"),
    "pt": lab("18.0", "s", "12.0"),
    "aptt": lab("55.5", "s", "37"),
}
CANDIDATE = Person(
    id="s0000001",
    story="metastatic-untreated",
    sex="male",
    birth=date(1975, 6, 1),
    dead=False,
    primary="npc",
    onset=ONSET,
    histology="nonkeratinizing",
    staged=ONSET,
    m="M1b",
    group="IVB",
    edition="9",
    sites=("bone",),
    spread=ONSET,
    liver="absent",
    ecog=1,
    lesions=((15, ONSET),),
    labs=LABS,
)


def told(name: str, **changes: object) -> str:
    """Return verdict, ``~`` where it can change, and ``?`` where only a clinician can say."""
    one = judge(replace(CANDIDATE, **changes)).criteria[name]  # type: ignore[arg-type]
    return one.verdict + "~" * one.can_change + "?" * one.clinician


def with_lab(name: str, value: str, **changes: object) -> dict[str, object]:
    return {"labs": {**LABS, name: replace(LABS[name], value=Decimal(value))}, **changes}


def doses(*days: int, kind: str = "chemotherapy", **changes: object) -> tuple[Treatment, ...]:
    start = ONSET + timedelta(days=10)
    what = "cisplatin" if kind == "chemotherapy" else "toripalimab"
    return tuple(Treatment(kind, what, start + timedelta(days=day), **changes) for day in days)  # type: ignore[arg-type]


def test_a_patient_with_every_value_on_its_limit_is_a_candidate():
    truth = judge(CANDIDATE)
    assert (truth.gate, truth.status, len(truth.criteria)) == ("screening", "candidate", 17)
    asked = {name for name, one in truth.criteria.items() if one.clinician}
    assert asked == {"no-prior-treatment", "life-expectancy"}


# Every row is a sentence of the contract: section 6, criteria and staging tables.
@pytest.mark.parametrize(
    ("criterion", "changes", "answer"),
    [
        ("age", {"birth": date(1955, 3, 2)}, "pass~"),
        ("age", {"birth": date(1955, 3, 1)}, "fail"),
        ("age", {"birth": date(2008, 2, 29)}, "pass~"),
        ("age", {"birth": date(2008, 3, 2)}, "fail~"),
        ("hemoglobin", with_lab("hemoglobin", "89"), "fail~"),
        ("neutrophils", with_lab("neutrophils", "1499"), "fail~"),
        ("platelets", with_lab("platelets", "99"), "fail~"),
        ("bilirubin", with_lab("bilirubin", "31.6"), "fail~"),
        ("transaminases", with_lab("ast", "101"), "fail~"),
        ("transaminases", with_lab("ast", "101", liver=None), "unknown~"),
        ("transaminases", with_lab("ast", "200", liver="present"), "pass~"),
        ("transaminases", with_lab("ast", "201", liver="present"), "fail~"),
        ("inr-pt", with_lab("inr", "1.81"), "unknown~"),
        ("aptt", with_lab("aptt", "55.6"), "fail~"),
        ("aptt", with_lab("aptt", "55.6", anticoagulated=True), "unknown~?"),
        ("renal", {}, "pass~"),
        ("renal", with_lab("creatinine", "1.81"), "fail~"),  # 70 kg, 50 years: 48 mL/min and 45
        ("ecog", {"ecog": 2}, "fail~"),
        ("ecog", {"ecog": None, "karnofsky": 90}, "unknown~?"),
        ("histology", {"histology": "keratinizing"}, "fail"),
        ("histology", {"histology": "unspecified"}, "unknown~"),
        ("npc-primary", {"primary": "npc-remission"}, "unknown~?"),
        ("npc-primary", {"primary": "none"}, "fail~"),
        ("measurable-lesion", {"lesions": ((14, ONSET),)}, "unknown~?"),
        ("metastasis", {"m": "M0", "group": "III", "sites": (), "spread": None}, "fail~"),
        ("metastasis", {"m": "M0", "group": "III", "sites": (), "spread": None, "treatments": doses(0)}, "fail"),
        ("metastasis", {"m": "M0", "group": "III"}, "unknown~"),
        ("metastasis", {"m": None}, "pass"),
        ("metastasis", {"m": None, "sites": (), "spread": None}, "unknown~?"),
        ("metastasis", {"m": None, "spread": ONSET + timedelta(days=91)}, "unknown~"),
        ("stage", {"m": "M1", "group": "III"}, "unknown~"),
        ("stage", {"m": None, "group": "IVA", "edition": "8", "sites": (), "spread": None}, "fail~"),
        ("stage", {"m": None, "group": "IVB", "edition": "7", "sites": (), "spread": None}, "fail~"),
        ("stage", {"m": None, "group": "IVA", "edition": "9", "sites": (), "spread": None}, "pass"),
        ("stage", {"m": None, "group": None}, "unknown~?"),
        ("no-prior-treatment", {"treatments": (Treatment("other", "cetuximab", ONSET),)}, "fail"),
        ("no-prior-treatment", {"treatments": (Treatment("other", "cetuximab", ONSET, "perhaps"),)}, "unknown~?"),
    ],
)
def test_a_criterion_is_answered_as_the_contract_says(criterion, changes, answer):
    assert told(criterion, **changes) == answer


@pytest.mark.parametrize(
    ("starts", "response", "answer"),
    [
        ((0, 21, 42), "PR", "fail~"),
        ((0, 7, 21, 28, 42, 49), "PR", "fail~"),
        ((0, 8, 18, 36, 54), "PR", "pass~"),
        ((0, 21, 42, 60), "SD", "fail~"),
        ((0, 21, 42, 60), "trend", "unknown~"),
        ((0, 18, 36, 54, 72, 90, 108), "PR", "fail"),
    ],
)
def test_a_response_needs_four_to_six_cycles(starts, response, answer):
    onset = AS_OF - timedelta(days=140)
    given = tuple(Treatment("chemotherapy", "cisplatin", onset + timedelta(days=10 + day)) for day in starts)
    pd1 = Treatment("pd1", "toripalimab", onset + timedelta(days=10))
    changes = {"onset": onset, "spread": onset, "treatments": (*given, pd1), "responses": ((AS_OF, response),)}
    assert told("response", **changes) == answer
    one = judge(replace(CANDIDATE, **changes))
    assert one.gate == "randomisation"
    assert list(one.criteria)[9] == "response"


def test_the_gate_follows_what_was_given():
    def gate(*given: Treatment) -> str:
        return judge(replace(CANDIDATE, treatments=given)).gate

    other = Treatment("other", "cetuximab", ONSET)
    assert gate() == "screening"
    assert gate(*doses(0)) == "randomisation"
    assert gate(*doses(0, kind="pd1")) == "randomisation"
    assert gate(*doses(0), other) == "screening"
    assert gate(*doses(0), *doses(0, kind="pd1"), other) == "randomisation"
    assert gate(*doses(0, given="perhaps")) == gate(*doses(0, for_other=True)) == "screening"
    assert gate(*doses(-12)) == "screening"  # two days before onset


def test_cycles_begin_at_least_18_days_apart():
    days = [AS_OF + timedelta(days=day) for day in (0, 7, 17, 18, 25, 36)]
    assert cycles(days) == [days[0], days[3], days[5]]


def test_the_estimates_are_those_of_the_published_examples():
    # Clinical notes, section 3.9: age, sex, kg, creatinine -> Cockcroft-Gault, CKD-EPI 2021.
    for age, sex, weight, creatinine, clearance, filtration in (
        (55, "male", "70", "1.2", 68.9, 71.4),
        (55, "female", "55", "1.2", 46.0, 53.5),
        (40, "male", "62", "0.8", 107.6, 114.7),
        (70, "female", "48", "0.9", 44.1, 68.8),
        (62, "male", "80", "1.5", 57.8, 52.3),
    ):
        person = replace(CANDIDATE, sex=sex, birth=date(AS_OF.year - age, 1, 1))  # type: ignore[arg-type]
        blood, kilos = lab(creatinine, "mg/dL", "1.2"), lab(weight, "kg")
        assert round(cockcroft_gault(person, blood, kilos), 1) == clearance
        assert round(ckd_epi_2021(person, blood), 1) == filtration


def test_a_birthday_on_29_february_is_on_1_march():
    assert age_on(date(2008, 2, 29), date(2026, 2, 28)) == 17
    assert age_on(date(2008, 2, 29), date(2026, 3, 1)) == 18


def test_a_group_means_an_m_category_in_its_own_edition():
    assert [group_means(edition, "IVA") for edition in ("9", "8", "7")] == ["M1", "M0", "M0"]
    assert [group_means(edition, "IVB") for edition in ("9", "8", "7")] == ["M1", "M1", "M0"]
    assert group_means("8", "IV") is None
    assert group_means("7", "III") == "M0"


@pytest.fixture(scope="module")
def rules():
    return load_rules()


@pytest.mark.parametrize("missing", [0, 0.15])
def test_the_service_answers_as_the_truth_does(rules, missing):
    drugs = [text for _kind, text in medications()]
    decided = 0
    for number in range(1, 151):
        one = make_up(20, number, missing)
        entries = ",".join(f'{{"resource":{text}}}' for text in [*(text for _kind, text in one.lines), *drugs])
        text = f'{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}'
        body = read_json(text.encode(), max_bytes=2**24, what="Bundle")
        result = screen_bundle(rules, body, as_of=AS_OF, trials=(TRIAL,)).to_json()["results"][0]
        found = {line["id"]: (line["verdict"], line["can_change"]) for line in result["criteria"]}
        for name, truth in one.truth.criteria.items():
            if one.keeps(name):
                assert found[name] == (truth.verdict, truth.can_change), (number, name)
                decided += truth.verdict != "unknown"
            elif truth.verdict != "unknown" and name in found:
                assert found[name][0] in (truth.verdict, "unknown"), (number, name)
        if not one.spoilt:
            assert (result["gate"], result["status"]) == (one.truth.gate, one.truth.status), number
    assert decided > 1000
