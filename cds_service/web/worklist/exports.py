"""Lists that leave the service: asked for with a reason, by somebody named, and noted before the file goes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from flask import Blueprint, Response, request

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.facts.phrase import say
from cds_service.present.cohort.pseudonyms import coded
from cds_service.present.worklist.export_bundle import write_fhir
from cds_service.present.worklist.export_table import Export, write_csv, write_xlsx
from cds_service.store.worklist import MOST_NAME, MOST_REASON, Entry, Wanted
from cds_service.web.worklist import query
from cds_service.web.worklist.asked import choice, line, only
from cds_service.web.worklist.shown import address, call_me, known_trial, noted, page, reader, title_of, who

_CODES: Final = "pseudonyms"
_PAGE: Final = 100  # entries read at a time
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
        return _form(services, trial, _wanted(services, trial))

    @blueprint.post("/trials/<trial>/export")
    def exported(trial: str) -> Response:
        only(query.PARAMETERS)
        known_trial(services, trial)
        wanted = _wanted(services, trial)
        try:
            return _file(services, trial, wanted)
        except RequestError as error:
            if error.status != 400:
                raise
            return _form(services, trial, wanted, fault=error.args[0])


def _wanted(services: Services, trial: str) -> Wanted:
    counts = services.store.worklist.counts(trial)
    return replace(query.read(request.args, counts, services.rules.library), today=services.clock())


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
        typed={name: request.form.get(name, "")[:MOST_REASON] for name in ("reason", "format", "names", "who")},
    )


def _formats(services: Services, trial: str) -> tuple[str, ...]:
    """Return what can be had: FHIR where the rules know the trial."""
    return tuple(one for one in _TYPES if one != "fhir" or trial in services.rules.library.trials)


def _file(services: Services, trial: str, wanted: Wanted) -> Response:
    kind = choice("format", _formats(services, trial))
    why, named = line("reason", MOST_REASON, required=True), choice("names", ("", "1")) == "1"
    person = who() or line("who", MOST_NAME)
    if not person:
        raise RequestError(say("Say who you are first: it is kept with what you do."), field="who")
    call_me(person)
    if not named and wanted.sort == "name":
        wanted = replace(wanted, sort="rank", descending=False)  # the order of names would tell something of them
    ids = services.store.worklist.ids(trial, wanted=wanted, by_name=named)
    # Whose data leaves, by ids of ours, before it leaves.
    noted(
        services,
        "export",
        trial=trial,
        format=kind,
        names=int(named),
        reason=why,
        query=query.written(replace(wanted, page=1)),
        number=len(ids),
        entries=" ".join(ids),
    )
    entries = _entries(services, ids)
    now, library, translate = services.local(services.now()), services.rules.library, reader(services).translate
    taken = Export(trial, person, now, services.clock(), why, named, coded(services.store.secret(_CODES)))
    file = io.BytesIO()
    if kind == "csv":
        write_csv(file, taken, entries, library, translate)
    elif kind == "xlsx":
        write_xlsx(file, taken, entries, library, translate)
    else:
        write_fhir(file, taken, entries, library.trials[trial])
    content, ending = _TYPES[kind]
    holds = "named" if named else "coded"  # seen before the file is opened or sent on
    name = f"worklist-{''.join(filter(str.isalnum, trial))}-{now.date().isoformat()}-{holds}.{ending}"
    response = Response(file.getvalue(), content_type=content)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _entries(services: Services, ids: Sequence[str]) -> Iterator[Entry]:
    """Yield entries in order, with a few in memory at a time: each holds all of its judgement."""
    for first in range(0, len(ids), _PAGE):
        yield from services.store.worklist.some(ids[first : first + _PAGE])
