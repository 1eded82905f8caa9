"""What leaves the worklist as a file, and what hostile text does on pages and in files."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest
from fhir.resources.R4B.bundle import Bundle
from openpyxl import load_workbook
from worklist_desk import (
    HOSTILE,
    LIST,
    NOW,
    TRIAL,
    Person,
    entry_of,
    exported,
    patient_of,
    story,
    take,
)

from cds_service.present.cohort.pseudonyms import coded
from cds_service.store.worklist import WhyForgotten


def test_html_in_a_name_is_text_everywhere(services, app, hostile):
    writer = Person(app, HOSTILE[:80])
    path = f"/worklist/entries/{hostile}"
    version = entry_of(services, hostile).version
    assert writer.post(f"{path}/decision", version=version, state="declined", reason=HOSTILE).status_code == 303
    assert writer.post(f"{path}/assignee", version=version + 1, assignee=HOSTILE[:80]).status_code == 303
    assert writer.post(f"{path}/note", text=HOSTILE).status_code == 303
    conflict = writer.post(f"{path}/decision", version=version, state="declined", reason=HOSTILE)
    assert conflict.status_code == 409
    pages = [conflict.text, writer.post(LIST, text=HOSTILE[:80], query="").text]
    pages += [
        writer.get(one).text
        for one in (LIST, path, f"{path}/history", f"{path}/report", "/worklist/audit", f"{LIST}/export")
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "{{7*7}}" in page or "alert" not in page
    assert html.escape("<script>alert(1)") in pages[2]


def flat(data):
    book = load_workbook(io.BytesIO(data))
    return "\n".join(
        str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None
    )


def test_exports_are_coded_unless_names_are_asked_for(services, li, many):
    people = [patient_of(story(name)) for name in many]
    secret = {f"Patient/{p['id']}" for p in people} | {p["birthDate"] for p in people if "birthDate" in p}
    secret |= {name["text"] for p in people for name in p.get("name", ())}
    for kind in ("csv", "xlsx", "fhir"):
        answer = exported(li, format=kind)
        assert answer.status_code == 200
        assert f'filename="worklist-{TRIAL}-2026-03-01-coded.{kind}' in answer.headers["Content-Disposition"]
        text = flat(answer.data) if kind == "xlsx" else answer.data.decode("utf-8-sig")
        assert not [one for one in secret if one in text], kind
        assert len(set(re.findall(r"P-[A-Z2-7]{16}", text))) == len(many)
        assert "Dr Li" in text
        assert "for the board" in text
        assert "Contains personal health data" in text
        row = services.store.worklist.audit(limit=1)[0]
        assert (row.what, row.who, row.trial) == ("export", "Dr Li", TRIAL)
        assert row.detail["reason"] == "for the board"
        assert row.detail["names"] == 0
        assert set(row.detail["entries"].split()) == set(many.values())
    answer = exported(li, format="csv", names="1")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="worklist-{TRIAL}-2026-03-01-named.csv"'
    named = answer.data.decode("utf-8-sig")
    assert all(p["id"] in named for p in people)
    first, second = (exported(li, format="csv").data for _ in range(2))
    assert first == second


def test_no_formula_comes_of_a_name(services, app, hostile):
    writer = Person(app, "@SUM(1+1)")
    path = f"/worklist/entries/{hostile}"
    writer.post(f"{path}/decision", version=entry_of(services, hostile).version, state="declined", reason="-1+1")
    writer.post(f"{path}/assignee", version=entry_of(services, hostile).version, assignee="+1+1")
    for fields in ({"names": "1"}, {}):
        answer = writer.post(f"{LIST}/export", format="csv", reason='=cmd|" /C calc"!A0', **fields)
        cells = [cell for row in csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))) for cell in row]
        assert not [cell for cell in cells if re.match(r"\s*[=+\-@\t\r\n＝＋－＠]", cell)]
        answer = writer.post(f"{LIST}/export", format="xlsx", reason='=cmd|" /C calc"!A0', **fields)
        book = load_workbook(io.BytesIO(answer.data))
        assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
        assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.hyperlink]


@pytest.mark.parametrize("names", ["", "1"])
def test_the_fhir_list_is_fhir(services, li, many, names):
    answer = exported(li, format="fhir", names=names)
    body = json.loads(answer.data)
    Bundle.model_validate(body)
    assert [entry["resource"]["resourceType"] for entry in body["entry"]] == ["ResearchStudy", "List"]
    items = [one["item"] for one in body["entry"][1]["resource"]["entry"]]
    assert len(items) == len(many)
    assert all(("reference" in one) == bool(names) for one in items)


def test_an_export_needs_a_reason_and_a_name(services, app, li, many):
    assert li.post(f"{LIST}/export", format="csv", reason=" ").status_code == 400
    assert li.post(f"{LIST}/export", format="docx", reason="x").status_code == 400
    nobody = Person(app)
    answer = nobody.post(f"{LIST}/export", format="csv", reason="for the board")
    assert answer.status_code == 400
    assert 'value="for the board"' in answer.text
    assert not [row for row in services.store.worklist.audit(limit=100) if row.what == "export"]
    assert nobody.post(f"{LIST}/export", format="csv", reason="for the board", who="Dr Zhao").status_code == 200


def test_an_export_of_a_part(services, li, many):
    rows = list(
        csv.reader(
            io.StringIO(li.post(f"{LIST}/export?status=candidate", format="csv", reason="x").data.decode("utf-8-sig"))
        )
    )
    wanted = [entry for entry in many.values() if entry_of(services, entry).latest.status == "candidate"]
    assert len(rows) == len(wanted) + 1


@pytest.fixture
def alike(services):
    """Twelve patients of one chart under other names; the list's ids by name."""
    found = {}
    for number in range(12):
        bundle = story("candidate")
        patient_of(bundle)["name"] = [{"text": f"Name {number:02}"}]
        found[f"Name {number:02}"] = take(services, bundle, source=f"http://ehr-{number}.invalid/fhir")
    return found


@pytest.mark.parametrize("sort", ["name", "-name", "rank", "status", "-updated"])
def test_the_order_of_a_coded_export_tells_nothing_of_names(services, li, alike, sort):
    def order(**fields):
        answer = li.post(f"{LIST}/export?sort={sort}", format="csv", reason="x", **fields)
        rows = csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))
        noted = services.store.worklist.audit(limit=1)[0].detail
        return [row["Patient"] for row in rows], noted["entries"].split(), noted["query"]

    code = coded(services.store.secret("pseudonyms"))
    codes, entries, query = order()
    assert entries == sorted(alike.values())  # ids are random; all that is judged is the same
    assert codes == [code(entry_of(services, one).patient) for one in entries]
    assert "name" not in query
    _, entries, _ = order(names="1")
    assert entries == list(alike.values())[:: -1 if sort == "-name" else 1]


def test_an_export_holds_a_few_entries_at_a_time(services, li, alike, monkeypatch):
    asked, some = [], type(services.store.worklist).some
    monkeypatch.setattr("cds_service.web.worklist.exports._PAGE", 5)
    monkeypatch.setattr(
        type(services.store.worklist), "some", lambda self, ids: asked.append(len(ids)) or some(self, ids)
    )
    for kind in ("csv", "xlsx", "fhir"):
        answer = li.post(f"{LIST}/export?sort=name", format=kind, reason="x", names="1")
        text = flat(answer.data) if kind == "xlsx" else answer.data.decode("utf-8-sig")
        assert re.findall("Name [0-9]{2}", text) == list(alike)
    assert asked == [5, 5, 2] * 3


def test_who_is_forgotten_meanwhile_is_not_in_the_file(services, li, alike, monkeypatch):
    gone, ids = alike["Name 03"], type(services.store.worklist).ids

    def slow(self, *args, **named):
        found = ids(self, *args, **named)
        self.forget(entry_of(services, gone).patient, who="x", reason=WhyForgotten.RETENTION, now=NOW)
        return found

    monkeypatch.setattr(type(services.store.worklist), "ids", slow)
    text = exported(li, format="csv", names="1").data.decode("utf-8-sig")
    assert re.findall("Name [0-9]{2}", text) == [one for one in alike if one != "Name 03"]


def test_a_heap_of_marks_on_a_letter_covers_no_other_line(services, app):
    bundle = story("candidate")
    patient_of(bundle)["name"] = [{"text": "Z" + "\u0353" * 60 + "oe Nguyễn"}]
    entry, heap = take(services, bundle), "\u0353" * 50
    writer = Person(app, f"Li{heap}")
    assert writer.post(f"/worklist/entries/{entry}/note", text="x", who=f"Li{heap}").status_code == 303
    pages = [writer.get(f"/worklist/entries/{entry}{rest}").text for rest in ("", "/report", "/history")]
    pages += [writer.get(LIST).text, exported(writer, format="csv", names="1").data.decode("utf-8-sig")]
    for page in pages:
        assert not re.search("\u0353{5}", page)
        assert "Z\u0353\u0353\u0353\u0353oe Nguyễn" in page
    assert services.store.worklist.audit(limit=1)[0].who == "Li" + "\u0353" * 4
