"""The tables that ``score`` prints: what a run got right of each criterion and status, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cds_service.cli.tongue import heard, terminal
from cds_service.cli.wide import columns
from cds_service.synth.person import TRIAL
from cds_service.synth.score import candidates
from cds_service.synth.tally import STATUSES, Tally

TEMPLATES: Final = STATUSES
"""Names that are said as words, for the translators' catalogue."""

_Rows = list[tuple[str, ...]]


def score_lines(tally: Tally) -> Iterator[str]:
    """Yield the lines, in the terminal's language; ids of criteria and patients stay."""
    t, found = terminal().t, candidates(tally)
    decided = sum(one.right + one.contradicting for one in tally.criteria.values())
    unknown = sum(one.unknown - one.undecided_truth for one in tally.criteria.values())
    yield t("{trial}: {patients} patients; exclusion criteria not encoded", trial=TRIAL, patients=tally.patients)
    yield ""
    yield from _aligned(_criteria(tally))
    yield ""
    yield t(
        "open: decided where the contract leaves the full facts open; intact: nothing that it rests on was left out."
    )
    yield ""
    yield from _aligned(_statuses(tally))
    yield ""
    yield t(
        "nothing left out: {whole} patients, true gate and status {share}",
        whole=tally.whole,
        share=_share(tally.whole_right, tally.whole),
    )
    yield t(
        "candidates: {true} in truth, found {found}, asked for data {asked}; "
        "false alarms {false} of {called} ({false_share})",
        true=found["true"],
        found=_share(found["found"], found["true"]),
        asked=_share(found["asked"], found["true"]),
        false=found["false"],
        called=found["called"],
        false_share=_share(found["false"], found["called"]),
    )
    yield t("unknown, of the criteria that the full facts decide: {share}", share=_share(unknown, decided + unknown))
    yield ""
    for patient, what in tally.faults:
        yield t("WRONG {patient}: {what}", patient=patient, what=heard(what))
    yield t("{wrong} wrong", wrong=tally.wrong) if tally.wrong else t("nothing wrong")


def _criteria(tally: Tally) -> _Rows:
    t = terminal().t
    heads = (t("criterion"), t("right"), t("contradicting"), t("open"), t("unknown"), t("intact"), t("exact"))
    return [
        heads,
        *(
            (
                name,
                *map(str, (one.right, one.contradicting, one.open, one.unknown, one.intact)),
                _share(one.exact, one.intact),
            )
            for name, one in tally.criteria.items()
        ),
    ]


def _statuses(tally: Tally) -> _Rows:
    t = terminal().t
    words = {status: t(status) for status in STATUSES}
    return [
        (t("true status"), *words.values()),
        *((word, *(str(tally.statuses[status, given]) for given in STATUSES)) for status, word in words.items()),
    ]


def _share(part: int, of: int) -> str:
    """Return a percentage for people; a dash of nothing."""
    return f"{100 * part / of:.1f} %" if of else "-"


def _aligned(rows: _Rows) -> Iterator[str]:
    """Yield rows as columns: the first from the left, the others from the right."""
    widths = [max(columns(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        blanks = [" " * (width - columns(text)) for text, width in zip(row, widths, strict=True)]
        yield "  ".join((row[0] + blanks[0], *(blank + text for text, blank in zip(row[1:], blanks[1:], strict=True))))
