"""A record that was kept is judged as it was; its fingerprint tells any change of what is read. And people's names."""

from __future__ import annotations

import copy
import random
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attested_patients import DAY, library, record_of

from cds_service.evaluation.judge import judge
from cds_service.facts.phrase import Phrase, in_language
from cds_service.facts.record import Read, Record, Source
from cds_service.facts.unread import is_read
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.gather.person_names import LONGEST, names_of
from cds_service.gather.snapshot import pack, unpack
from cds_service.languages import translator
from cds_service.present.json_text import to_json

ROOT = Path(__file__).resolve().parents[2]
STORIES = sorted(ROOT.glob("fhir_examples/patients/*/bundle.json"))


def story(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(path.read_bytes(), max_bytes=10**7)
    return found


def text_of(record: Record) -> str:
    """Return all that is said of a record, to the letter."""
    return to_json(judge(record, library(), as_of=DAY).to_json())


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.parent.name)
def test_a_story_that_was_kept_is_judged_as_it_was(path: Path) -> None:
    record = read_bundle(story(path))
    packed = pack(record)
    assert text_of(unpack(packed.body)) == text_of(record)
    assert pack(unpack(packed.body)) == packed
    assert len(packed.body) < len(path.read_bytes()) / 4


# Each chart of the contract is kept and judged again, too: ``tests/charts``.


def test_what_was_not_read_can_still_be_said_in_chinese() -> None:
    more = {**story(STORIES[0]), "link": [{"relation": "next", "url": "https://fhir.invalid/2"}]}
    record = read_bundle(more)
    again = unpack(pack(record).body)
    why = again.read("Observation").why
    assert isinstance(why, Phrase)
    chinese = translator("zh")
    assert in_language(why, chinese) == in_language(record.read("Observation").why, chinese) != why
    assert again.reads == record.reads


def test_words_with_places_and_words_in_a_row_come_back() -> None:
    inner = Phrase("{type}: {why}", {"type": "Condition", "why": Phrase("time-out")})
    row = Phrase("", parts=(inner, "words of a server {x}"), separator="; ")
    record = record_of()
    kept = Record(record.patient, {}, {"Condition": Read.failed(row)}, {}, {inner: 3})
    again = unpack(pack(kept).body)
    why = again.read("Condition").why
    assert isinstance(why, Phrase)
    assert (str(why), why.parts, why.separator) == (str(row), row.parts, "; ")
    assert list(again.set_aside.items()) == [("Condition: time-out", 3)]


@pytest.mark.parametrize("written", ["1.50", "12", "1E+2", "0E-8", "-0", "121.0", "0.1000000000000000000000000001"])
def test_numbers_keep_their_digits(written: str) -> None:
    body = {"resourceType": "Observation", "valueQuantity": {"value": Decimal(written), "whole": 7}}
    record = Record(Source("Patient/1", {}), {"Observation": (Source("Observation/1", body),)}, {})
    value = unpack(pack(record).body).resources["Observation"][0].body["valueQuantity"]
    assert value["value"].as_tuple() == Decimal(written).as_tuple()
    assert type(value["whole"]) is int


def test_what_no_reader_reads_is_not_kept() -> None:
    bundle = story(STORIES[0])
    patient = bundle["entry"][0]["resource"]
    assert patient["resourceType"] == "Patient"
    patient |= {"photo": [{"data": "AAAA"}], "address": [{"text": "1 Long Road"}], "telecom": [{"value": "555"}]}
    for entry in bundle["entry"]:
        entry["resource"] |= {"text": {"div": "<div>a narrative</div>"}, "meta": {"lastUpdated": "2026-03-01"}}
        entry["resource"]["note"] = [{"text": "a note"}]
    kept = zlib.decompress(pack(read_bundle(bundle)).body).decode()
    for gone in ("narrative", "AAAA", "Long Road", "555", "a note", "lastUpdated", '"name"', '"subject"'):
        assert gone not in kept
    plain = pack(read_bundle(story(STORIES[0])))
    assert pack(read_bundle(bundle)).fingerprint == plain.fingerprint


def test_a_fingerprint_does_not_depend_on_the_order_of_anything() -> None:
    for path in STORIES:
        bundle = story(path)
        first = pack(read_bundle(bundle)).fingerprint
        random.Random(7).shuffle(bundle["entry"])
        assert pack(read_bundle(bundle)).fingerprint == first
        reordered = {**bundle, "entry": [_reversed(entry) for entry in bundle["entry"]]}
        assert pack(read_bundle(reordered)).fingerprint == first


def _reversed(value: Any) -> Any:
    """Return JSON with the keys of each object in another order."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    else:
        yield path


def test_a_fingerprint_tells_any_change_of_what_is_read() -> None:
    bundle = story(next(path for path in STORIES if path.parent.name == "liver-metastasis-ast-4x"))
    first = pack(read_bundle(bundle)).fingerprint
    changed = 0
    for at, entry in enumerate(bundle["entry"]):
        resource = entry["resource"]
        for path in _leaves(resource):
            if not is_read(resource["resourceType"], path[0]):
                continue
            other = copy.deepcopy(bundle)
            element = other["entry"][at]["resource"]
            for key in path[:-1]:
                element = element[key]
            element[path[-1]] = "changed"
            assert pack(read_bundle(other)).fingerprint != first, path
            changed += 1
    assert changed > 100
    less = {**bundle, "entry": bundle["entry"][:-1]}
    assert pack(read_bundle(less)).fingerprint != first
    unread = {**bundle, "link": [{"relation": "next", "url": "https://fhir.invalid/2"}]}
    assert pack(read_bundle(unread)).fingerprint != first


def drug(code: str) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "p"}},
            {
                "resource": {
                    "resourceType": "MedicationStatement",
                    "id": "m",
                    "status": "active",
                    "subject": {"reference": "Patient/p"},
                    "effectiveDateTime": "2026-02-01",
                    "medicationReference": {"reference": "Medication/d"},
                }
            },
            {
                "resource": {
                    "resourceType": "Medication",
                    "id": "d",
                    "code": {"coding": [{"system": "http://www.whocc.no/atc", "code": code}]},
                }
            },
            {"resource": {"resourceType": "Medication", "id": "not-cited", "code": {"text": "aspirin"}}},
        ],
    }


def test_the_drugs_that_are_pointed_to_are_kept_and_no_others() -> None:
    record = read_bundle(drug("L01XA01"))
    again = unpack(pack(record).body)
    assert list(again.medications) == ["Medication/d"]
    assert text_of(again) == text_of(record)
    assert pack(read_bundle(drug("L01XA02"))).fingerprint != pack(record).fingerprint


def test_other_bytes_are_refused() -> None:
    for body in (b"", b"{}", zlib.compress(b"[]"), zlib.compress(b'{"format": 99}'), zlib.compress(b"{")):
        with pytest.raises(ValueError, match=r"snapshot|Expecting"):
            unpack(body)
    bad = Source("Observation/1", {"valueQuantity": {"value": float("nan")}})
    with pytest.raises(ValueError, match="no NaN"):
        pack(Record(Source("Patient/1", {}), {"Observation": (bad,)}, {}))


def test_a_snapshot_shows_nothing_of_itself() -> None:
    assert "body" not in repr(pack(record_of()))


# Names.


def represented(code: str, **parts: Any) -> dict[str, Any]:
    url = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
    return {"extension": [{"url": url, "valueCode": code}], **parts}


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([{"family": "Chan", "given": ["Tai", "Man"]}], ("Tai Man Chan",)),
        ([{"family": "陈", "given": ["大文"]}], ("陈大文",)),
        ([{"text": "Old", "use": "old"}, {"text": "New", "use": "official"}], ("New",)),
        ([{"text": "Maiden", "use": "maiden"}], ("Maiden",)),
        (
            [{"use": "usual", "text": "Chan Tai Man"}, {"use": "official", "family": "陳", "given": ["大文"]}],
            ("陳大文", "Chan Tai Man"),
        ),
        (
            [represented("ABC", text="Li Wei"), represented("IDE", text="李伟"), represented("SYL", text="リ・ウェイ")],
            ("Li Wei", "李伟", "リ・ウェイ"),
        ),
        ({"text": "a lone object"}, ("a lone object",)),
        ([{"text": "  two\n lines\u202e "}], ("two lines",)),
        ([{"given": "not a list", "family": 7}], ("not a list",)),
        ([{"text": "x" * 500}], ("x" * LONGEST,)),
        ([{}, None, 3, {"text": ["no text"]}], ()),
        (None, ()),
    ],
)
def test_names_in_each_script(names: Any, shown: tuple[str, ...]) -> None:
    assert names_of({"name": names}) == shown


def test_a_hostile_name_stays_as_it_is_for_the_page_to_escape() -> None:
    assert names_of({"name": [{"text": "<script>=cmd|'/c'</script>"}]}) == ("<script>=cmd|'/c'</script>",)
