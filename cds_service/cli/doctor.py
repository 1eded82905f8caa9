"""``cds-service doctor``: tries what we need of a FHIR server, one thing after another, and says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from cds_service.bootstrap import load_rules, local, reach, utc_now
from cds_service.cli.evaluate import read_day
from cds_service.cli.tongue import heard, terminal, terminal_language
from cds_service.cli.wide import columns, filled, padded
from cds_service.errors import RequestError
from cds_service.facts.fact import Reason
from cds_service.gather.chart import PATIENT_ID
from cds_service.gather.origin import Origin
from cds_service.present.json_text import to_json
from cds_service.present.safe_text import plain
from cds_service.present.wording import REASON
from cds_service.screening.doctor import examine
from cds_service.screening.doctor.findings import Examination, Finding, Result
from cds_service.screening.doctor.sandboxes import Sandbox, sandboxes
from cds_service.settings import FhirServer, Settings, load_settings
from cds_service.trials.model import Library

_WIDTH: Final = 120


@click.command()
@click.argument("base_url", metavar="[BASE_URL]", required=False)
@click.option("--patient", metavar="ID", help="The patient to look at; by default the first that the server lists.")
@click.option(
    "--token-file", type=click.Path(path_type=Path, dir_okay=False), help="A file with a bearer token for the server."
)
@click.option("--client", metavar="ID", help="Our client id there: SMART Backend Services with the keys of CDS_KEYS.")
@click.option("--ca", type=click.Path(path_type=Path, dir_okay=False), help="Certificate authorities to trust, PEM.")
@click.option("--sandbox", type=click.Choice(sorted(sandboxes())), help="A public sandbox instead of BASE_URL.")
@click.option("--as-of", metavar="DATE", help="Day of the judgement, YYYY-MM-DD; today by default.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def doctor(
    context: click.Context,
    base_url: str | None,
    patient: str | None,
    token_file: Path | None,
    client: str | None,
    ca: Path | None,
    sandbox: str | None,
    as_of: str | None,
    style: str,
) -> None:
    """Try what the service needs of the FHIR server at BASE_URL; exit with 1 if something is wrong.

    A server of the settings (fhir_servers) is reached as they say; options win. It only reads, and prints counts: no
    values, names or ids.
    """
    day = read_day("--as-of", as_of)
    if patient is not None and not PATIENT_ID.fullmatch(patient):
        raise RequestError("--patient must be 1 to 64 letters, digits, '-' or '.'.", field="--patient")
    if token_file is not None and client is not None:
        raise RequestError("Give either --token-file or --client.", field="--client")
    settings = load_settings()
    profile = sandboxes()[sandbox] if sandbox else None
    server = server_to_read(base_url, settings, profile, token_file, client, ca)
    if profile is not None and style == "text":
        _introduce(profile)
    now, rules = utc_now(), load_rules(settings.site)
    found = examine(
        reach(server, settings),
        rules,
        patient_id=patient,
        as_of=day or local(settings, now).date(),
        now=now.timestamp(),
        gather_seconds=settings.gather_seconds,
    )
    if style == "json":
        click.echo(to_json(found.to_json(), indent=2))
    else:
        _print(found, rules.library)
    context.exit(0 if found.passed else 1)


def server_to_read(
    base_url: str | None,
    settings: Settings,
    profile: Sandbox | None = None,
    token_file: Path | None = None,
    client: str | None = None,
    ca: Path | None = None,
) -> FhirServer:
    """Put together what the settings, the sandbox's profile and the options say; the last wins.

    Raises:
        RequestError: the address is none, or is not safe, or an option does not fit.
    """
    address = base_url or (profile.base_url if profile else "")
    if not address:
        raise RequestError("Give the FHIR base URL of the server.", field="BASE_URL")
    try:
        origin = Origin.of(address)
    except ValueError as error:
        raise RequestError(f"BASE_URL: {error}.", field="BASE_URL") from None
    if origin.scheme != "https" and not origin.loopback:
        raise RequestError("BASE_URL must begin with https://; http is for this machine only.", field="BASE_URL")
    known = next((one for one in settings.fhir_servers if _same(one.base_url, origin)), None)
    given: dict[str, Any] = known.model_dump() if known else {"base_url": address}
    if profile is not None:
        given["auth_origins"] = profile.auth_origins
    if token_file is not None:
        given |= {"auth": "token", "token_file": token_file, "client_id": None}
    if client is not None:
        given |= {"auth": "smart", "client_id": client, "token_file": None}
    if ca is not None:
        given["ca_file"] = ca
    if profile is not None and profile.auth == "smart" and given.get("auth", "none") == "none":
        raise RequestError("This sandbox wants a token: register there, and give --client.", field="--client")
    try:
        return FhirServer.model_validate(given)
    except ValidationError:
        raise RequestError("--client is longer than any client id.", field="--client") from None


def _same(url: str, origin: Origin) -> bool:
    try:
        return Origin.of(url) == origin
    except ValueError:
        return False


def _introduce(profile: Sandbox) -> None:
    t = terminal().t
    tried = t("tried") if profile.tried else t("not tried yet by us")
    click.echo(t("{title} ({tried}; {source})", title=heard(profile.title), tried=tried, source=profile.source))
    for quirk in profile.quirks:
        click.echo(filled(heard(quirk), _WIDTH, "  - ", "    "))
    click.echo()


def _print(found: Examination, library: Library) -> None:
    speaker = terminal(library)
    t = speaker.t
    click.echo(t("FHIR server {url}", url=found.server) + "\n")
    _cells(t("check"), t("result"), t("count"), t("time"), t("what came"))
    for finding in found.findings:
        _row(finding)
    for number, one in enumerate(found.unknown):
        if not number or found.unknown[number - 1].trial != one.trial:
            click.echo("\n" + t("Unknown for {trial}:", trial=one.trial))
        why = speaker.joined(_missing(fact, reason, library) for fact, reason in one.missing)
        click.echo(t("  {criterion} ({why})", criterion=plain(speaker.rules(one.short)), why=plain(why)))
    results = [finding.result for finding in found.findings]
    wrong, look = results.count(Result.WRONG), results.count(Result.LOOK)
    click.echo("\n" + t("{wrong} wrong, {look} to look at.", wrong=wrong, look=look))


def _missing(fact: str, reason: str, library: Library) -> str:
    """Return the names that the rules and the contract have; where those are no words of the reader's, their words."""
    if terminal_language() == "en":
        return f"{fact}: {reason}"
    speaker = terminal(library)
    label = speaker.rules(library.facts[fact].label["en"])
    return speaker.t("{fact}: {reason}", fact=label, reason=REASON[Reason(reason)])


def _row(finding: Finding) -> None:
    count = "" if finding.count is None else str(finding.count)
    took = "" if finding.milliseconds is None else f"{finding.milliseconds} ms"
    _cells(heard(finding.check), heard(finding.result.value), count, took, plain(heard(finding.told)))
    if finding.todo:
        click.echo(filled(heard(finding.todo), _WIDTH, "    -> ", "       "))


def _cells(check: str, result: str, count: str, took: str, told: str) -> None:
    numbers = " " * (6 - columns(count)) + count + " " * (10 - columns(took)) + took
    click.echo(f"{padded(check, 32)}{padded(result, 11)}{numbers}  {told}")
