"""The pages of one patient, rendered from example patients by a small application that only places things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML

from cds_service.bootstrap import load_rules
from cds_service.evaluation.attested import Attestation
from cds_service.evaluation.outcome import PatientOutcome
from cds_service.evaluation.seen import Seen, what_is_seen
from cds_service.evaluation.what_if import judge_if, supposable
from cds_service.facts.record import Record
from cds_service.gather.bundle import read_bundle
from cds_service.gather.json_text import read_json
from cds_service.present.pages.entry_view import EntryView, entry_view
from cds_service.present.pages.people import event_rows, person_row
from cds_service.present.speaker import speaker
from cds_service.screening.patient import Rules
from cds_service.store.worklist import MOST_NAME, MOST_NOTE, MOST_REASON

STORIES = Path(__file__).resolve().parents[1] / "fhir_examples" / "patients"
WEB = Path(__file__).resolve().parents[1] / "cds_service" / "web"
TRIAL = "NCT07235319"
ENTRY = "0123456789abcdef0123456789abcdef"
PREFIX = f"/worklist/entries/{ENTRY}"
# What the worklist's own guard sends.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
TEMPLATES = Environment(loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined)
NAMES = ("陈美玲", "Chen Meiling")


@cache
def rules() -> Rules:
    return load_rules()


@cache
def story(name: str) -> tuple[Record, date, date | None]:
    """Return an example patient with its day and its planned first dose."""
    told = YAML(typ="safe").load(STORIES / name / "expected.yaml")
    body = read_json((STORIES / name / "bundle.json").read_bytes(), max_bytes=10**8, what="bundle")
    anchor = date.fromisoformat(str(told["anchor"])) if "anchor" in told else None
    return read_bundle(body), date.fromisoformat(str(told["as_of"])), anchor


@cache
def judged_story(name: str) -> PatientOutcome:
    """Judge an example patient as it stands."""
    record, as_of, anchor = story(name)
    return rules().judge(record, rules().library, as_of=as_of, anchor=anchor, trials=[TRIAL])


@cache
def seen_of(name: str) -> Seen:
    """Return what an example patient's record shows over time."""
    record, as_of, anchor = story(name)
    return what_is_seen(record, rules().library, TRIAL, as_of=as_of, anchor=anchor)


@dataclass(frozen=True)
class Shown:
    """What a page is asked to show besides the patient's record."""

    names: Sequence[str] = NAMES
    attested: Sequence[Attestation] = ()
    changes: Sequence[Any] = ()
    events: Sequence[Any] = ()
    seen: Seen | None = None
    same_rules: bool = True
    state: str = "reviewing"
    record: Record | None = None
    supposed: Mapping[str, str] = field(default_factory=dict)


def shown_of(name: str, language: str = "en", shown: Shown = Shown(), *, over_time: bool = True) -> EntryView:
    """Judge an example patient and say everything."""
    record, as_of, anchor = story(name)
    record = shown.record or record
    library = rules().library
    when = {"as_of": as_of, "anchor": anchor}
    as_it_stands = shown.record is None and not shown.attested
    patient = (
        judged_story(name)
        if as_it_stands
        else rules().judge(record, library, **when, trials=[TRIAL], attested=shown.attested)
    )
    outcome = patient.trials[0]
    supposed = {key: value for key, value in shown.supposed.items() if value}
    return entry_view(
        outcome,
        patient,
        (shown.seen or (seen_of(name) if shown.record is None else what_is_seen(record, library, TRIAL, **when)))
        if over_time
        else None,
        speaker(language, library),
        changes=shown.changes,
        supposable=supposable(outcome, library),
        supposed=supposed,
        if_outcome=judge_if(record, library, TRIAL, **when, attested=shown.attested, supposed=supposed)
        if supposed
        else None,
    )


def page_app(name: str, shown: Shown = Shown()) -> Flask:
    """Return an application whose entry page and report are of one example patient."""
    app = Flask(
        "pages",
        static_folder=str(WEB / "static" / "worklist"),
        static_url_path="/worklist/static",
    )

    def page(template: str, over_time: bool) -> Response:
        language = request.args.get("lang", "en")
        spoken = speaker(language, rules().library)
        supposed = {key[3:]: value for key, value in request.args.items() if key.startswith("if-")}
        view = shown_of(name, language, Shown(**{**vars(shown), "supposed": supposed}), over_time=over_time)
        entry = SimpleNamespace(
            id=ENTRY,
            version=7,
            changed=bool(shown.changes),
            latest=SimpleNamespace(id=12),
            state=SimpleNamespace(value=shown.state),
            state_by="Li Na",
            state_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
            state_reason="called the ward",
            state_criterion="",
            assignee="Li Na",
        )
        person = SimpleNamespace(
            names=shown.names, birth_date="1979-11-02", gender="female", number="MRN-0042", reference="Patient/p"
        )
        text = TEMPLATES.get_template(f"worklist/{template}").render(
            request=request,
            t=spoken.t,
            say=spoken,
            language=language,
            other_language="en" if language == "zh" else "zh",
            who="Li Na",
            most_name=MOST_NAME,
            most_reason=MOST_REASON,
            most_note=MOST_NOTE,
            csrf_token=lambda: "token",
            static=lambda file: f"/worklist/static/{file}",
            trial=TRIAL,
            exclusions_encoded=view.exclusions_encoded,
            here="",
            view=view,
            entry=entry,
            person=person_row(person, spoken),
            events=event_rows(shown.events, rules().library.trials[TRIAL], spoken),
            same_rules=shown.same_rules,
            printed=date(2026, 3, 2),
            missed=(),
            state_day=entry.state_at.date(),
        )
        return Response(text, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})

    app.add_url_rule(PREFIX, "entry", lambda: page("entry.html", True))
    app.add_url_rule(f"{PREFIX}/report", "report", lambda: page("report.html", False))
    app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))
    return app
