"""Lists that leave the service: asked for with a reason, by somebody named, and noted before the file goes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from flask import Blueprint, Response, request

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.present.cohort.pseudonyms import coded
from cds_service.present.worklist.export_bundle import write_fhir
from cds_service.present.worklist.export_table import Export, write_csv, write_xlsx
from cds_service.store.worklist import Entry, Wanted
from cds_service.web.worklist import query
from cds_service.web.worklist.asked import LINE, NAME, choice, line, only
from cds_service.web.worklist.shown import address, call_me, known_trial, noted, page, reader, title_of, who

_CODES: Final = "pseudonyms"
_PAGE: Final = 500  # entries read at a time
_TYPES: Final = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "fhir": ("application/fhir+json; charset=utf-8", "fhir.json"),
}
_WORDS: Final = {"csv": "CSV", "xlsx": "XLSX (Excel)", "fhir": "FHIR R4 (List)"}


def add(blueprint: Blueprint, services: Services) -> None:
    """Add the addresses of exports."""

    @blueprint.get("/trials/<trial>/export")
    def export(trial: str) -> Response:
        only(query.PARAMETERS | {query.LANG})
        known_trial(services, trial)
        return _form(services, trial, query.read(request.args))

    @blueprint.post("/trials/<trial>/export")
    def exported(trial: str) -> Response:
        only(query.PARAMETERS)
        known_trial(services, trial)
        wanted = query.read(request.args)
        try:
            return _file(services, trial, wanted)
        except RequestError as error:
            if error.status != 400:
                raise
            return _form(services, trial, wanted, fault=error.args[0])


def _form(services: Services, trial: str, wanted: Wanted, fault: str = "") -> Response:
    noted(services, "export asked", trial=trial)
    written = query.written(replace(wanted, page=1))
    return page(
        services,
        "export.html",
        status=400 if fault else 200,
        trial=trial,
        heading=title_of(services, trial),
        fault=fault,
        to=f"{address('exported', trial=trial)}{'?' if written else ''}{written}",
        total=services.store.worklist.entries(trial, wanted=replace(wanted, page=1, size=1)).total,
        all_of_them=services.store.worklist.counts(trial).total,
        formats=[(one, _WORDS[one]) for one in _formats(services, trial)],
        typed={name: request.form.get(name, "")[:LINE] for name in ("reason", "format", "names", "who")},
    )


def _formats(services: Services, trial: str) -> tuple[str, ...]:
    """Return what can be had: a workbook where its package is installed, FHIR where the rules know the trial."""
    known = trial in services.rules.library.trials
    return tuple(
        one for one in _TYPES if (one != "xlsx" or find_spec("xlsxwriter") is not None) and (one != "fhir" or known)
    )


def _file(services: Services, trial: str, wanted: Wanted) -> Response:
    kind = choice("format", _formats(services, trial))
    why, named = line("reason", LINE, required=True), choice("names", ("", "1")) == "1"
    person = who() or line("who", NAME)
    if not person:
        raise RequestError(say("Say who you are first: it is kept with what you do."), field="who")
    call_me(person)
    entries = list(_entries(services, trial, wanted))
    # Whose data leaves, by ids of ours, before it leaves.
    noted(
        services,
        "export",
        trial=trial,
        format=kind,
        names=int(named),
        reason=why,
        query=query.written(replace(wanted, page=1)),
        number=len(entries),
        entries=" ".join(one.id for one in entries),
    )
    now, library, translate = services.now(), services.rules.library, reader(services).translate
    taken = Export(trial, person, now, why, named, coded(services.store.secret(_CODES)))
    file = io.BytesIO()
    if kind == "csv":
        write_csv(file, taken, entries, library, translate)
    elif kind == "xlsx":
        write_xlsx(file, taken, entries, library, translate)
    else:
        write_fhir(file, taken, entries, library.trials[trial])
    content, ending = _TYPES[kind]
    name = f"worklist-{''.join(char for char in trial if char.isalnum())}-{now.date().isoformat()}.{ending}"
    response = Response(file.getvalue(), content_type=content)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _entries(services: Services, trial: str, wanted: Wanted) -> Iterator[Entry]:
    """Yield all that is wanted, in order. Between two pages the list may move: nobody is given twice."""
    seen: set[str] = set()
    number, pages = 1, 1
    while number <= pages:
        found = services.store.worklist.entries(trial, wanted=replace(wanted, page=number, size=_PAGE))
        pages = found.pages
        for one in found.entries:
            if one.id not in seen:
                seen.add(one.id)
                yield one
        number += 1
