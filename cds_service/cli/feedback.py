"""``cds-service feedback``: what became of the cards, in numbers; and an override taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click

from cds_service.bootstrap import utc_now
from cds_service.cli.tongue import terminal, terminal_language
from cds_service.errors import ConfigError
from cds_service.facts.phrase import say
from cds_service.gather.origin import Origin
from cds_service.present.json_text import to_json
from cds_service.present.overrides import reason_words
from cds_service.screening.memory import tenant_key
from cds_service.screening.muting import Lifts, mute_of
from cds_service.settings import load_settings
from cds_service.store import Count, Kind, Override, Store, open_store, patient_key, read_store

_STORE: Final = click.option("--store", "url", metavar="URL", help="The database; by default that of the settings.")
_NO_REASON: Final = say("no reason given")
_KINDS: Final = {Kind.CANDIDATE.value: say("candidate"), Kind.CONFLICT.value: say("treatment conflict")}


@click.group()
def feedback() -> None:
    """Count what became of the cards, or take an override back."""


@feedback.command()
@_STORE
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def report(url: str | None, shape: str) -> None:
    """Count cards, acceptances and overrides for each trial and service; no patient is named."""
    store = read_store(url or load_settings().store)
    counts, silenced = store.counts(), _silenced(store.overrides())
    if shape == "json":
        click.echo(to_json(_json(counts, silenced), indent=2))
    else:
        click.echo("\n\n".join(_text(counts, silenced)))


@feedback.command()
@click.argument("trial")
@click.option("--issuer", default="", help="`iss` of the EHR that knows the patient; none for open mode.")
@click.option("--tenant", default="", help="Its tenant, if it has any.")
@click.option(
    "--fhir-server", "server", default="", help="The `fhirServer` that its calls name; none when they name none."
)
@_STORE
def revoke(trial: str, issuer: str, tenant: str, server: str, url: str | None) -> None:
    """Let TRIAL speak again for a patient, whatever was overridden so far.

    The patient's id is asked for, so that it stays out of the shell's history.
    """
    store = _open(url)
    patient = click.prompt(terminal().t("Patient id"), hide_input=True)
    key = patient_key(tenant_key(issuer, tenant), f"Patient/{patient.removeprefix('Patient/')}", _base(server))
    taken_back = sum(one.card.trial == trial for one in store.overrides(key))
    if taken_back:
        store.revoke(key, trial, utc_now())
    t = terminal().t
    click.echo(
        t("{count} override taken back.", count=taken_back)
        if taken_back == 1
        else t("{count} overrides taken back.", count=taken_back)
    )


def _base(server: str) -> str:
    try:
        return Origin.of(server).base if server else ""
    except ValueError as error:
        raise ConfigError(f"--fhir-server: {error}.") from None


def _open(url: str | None) -> Store:
    chosen = url or load_settings().store
    if chosen == "sqlite://":
        raise ConfigError("Setting store: the database in memory belongs to a running service; name another (--store).")
    return open_store(chosen, create=False)


def _silenced(overrides: Iterable[Override]) -> dict[str, dict[str, int]]:
    """Count, for each trial, the patients that an override may still silence.

    Whether the data changed since then is seen when the chart is opened, so the second number is the most it can be.
    """
    now = utc_now()
    patients: defaultdict[str, defaultdict[bool, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in overrides:
        mute = mute_of(one.reason)
        if mute is not None and not mute.over(one.received, now):
            patients[one.card.trial][mute.lifts is Lifts.NOTHING].add(one.card.patient)
    return {
        trial: {"until_revoked": len(found[True]), "until_data_change": len(found[False] - found[True])}
        for trial, found in sorted(patients.items())
    }


def _reason(code: str) -> str:
    """Return the code, as programs know it; for a reader of another language the words that cards have for it."""
    if not code:
        return _NO_REASON
    return code if terminal_language() == "en" else reason_words(code)


def _json(counts: Sequence[Count], silenced: dict[str, dict[str, int]]) -> dict[str, Any]:
    return {
        "cards": [
            {
                "trial": one.trial,
                "service": one.service,
                "kind": one.kind,
                "sent": one.sent,
                "accepted": one.accepted,
                "suggestions_accepted": one.taken,
                "overridden": {reason or _NO_REASON: number for reason, number in one.overridden.items()},
                "overridden_with_comment": one.commented,
                "no_feedback": one.without_feedback,
            }
            for one in counts
        ],
        "patients_silenced": silenced,
    }


def _text(counts: Sequence[Count], silenced: dict[str, dict[str, int]]) -> Iterable[str]:
    t = terminal().t
    if not counts:
        yield t("No card was sent yet.")
    for one in counts:
        accepted, overridden = f"{one.accepted:>6}", f"{sum(one.overridden.values()):>6}"
        lines = [
            f"{one.trial}  {one.service}  ({t(_KINDS.get(one.kind, one.kind))})",
            t("  {count} sent", count=f"{one.sent:>6}"),
            t("  {count} accepted, {taken} suggestions in all", count=accepted, taken=one.taken)
            if one.taken
            else t("  {count} accepted", count=accepted),
            t("  {count} overridden, {commented} with a comment", count=overridden, commented=one.commented)
            if one.commented
            else t("  {count} overridden", count=overridden),
            *(
                t("  {count} {reason}", count=f"{number:>12}", reason=_reason(reason))
                for reason, number in one.overridden.items()
            ),
            t("  {count} no feedback (seen or not is not known)", count=f"{one.without_feedback:>6}"),
        ]
        yield "\n".join(lines)
    for trial, found in silenced.items():
        yield t(
            "{trial} is silent until taken back (cds-service feedback revoke) for patients: {revoked};\n"
            "until their data change for patients: at most {changed}",
            trial=trial,
            revoked=found["until_revoked"],
            changed=found["until_data_change"],
        )
