"""T and N beside the stage group: what an edition's table makes impossible is shown, and never judged.

M decides the stage; a T or N that cannot stand in the recorded group tells a reader that one of the two is wrong.
Source: the eligibility contract, section 6 (Stage); clinical notes, section 3.4. The tables are data
(``stage_extent`` in ``rules/facts.yaml``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cds_service.facts.category import recorded_at_diagnosis
from cds_service.facts.definitions import FactDefinition
from cds_service.facts.diagnosis import disease_options
from cds_service.facts.fact import Fact
from cds_service.facts.staged import Axis, StageRecord, winning

if TYPE_CHECKING:
    from cds_service.facts.chart import Chart

AGAINST_GROUP: Final = "t-or-n-against-group"
DIFFER: Final = "t-or-n-differ"
# Options of the stage's fact that name the facts which read T and N.
_AXES: Final = {Axis.PRIMARY: "t_category", Axis.NODES: "n_category"}
Row = Mapping[str, Sequence[str]]


def with_extent(chart: Chart, definition: FactDefinition, fact: Fact, groups: Sequence[StageRecord]) -> Fact:
    """Return the stage's fact with what T and N at diagnosis say against its groups, or against each other.

    Args:
        chart: the record at a moment.
        definition: of the stage; its options may name the facts of T and N.
        fact: as judged.
        groups: the coded groups that count.
    """
    found = {
        axis: recorded_at_diagnosis(chart, chart.definitions[definition.options[option]])
        for axis, option in _AXES.items()
        if option in definition.options
    }
    last = {axis: winning(records) for axis, records in found.items()}
    notes, cited = [], []
    against = [group for group in groups if not _fits(chart, group, last)]
    if against:
        notes.append(AGAINST_GROUP)
        cited += [*against, *(record for records in last.values() for record in records)]
    for records in found.values():
        if len({record.value for record in records}) > 1:
            notes.append(DIFFER)
            cited += records
    known = {evidence.resource for evidence in fact.evidence}
    more = dict.fromkeys(record.evidence for record in cited if record.reference not in known)
    return replace(fact.noting(*notes), evidence=(*fact.evidence, *more))


def _fits(chart: Chart, group: StageRecord, last: Mapping[Axis, Sequence[StageRecord]]) -> bool:
    """Say whether some row of the group's own edition holds the T and N on record; without a table, it does."""
    table = disease_options(chart).get("stage_extent", {}).get(group.edition, {})
    rows: Sequence[Row] | None = table.get(group.value, table.get(group.value.rstrip("ABC")))
    return rows is None or any(_holds(row, last) for row in rows)


def _holds(row: Row, last: Mapping[Axis, Sequence[StageRecord]]) -> bool:
    return all(
        not records or any(one.value.endswith("X") or one.value in row.get(axis.value, (one.value,)) for one in records)
        for axis, records in last.items()
    )
