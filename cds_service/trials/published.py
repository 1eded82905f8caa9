"""The published eligibility text: each line is encoded, or refused with a reason, and none is lost."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from cds_service.trials.complaints import did_you_mean, quoted
from cds_service.trials.form import Part
from cds_service.trials.model import Criterion

_LINE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,15}")


def read_lines(part: Part) -> Mapping[str, Mapping[str, str]]:
    """Read the published lines: by language, id to plain words."""
    for identity, entry in part.entries().items():
        if not _LINE_ID.fullmatch(identity):
            entry.complain(f"expected the id of a line, such as '9a', found {quoted(identity)}")
    if isinstance(part.data, dict) and not part.data:
        part.complain("the published text has no line")
    return part.texts_by_language()


def check_published_lines(
    lines_part: Part,
    refused_part: Part,
    lines: Collection[str],
    not_encoded: Collection[str],
    criteria: Collection[Criterion],
) -> None:
    """Hold the sides equal: every line stands in some ``source`` or under ``not_encoded``, never in both.

    Args:
        lines_part: ``lines`` as written.
        refused_part: ``not_encoded`` as written.
        lines: ids of the published lines.
        not_encoded: ids of those that are refused.
        criteria: with the lines that they cite.
    """
    cited: dict[str, str] = {line: criterion.id for criterion in criteria for line in criterion.source}
    for line in not_encoded:
        if line not in lines:
            hint = did_you_mean(line, lines)
            refused_part.complain(f"{quoted(line)} is no line of the published text", hint, at=(line,))
        elif line in cited:
            refused_part.complain(f"the line is encoded, by {cited[line]!r}: it cannot be refused too", at=(line,))
    for line in lines:
        if line not in cited and line not in not_encoded:
            lines_part.complain(
                "no criterion cites this line and not_encoded does not refuse it",
                "add it to a criterion's source, or to not_encoded with the reason",
                at=(line,),
            )
