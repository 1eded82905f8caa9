"""``cds-service demo``: a FHIR server with example patients, the service, and an EHR that opens charts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
from rich.console import Console

from cds_service.bootstrap import build
from cds_service.cli.demo_ehr import DemoEhr, prefetch_of
from cds_service.cli.demo_print import Printer
from cds_service.cli.demo_worklist import fill_worklist
from cds_service.cli.fhir_server import USUAL_PORT, DemoFhirServer
from cds_service.cli.listening import in_background, listening, stop_on_sigterm
from cds_service.cli.tongue import terminal
from cds_service.errors import ConfigError
from cds_service.facts.phrase import say
from cds_service.gather.json_text import read_json
from cds_service.settings import load_settings
from cds_service.web import create_app
from cds_service.web.example_stories import Story, example_stories

# Story, whether the EHR sends prefetch, and what it is to show.
_SCENES: Final = (
    ("candidate", True, say("every computed criterion met; the EHR sends the data along (prefetch)")),
    ("stale-bilirubin", False, say("one result is too old; the service asks the FHIR server itself")),
    ("keratinizing", False, say("cannot enter: the service stays silent")),
)


@click.command()
@click.option("--once", is_flag=True, help="Print the cards and stop.")
def demo(once: bool) -> None:
    """Start a FHIR server with example patients and the service, open three charts as an EHR would, fill a worklist."""
    stop_on_sigterm()
    try:
        _show(once=once)
    except KeyboardInterrupt:
        if once:
            raise
        click.echo(terminal().t("Stopped."))  # as it says it is: no failure, wherever it was


def _show(*, once: bool) -> None:
    stories = _stories()
    # The day that the stories were written for: on any later one their results are too old.
    as_of = stories[_SCENES[0][0]].as_of
    # Nothing made up ever comes into a store that lasts.
    settings = load_settings(
        mode="open",
        host="127.0.0.1",
        port=0,
        public_base_url=None,
        store="sqlite://",
        language=terminal().language,
    )
    services = build(settings, clock=lambda: as_of)
    with ExitStack() as stack:
        fhir = stack.enter_context(DemoFhirServer())
        for story in stories.values():
            fhir.load(json.loads(story.bundle.read_text(encoding="utf-8")))
        server = stack.enter_context(
            listening(create_app(services, simulator_fhir=fhir.base_url), settings.host, settings.port)
        )
        stack.enter_context(in_background(server))
        base = f"http://127.0.0.1:{server.port}"
        printer = Printer(Console(highlight=False))
        printer.start(base, fhir.base_url, len(stories), as_of)
        if urlsplit(fhir.base_url).port != USUAL_PORT:
            printer.other_port(USUAL_PORT, fhir.base_url)
        _play(DemoEhr(base, fhir.base_url), printer, stories)
        printer.prescreening()
        clinic = fill_worklist(services)
        if not once:
            printer.next_steps(base, fhir.base_url)
        printer.clinic(clinic)
        if not once:
            printer.worklist(base, clinic)
            _wait(printer.waiting)


def _play(ehr: DemoEhr, printer: Printer, stories: Mapping[str, Story]) -> None:
    """Open the charts and print what comes back."""
    service = ehr.discover()
    printer.discovery(service)
    for story, with_prefetch, why in _SCENES:
        bundle = _bundle(stories[story].bundle)
        patient_id = next(
            entry["resource"]["id"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"
        )
        prefetch = prefetch_of(bundle, service["prefetch"]) if with_prefetch else None
        started = time.perf_counter()
        cards = ehr.open_chart(service["id"], patient_id, prefetch)
        printer.cards(story, why, cards, time.perf_counter() - started)


def _stories() -> dict[str, Story]:
    stories = {one.name: one for one in example_stories()}
    if not stories:
        raise ConfigError("The demo needs fhir_examples/patients, which a checkout has: run it from there.")
    return stories


def _bundle(path: Path) -> dict[str, Any]:
    body = read_json(path.read_bytes(), max_bytes=2**24, what="example")
    if not isinstance(body, dict):
        raise ConfigError("An example Bundle is not a JSON object.")
    return body


def _wait(tell: Callable[[], None]) -> None:
    tell()
    while True:
        time.sleep(3600)
