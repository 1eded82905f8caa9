"""Values that an honest server sends and nobody can judge, or only with care."""

from __future__ import annotations

from fault_kinds import NOT_READ, OBSERVED, Fault, O, changed, chart_of, hemoglobin, number_as, odd, on, with_record

ABSENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "error"}]}
BEFORE = "last 132 g/L, 3 days ago"
MARKED = changed("hb", **hemoglobin(123454321))
VALUES = (
    odd(
        30,
        "no value, but a reason for its absence",
        "no-value",
        "recorded without a value",
        changed("hb", valueQuantity=None, dataAbsentReason=ABSENT),
    ),
    odd(
        31,
        "an unknown unit",
        "unit-unusable",
        "its unit cannot be used, last 12.1 furlong, 3 days ago",
        changed("hb", **hemoglobin(12.1, "furlong")),
    ),
    odd(
        31,
        "no unit",
        "unit-unusable",
        "its unit cannot be used, last 12.1, 3 days ago",
        changed("hb", **hemoglobin(12.1, None)),
    ),
    odd(
        31,
        "a unit that does not convert",
        "unit-unusable",
        "its unit cannot be used, last 12.1 µmol/L, 3 days ago",
        changed("hb", **hemoglobin(12.1, "umol/L")),
    ),
    odd(
        32,
        "`<` 10 where 9 is asked",
        "comparator",
        "given only as a limit, last < 10 g/dL, 3 days ago",
        changed("hb", **hemoglobin(10, comparator="<")),
    ),
    chart_of(
        32,
        "`>` 10 where 9 is asked",
        "decides: every value it may be passes",
        changed("hb", **hemoglobin(10, comparator=">")),
    ),
    chart_of(
        32,
        "`<` 8 where 9 is asked",
        "decides: every value it may be fails",
        changed("hb", **hemoglobin(8, comparator="<")),
        sees="no card",
        reasons={"hemoglobin": "fail"},
    ),
    odd(
        33,
        "two results at one time, on both sides",
        "conflict",
        f"records contradict each other, {BEFORE}",
        with_record("hb", "hb2", **hemoglobin(8)),
    ),
    chart_of(
        34,
        "a result dated tomorrow, beside an older one",
        "does not use it",
        with_record("hb", "hb2", effectiveDateTime="2026-03-02T08:00:00+08:00", **hemoglobin(8)),
    ),
    odd(
        34,
        "a result dated tomorrow, and no other",
        "no-record",
        "nothing on record",
        changed("hb", effectiveDateTime="2026-03-02T08:00:00+08:00"),
    ),
    chart_of(34, "a time without a zone", "takes the day", changed("hb", effectiveDateTime="2026-02-26T08:00:00")),
    odd(
        34,
        "a year only",
        "imprecise-date",
        "its date is not exact, last 132 g/L, would pass",
        changed("hb", effectiveDateTime="2026"),
    ),
    odd(
        35,
        "a negative value",
        "unit-unusable",
        "its unit cannot be used, last -1 g/dL, 3 days ago",
        changed("hb", **hemoglobin(-1)),
    ),
    odd(
        35, "a number as text with a comma", "no-value", "recorded without a value", changed("hb", **hemoglobin("12,1"))
    ),
    odd(
        35,
        "`valueString` 1,2",
        "unmapped-code",
        "recorded in words not known here, last 1,2, 3 days ago",
        changed("hb", valueQuantity=None, valueString="1,2"),
    ),
    Fault(
        35,
        "1e400",
        "judges what is written: unknown, `no-value`",
        on(O, number_as(b"1e400"), MARKED),
        "NCT07235319: hemoglobin decides (recorded without a value); 14 of 15 computed criteria met",
        reasons={"hemoglobin": "no-value"},
    ),
    *(
        Fault(
            35,
            name,
            "refuses the whole answer: it is no JSON, or no measure",
            on(O, number_as(written), MARKED),
            NOT_READ.format(why="the answer was not FHIR JSON", met=4),
            "not read completely: Observation (the answer was not FHIR JSON)",
            unread=OBSERVED - {"stage"},
        )
        for name, written in (("NaN", b"NaN"), ("1e999999999", b"1e999999999"))
    ),
)
