"""Charts: a whole Bundle in, the result contract out. The cases are YAML files beside this one (see README.md)."""

from __future__ import annotations

import copy
import json
import re
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cds_service.evaluation.judge import judge
from cds_service.gather.bundle import read_bundle
from cds_service.gather.snapshot import pack, unpack
from cds_service.trials.library import Library, load_library

HERE = Path(__file__).parent
TRIAL = "NCT07235319"
TOTAL = {"screening": 17, "randomisation": 18}
REASONS = {
    "not-fetched",
    "no-record",
    "stale",
    "not-final",
    "no-value",
    "unit-unusable",
    "no-reference-range",
    "comparator",
    "imprecise-date",
    "conflict",
    "edition-unknown",
    "not-specific",
    "unmapped-code",
    "clinician",
}
ASKS = {"lab", "measurement", "pathology", "imaging", "question", "access"}
STATUSES = {"candidate", "needs-data", "not-now", "excluded"}
CASE_KEYS = {
    *("it", "as_of", "anchor", "base", "remove", "add", "replace", "envelope", "bundle", "expect", "contract"),
}
EXPECT_KEYS = {
    *("patient", "status", "gate", "blocked", "to_confirm", "first_to_confirm", "decisive", "decisive_has"),
    *("decisive_ask", "alternatives", "last", "new_until", "coverage", "criteria"),
}
CRITERION_KEYS = {
    *("verdict", "reason", "reason_in", "missing", "leaning", "can_change", "noted", "notes"),
    *("evidence", "not_evidence"),
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # the first is libyaml's, four times as quick
    """YAML with the scalars of JSON: dates stay text, decimals stay exact, only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in pairs
        if tag != "tag:yaml.org,2002:timestamp" and (tag != "tag:yaml.org,2002:bool" or first in "tTfF")
    ]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(loader.construct_scalar(node)))


@cache
def _base(name: str) -> str:
    return (HERE / "bases" / f"{name}.json").read_text(encoding="utf-8")


def _names(entry: dict[str, Any]) -> set[str]:
    resource = entry.get("resource") or {}
    kind, own = resource.get("resourceType"), resource.get("id")
    return {name for name in (entry.get("fullUrl"), own, f"{kind}/{own}" if own else None) if name}


def build(case: dict[str, Any]) -> dict[str, Any]:
    """Return the Bundle of a case: its own, or a base with entries removed, fields replaced and entries added."""
    if "bundle" in case:
        return copy.deepcopy(case["bundle"])
    bundle: dict[str, Any] = json.loads(_base(case["base"]), parse_float=Decimal)
    for name in case.get("remove", []):
        kept = [entry for entry in bundle["entry"] if name not in _names(entry)]
        assert len(kept) < len(bundle["entry"]), f"the base has no {name}"
        bundle["entry"] = kept
    for name, fields in case.get("replace", {}).items():
        found = [entry for entry in bundle["entry"] if name in _names(entry)]
        assert len(found) == 1, f"the base has no single {name}"
        resource = found[0]["resource"]
        for field, value in fields.items():
            if value is None:
                resource.pop(field, None)
            else:
                resource[field] = copy.deepcopy(value)
    for added in case.get("add", []):
        entry = {"resource": added} if isinstance(added, dict) and "resourceType" in added else added
        bundle["entry"].append(copy.deepcopy(entry))
    bundle.update(copy.deepcopy(case.get("envelope", {})))
    return bundle


def _cases() -> list[Any]:
    found = []
    for path in sorted(HERE.rglob("*.yaml")):
        for case in yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader) or []:
            found.append(pytest.param(case, id=f"{path.parent.name}/{path.stem}: {case['it']}"))
    return found


@pytest.fixture(scope="session")
def library() -> Library:
    return load_library(HERE.parents[1] / "rules")


def _judge(bundle: dict[str, Any], case: dict[str, Any], library: Library, *, kept: bool = False) -> dict[str, Any]:
    anchor = case.get("anchor")
    record = read_bundle(bundle)
    outcome = judge(
        unpack(pack(record).body) if kept else record,
        library,
        as_of=date.fromisoformat(case["as_of"]),
        anchor=date.fromisoformat(anchor) if anchor else None,
        trials=[TRIAL],
    )
    return outcome.to_json()


# What holds for every chart.


def _check_shape(whole: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(whole["patient"], str)
    assert whole["as_of"] == case["as_of"]
    assert len(whole["results"]) == 1
    result = whole["results"][0]
    assert result["trial"] == TRIAL
    assert result["rules_digest"].startswith("sha256:")
    assert result["gate"] in TOTAL
    assert result["status"] in STATUSES
    assert all(isinstance(item, str) for item in result["blocked"])
    assert len(result["criteria"]) == TOTAL[result["gate"]]
    assert len({c["id"] for c in result["criteria"]}) == len(result["criteria"])
    for criterion in result["criteria"]:
        assert criterion["kind"] in {"inclusion", "exclusion"}
        assert criterion["verdict"] in {"pass", "fail", "unknown"}
        assert type(criterion["can_change"]) is bool
        assert criterion["leaning"] in {"pass", "fail", None}
        assert isinstance(criterion["message"], str)
        assert criterion["message"]
        assert isinstance(criterion["notes"], list)
        for reason in criterion["reasons"]:
            assert isinstance(reason["fact"], str)
            assert reason["reason"] in REASONS
        facts = [reason["fact"] for reason in criterion["reasons"]]
        assert len(facts) == len(set(facts)), f"{criterion['id']}: one primary reason per missing fact"
        for evidence in criterion["evidence"]:
            assert isinstance(evidence["resource"], str)
            assert "value" in evidence or criterion["verdict"] == "unknown"
            assert all(isinstance(evidence.get(key, ""), str) for key in ("unit", "date"))
        if criterion["verdict"] == "unknown":
            assert criterion["reasons"], f"{criterion['id']} is unknown without a reason"
            assert criterion["can_change"], f"{criterion['id']} is unknown for good"
        else:
            assert criterion["leaning"] is None, f"{criterion['id']} is decided and leans"
    for item in result["decisive"]:
        assert isinstance(item["fact"], str)
        assert item["reason"] in REASONS
        assert item["leaning"] in {"pass", "fail", None}
        assert item["criteria"] or item["fact"] == "deceased"
        assert item["ask"]["kind"] in ASKS
        assert (item["ask"]["kind"] == "access") == (item["reason"] == "not-fetched")
        assert item["last"] or item["reason"] != "stale"
        assert item["new_until"] is None or date.fromisoformat(item["new_until"]) >= date.fromisoformat(case["as_of"])
        others = [other for other in result["decisive"] if other["fact"] in item["alternatives"]]
        assert len(others) == len(item["alternatives"])
        assert all(set(item["criteria"]) <= set(other["criteria"]) and other is not item for other in others)
    json.dumps(whole, default=str)
    return result


def _check_sums(result: dict[str, Any]) -> None:
    by_id = {c["id"]: c for c in result["criteria"]}
    decided = sum(c["verdict"] != "unknown" for c in by_id.values())
    assert result["coverage"] == {"decided": decided, "total": TOTAL[result["gate"]]}
    only_clinician = {
        name
        for name, c in by_id.items()
        if c["verdict"] == "unknown" and {r["reason"] for r in c["reasons"]} == {"clinician"} and name != "npc-primary"
    }
    assert set(result["to_confirm"]) == only_clinician
    leanings = [by_id[name]["leaning"] == "fail" for name in result["to_confirm"]]
    assert leanings == sorted(leanings, reverse=True), "those leaning fail come first"
    rest = [c for name, c in by_id.items() if name not in only_clinician]
    if result["blocked"] or any(c["verdict"] == "fail" and not c["can_change"] for c in rest):
        expected = "excluded"
    elif any(c["verdict"] == "fail" for c in rest):
        expected = "not-now"
    elif any(c["verdict"] == "unknown" for c in rest) or "deceased" in {item["fact"] for item in result["decisive"]}:
        expected = "needs-data"
    else:
        expected = "candidate"
    assert result["status"] == expected
    if result["status"] == "needs-data":
        assert result["decisive"], "needs-data without a decisive fact"
    else:
        assert result["decisive"] == []
    for item in result["decisive"]:
        assert not set(item["criteria"]) & only_clinician


def _check_evidence(result: dict[str, Any], bundle: dict[str, Any]) -> None:
    there: set[str] = set()
    nameless = False
    for entry in bundle.get("entry", []):
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            there |= _names(entry)
            nameless = nameless or not _names(entry)
    for criterion in result["criteria"]:
        for evidence in criterion["evidence"]:
            named = evidence["resource"].split("#")[0] in there
            assert named or (nameless and "without id" in evidence["resource"]), f"{criterion['id']}: {evidence}"


def _verdicts(whole: dict[str, Any], *but: str) -> list[Any]:
    keys = ("verdict", "can_change", "leaning", "reasons")
    return [[c["id"], *(c[key] for key in keys)] for c in whole["results"][0]["criteria"] if c["id"] not in but]


def _beside_a_stranger(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return the Bundle with a copy of each record under another patient's name."""
    copies = []
    for entry in bundle.get("entry", []):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and "subject" in resource:
            other = {**copy.deepcopy(resource), "subject": {"reference": "Patient/stranger"}}
            copies.append({"resource": {**other, "id": f"{resource.get('id', 'no-id')}-of-a-stranger"}})
    return {**bundle, "entry": [*bundle.get("entry", []), *copies]}


_DAY = re.compile(r'"((?:19|20)\d\d-\d\d-\d\d)(?=[T"])')
_PARTIAL = re.compile(r'"(?:19|20)\d\d(?:-\d\d)?"')


def _a_week_later(case: dict[str, Any], bundle: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the case and its Bundle seven days later; None where a partial date cannot be moved."""
    text = json.dumps(bundle, default=_as_number)
    if _PARTIAL.search(text):
        return None
    moved = json.loads(_DAY.sub(lambda m: f'"{_later(m[1])}', text), parse_float=Decimal)
    days = {key: _later(case[key]) for key in ("as_of", "anchor") if key in case}
    return {**case, **days}, moved


def _as_number(value: object) -> float:
    assert isinstance(value, Decimal)
    return float(value)


def _later(day: str) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=7)).isoformat()
    except ValueError:
        return day


# What a case says.


def _check_criterion(name: str, found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    wrong = []
    reasons = {r["fact"]: r["reason"] for r in found["reasons"]}
    for key in ("verdict", "can_change", "leaning"):
        if key in expected and found[key] != expected[key]:
            wrong.append(f"{name}: {key} is {found[key]!r}, expected {expected[key]!r}")
    if "reason" in expected and set(reasons.values()) != {expected["reason"]}:
        wrong.append(f"{name}: reasons are {reasons}, expected {expected['reason']}")
    if "reason_in" in expected and not (reasons and set(reasons.values()) <= set(expected["reason_in"])):
        wrong.append(f"{name}: reasons are {reasons}, expected only of {expected['reason_in']}")
    for fact, reason in expected.get("missing", {}).items():
        if reasons.get(fact) != reason:
            wrong.append(f"{name}: reasons are {reasons}, expected {fact}: {reason}")
    if expected.get("noted") and not found["notes"]:
        wrong.append(f"{name}: nothing is annotated")
    if "notes" in expected and set(found["notes"]) != set(expected["notes"]):
        wrong.append(f"{name}: notes are {found['notes']}, expected {expected['notes']}")
    seen = {e["resource"] for e in found["evidence"]}
    if not set(expected.get("evidence", [])) <= seen:
        wrong.append(f"{name}: evidence is {sorted(seen)}, expected {expected['evidence']}")
    if set(expected.get("not_evidence", [])) & seen:
        wrong.append(f"{name}: evidence is {sorted(seen)}, not expected {expected['not_evidence']}")
    if wrong:
        wrong.append(f"   it says: {found['message']}")
    return wrong


def _disagreements(whole: dict[str, Any], expect: dict[str, Any]) -> list[str]:
    result = whole["results"][0]
    wrong = []
    decisive = {item["fact"]: item for item in result["decisive"]}
    views: dict[str, Any] = {
        "patient": whole["patient"],
        "status": result["status"],
        "gate": result["gate"],
        "blocked": result["blocked"],
        "coverage": result["coverage"],
        "to_confirm": set(result["to_confirm"]),
        "first_to_confirm": result["to_confirm"][:1],
        "decisive": set(decisive),
    }
    for key, found in views.items():
        if key not in expect:
            continue
        wanted = expect[key]
        if key in {"to_confirm", "decisive"}:
            wanted = set(wanted)
        if key == "first_to_confirm":
            wanted = [wanted]
        if found != wanted:
            wrong.append(f"{key} is {found}, expected {wanted}")
    if not set(expect.get("decisive_has", [])) <= set(decisive):
        wrong.append(f"decisive is {set(decisive)}, expected among them {expect['decisive_has']}")
    for fact, kind in expect.get("decisive_ask", {}).items():
        if fact not in decisive or decisive[fact]["ask"]["kind"] != kind:
            wrong.append(f"decisive is {decisive}, expected {fact} to ask for {kind}")
    for fact, others in expect.get("alternatives", {}).items():
        if fact not in decisive or set(decisive[fact]["alternatives"]) != set(others):
            wrong.append(f"decisive is {decisive}, expected {others} instead of {fact}")
    for fact, last in expect.get("last", {}).items():
        found = decisive.get(fact, {}).get("last") or {}
        if {key: found.get(key) for key in last} != last:
            wrong.append(f"the last {fact} is {found}, expected {last}")
    for fact, until in expect.get("new_until", {}).items():
        if fact not in decisive or decisive[fact]["new_until"] != until:
            wrong.append(f"decisive is {decisive}, expected a new {fact} to count until {until}")
    by_id = {c["id"]: c for c in result["criteria"]}
    for name, expected in expect.get("criteria", {}).items():
        if name not in by_id:
            wrong.append(f"{name}: not among the criteria of {result['gate']}")
        else:
            wrong += _check_criterion(name, by_id[name], expected)
    return wrong


def _check_form(case: dict[str, Any]) -> None:
    assert set(case) <= CASE_KEYS, set(case) - CASE_KEYS
    assert case["contract"]
    assert case["expect"]
    assert set(case["expect"]) <= EXPECT_KEYS, set(case["expect"]) - EXPECT_KEYS
    for expected in case["expect"].get("criteria", {}).values():
        assert set(expected) <= CRITERION_KEYS, set(expected) - CRITERION_KEYS


def check(case: dict[str, Any], library: Library) -> tuple[dict[str, Any], dict[str, Any]]:
    """Judge a case once; return its Bundle and the contract JSON, which is as the case and the contract say."""
    bundle = build(case)
    as_given = copy.deepcopy(bundle)
    whole = _judge(bundle, case, library)
    assert bundle == as_given, "the Bundle was changed"

    wrong = _disagreements(whole, case["expect"])
    assert not wrong, "\n".join([*wrong, f"contract: {case['contract']}"])

    result = _check_shape(whole, case)
    _check_sums(result)
    _check_evidence(result, bundle)
    return bundle, whole


@pytest.mark.parametrize("case", _cases())
def test_chart(case: dict[str, Any], library: Library) -> None:
    _check_form(case)
    bundle, whole = check(case, library)
    turned = {**bundle, "entry": list(reversed(bundle.get("entry", [])))}
    assert _judge(turned, case, library, kept=True) == whole, "the order of entries matters, or what is kept is less"
    assert _verdicts(_judge(_beside_a_stranger(bundle), case, library)) == _verdicts(whole), (
        "a stranger's records count"
    )
    later = _a_week_later(case, bundle)
    if later is not None:
        moved = _judge(later[1], later[0], library)
        assert _verdicts(moved, "age") == _verdicts(whole, "age"), "a week later it is another verdict"
