"""What tells two patients of one name apart: the number of the medical record, else the record system's id."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from worklist_desk import AS_OF, HOSTILE, LIST, entry_of, exported, patient_of, story, take

from cds_service.gather.bundle import read_bundle
from cds_service.screening.cohort.charts import _chart, chart_line, kept_chart
from cds_service.store.worklist import WhyForgotten

NUMBER = "ZY-00042"


def numbered(number=NUMBER):
    bundle = story("candidate")
    person = patient_of(bundle)
    person["identifier"] = [
        {"value": "11010519491231002X", "type": {"coding": [{"code": "NI"}]}},
        {"use": "old", "value": "before", "type": {"coding": [{"code": "MR"}]}},
        {"use": "official", "value": number, "type": {"coding": [{"code": "MR"}]}},
    ]
    return bundle


@pytest.fixture
def known(services):
    return take(services, numbered())


def test_it_is_on_every_page_of_the_patient_and_on_the_list(services, known, li):
    path = f"/worklist/entries/{known}"
    stale = li.post(f"{path}/decision", state="contacted", version=99)
    for page in (li.get(path), li.get(f"{path}/report"), li.get(f"{path}/history"), stale):
        assert f"patient no. {NUMBER}" in page.text
    listed = li.get(LIST).text
    assert f">{NUMBER}</span>" in listed
    for page in (listed, li.get(path).text):
        assert "11010519491231002X" not in page
        assert not any(NUMBER in one for one in re.findall(r'(?:href|action|hx-[a-z-]+)="([^"]*)"', page))


def test_without_one_the_record_systems_id_stands_there(candidate, li):
    reference = patient_of(story("candidate"))["id"]
    assert f"patient no. {reference}<" in li.get(f"/worklist/entries/{candidate}/report").text


def test_two_of_one_name_and_birth_date_are_told_apart(services, li):
    take(services, numbered("1001"), source="https://one.invalid")
    take(services, numbered("1002"), source="https://two.invalid")
    page = li.get(LIST).text
    assert ">1001</span>" in page
    assert ">1002</span>" in page


def test_a_hostile_number_is_text(services, li):
    entry = take(services, numbered(HOSTILE))
    for path in (LIST, f"/worklist/entries/{entry}", f"/worklist/entries/{entry}/report"):
        page = li.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_only_a_named_export_has_it(known, li):
    assert NUMBER not in exported(li, format="csv").get_data(as_text=True)
    assert NUMBER not in exported(li, format="fhir").get_data(as_text=True)
    (row,) = csv.DictReader(io.StringIO(exported(li, format="csv", names="1").get_data().decode("utf-8-sig")))
    assert row["Patient no."] == NUMBER


def test_it_is_neither_in_the_audit_nor_left_of_who_is_forgotten(services, known, li):
    li.get(f"/worklist/entries/{known}/report")
    exported(li, format="csv", names="1")
    assert NUMBER not in li.get("/worklist/audit").text
    services.store.worklist.forget(
        entry_of(services, known).patient, who="Li", reason=WhyForgotten.REQUEST, now=services.now()
    )
    with services.store._engine.connect() as connection:
        dumped = "\n".join(connection.connection.driver_connection.iterdump())
    assert NUMBER not in dumped


def test_a_chart_of_the_next_day_brings_it(services, candidate):
    assert entry_of(services, candidate).person.number == ""
    assert take(services, numbered(), as_of=AS_OF + timedelta(days=1)) == candidate
    assert entry_of(services, candidate).person.number == NUMBER


def test_a_run_keeps_it_and_one_of_an_older_version_has_none():
    chart = kept_chart(read_bundle(numbered()))
    assert chart.number == NUMBER
    line = chart_line(chart)
    assert _chart(line) == chart
    assert _chart(line.replace('"number"', '"other"')).number == ""
