"""A part of the first trial as a query would hold it: age, and the limits of the laboratory, for patients with NPC.

Codes, units with factors, the window, the latest result, the range for the patient's sex. Left out of what the service
does: every other criterion, estimates of filtration, conflicts, ranges of dates, local codes, evidence, reasons. Where
the answer hangs on one of them (creatinine over its limit, an elevated AST that liver metastases may allow, a clotting
time that anticoagulation may explain), it is "more": not settled here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bench.patients import AS_OF
from cds_service.synth.analytes import ANALYTES
from cds_service.synth.codes import NPC, NPC_NONKERATINIZING

LOINC: Final = "http://loinc.org"
READ: Final = ("hemoglobin", "neutrophils", "platelets", "creatinine", "bilirubin", "ast", "alt", "inr", "pt", "aptt")
CODES: Final = {code: name for name in READ for unit in ANALYTES[name].units for code in unit.loinc}
DISEASE: Final = frozenset((system, code) for system, code, _ in (*NPC, *NPC_NONKERATINIZING))
# To the protocol's unit, by analyte; the others are multiples of their own range's limit. 16.114: g/L in one mmol/L.
FACTORS: Final = {
    ("hemoglobin", "g/L"): "1",
    ("hemoglobin", "g/dL"): "10",
    ("hemoglobin", "g/dl"): "10",
    ("hemoglobin", "mmol/L"): "16.114",
    **{(name, unit): "1" for name in ("neutrophils", "platelets") for unit in ("10*9/L", "10^9/L", "×10⁹/L")},
    **{(name, unit): "1" for name in ("neutrophils", "platelets") for unit in ("10*3/uL", "K/uL")},
    **{("neutrophils", unit): "0.001" for unit in ("/uL", "/µL")},
}
STATUSES: Final = ("final", "amended", "corrected")
NOT_SO: Final = ("refuted", "entered-in-error")
FIRST: Final = AS_OF - timedelta(days=14)
CRITERIA: Final = (
    "age",
    "hemoglobin",
    "neutrophils",
    "platelets",
    "renal",
    "bilirubin",
    "transaminases",
    "inr-pt",
    "aptt",
)
Row = tuple[str, ...]
"""The patient, and a verdict for each of `CRITERIA`."""

_FACTORS: Final = {key: Decimal(text) for key, text in FACTORS.items()}


def plain_python(folder: Path) -> list[Row]:
    """Do it with orjson and one pass over each file; values as Decimals, since limits are met exactly."""
    import orjson

    born: dict[str, tuple[str, str]] = {}
    with (folder / "Patient.ndjson").open("rb") as lines:
        for line in lines:
            resource = orjson.loads(line)
            born[resource["id"]] = (resource["birthDate"], resource["gender"])
    ill = set()
    with (folder / "Condition.ndjson").open("rb") as lines:
        for line in lines:
            resource = orjson.loads(line)
            doubt = resource.get("verificationStatus", {}).get("coding", [{}])[0].get("code")
            coded = resource.get("code", {}).get("coding", ())
            if doubt not in NOT_SO and any((one["system"], one["code"]) in DISEASE for one in coded):
                ill.add(resource["subject"]["reference"][8:])
    ill &= set(born)
    latest: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    first, last = FIRST.isoformat(), AS_OF.isoformat()
    with (folder / "Observation.ndjson").open("rb") as lines:
        for line in lines:
            resource = orjson.loads(line)
            quantity = resource.get("valueQuantity")
            patient = resource["subject"]["reference"][8:]
            if quantity is None or resource["status"] not in STATUSES or patient not in ill:
                continue
            codes = (CODES.get(one["code"]) for one in resource["code"]["coding"] if one["system"] == LOINC)
            name = next((one for one in codes if one), None)
            if name is None:
                continue
            when = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
            when = when or resource["effectivePeriod"]["end"]
            if not first <= when[:10] <= last:
                continue
            held = latest.get((patient, name))
            if held is None or held[0] < when:
                latest[patient, name] = (when, resource)
    rows = []
    for patient in sorted(ill):
        birth, sex = born[patient]
        found = {
            name: _amount(name, latest[patient, name][1], sex) if (patient, name) in latest else None for name in READ
        }
        rows.append((patient, *_verdicts(date.fromisoformat(birth), found)))
    return rows


def _amount(name: str, resource: Mapping[str, Any], sex: str) -> Decimal | None:
    """Return the value in the protocol's unit, or as a multiple of the range's limit."""
    quantity = resource["valueQuantity"]
    value = Decimal(repr(quantity["value"]))
    if name in READ[:3]:
        factor = _FACTORS.get((name, quantity.get("code") or quantity.get("unit")))
        return None if factor is None else value * factor
    for span in resource.get("referenceRange", ()):
        whose = span.get("appliesTo")
        if "high" in span and (whose is None or whose[0]["coding"][0]["code"] == sex):
            # Six digits: as many as the query keeps, and more than a limit has.
            return (value / Decimal(repr(span["high"]["value"]))).quantize(Decimal("0.000001"))
    return None


def _verdicts(birth: date, found: Mapping[str, Decimal | None]) -> tuple[str, ...]:
    age = AS_OF.year - birth.year - ((AS_OF.month, AS_OF.day) < (birth.month, birth.day))

    def least(name: str, limit: Decimal | int) -> str:
        value = found[name]
        return "unknown" if value is None else "pass" if value >= limit else "fail"

    def most(name: str, limit: Decimal, beyond: str) -> str:
        value = found[name]
        return "unknown" if value is None else "pass" if value <= limit else beyond

    def enzyme(name: str) -> str:
        value = found[name]
        if value is None:
            return "unknown"
        return "pass" if value <= _D25 else "more" if value <= 5 else "fail"

    pair = {enzyme("ast"), enzyme("alt")}
    clotting = {most("inr", _D15, "more"), most("pt", _D15, "more")} - {"unknown"}
    return (
        "pass" if 18 <= age <= 70 else "fail",
        least("hemoglobin", 90),
        least("neutrophils", _D15),
        least("platelets", 100),
        most("creatinine", _D15, "more"),
        most("bilirubin", _D15, "fail"),
        next(one for one in ("fail", "unknown", "more", "pass") if one in pair),
        "unknown" if not clotting else clotting.pop() if len(clotting) == 1 else "more",
        most("aptt", _D15, "more"),
    )


_D15, _D25 = Decimal("1.5"), Decimal("2.5")


def quoted(words: Iterable[str]) -> str:
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)


def in_duckdb(folder: Path, threads: int = 2) -> list[Row]:
    """Do it in SQL with DuckDB, columns named, values read as decimals."""
    import duckdb

    with duckdb.connect(config={"threads": threads}) as database:
        database.execute("CREATE TEMP TABLE lab(code VARCHAR, name VARCHAR)")
        database.executemany("INSERT INTO lab VALUES (?, ?)", list(CODES.items()))
        database.execute("CREATE TEMP TABLE factor(name VARCHAR, unit VARCHAR, factor DECIMAL(9, 4))")
        database.executemany("INSERT INTO factor VALUES (?, ?, ?)", [(*key, text) for key, text in FACTORS.items()])
        database.execute("CREATE TEMP TABLE disease(system VARCHAR, code VARCHAR)")
        database.executemany("INSERT INTO disease VALUES (?, ?)", sorted(DISEASE))
        found: list[Row] = database.execute(_duckdb_text(folder)).fetchall()
        return found


_CODING: Final = "STRUCT(system VARCHAR, code VARCHAR)[]"
_NUMBER: Final = 'STRUCT("value" DECIMAL(18, 4), code VARCHAR, unit VARCHAR)'


def _duckdb_text(folder: Path) -> str:
    def read(kind: str, **columns: str) -> str:
        told = ", ".join(f"{name}: '{shape}'" for name, shape in columns.items())
        return f"read_json('{folder / kind}.ndjson', format='newline_delimited', columns={{{told}}})"

    reference = "STRUCT(reference VARCHAR)"
    conditions = read(
        "Condition",
        subject=reference,
        code=f"STRUCT(coding {_CODING})",
        verificationStatus=f"STRUCT(coding {_CODING})",
    )
    observations = read(
        "Observation",
        subject=reference,
        status="VARCHAR",
        code=f"STRUCT(coding {_CODING})",
        effectiveDateTime="VARCHAR",
        effectiveInstant="VARCHAR",
        effectivePeriod='STRUCT("end" VARCHAR)',
        valueQuantity=_NUMBER,
        referenceRange=f"STRUCT(high {_NUMBER}, appliesTo STRUCT(coding {_CODING})[])[]",
    )
    return f"""
    WITH born AS MATERIALIZED (
        SELECT id, birthDate AS birth, gender AS sex
        FROM {read("Patient", id="VARCHAR", birthDate="DATE", gender="VARCHAR")}
    ), stated AS (
        SELECT subject.reference[9:] AS patient, unnest(code.coding) AS coding
        FROM {conditions}
        WHERE coalesce(verificationStatus.coding[1].code, '') NOT IN ({quoted(NOT_SO)})
    ), ill AS MATERIALIZED (
        SELECT DISTINCT born.* FROM stated
        JOIN disease ON coding.system = disease.system AND coding.code = disease.code
        JOIN born ON born.id = stated.patient
    ), results AS (
        SELECT subject.reference[9:] AS patient, valueQuantity AS quantity, referenceRange AS spans,
            coalesce(effectiveDateTime, effectiveInstant, effectivePeriod."end") AS moment,
            list_filter(code.coding, lambda one: one.system = '{LOINC}')[1].code AS code
        FROM {observations}
        WHERE status IN ({quoted(STATUSES)}) AND valueQuantity IS NOT NULL
    ), latest AS (
        SELECT patient, name, arg_max(quantity, moment) AS quantity, arg_max(spans, moment) AS spans
        FROM results JOIN lab USING (code) JOIN ill ON ill.id = patient
        WHERE moment[1:10] BETWEEN '{FIRST}' AND '{AS_OF}'
        GROUP BY ALL
    ), amounts AS (
        SELECT patient, latest.name AS name, CASE WHEN latest.name IN ({quoted(READ[:3])})
            THEN quantity."value" * factor
            ELSE round(quantity."value"::DOUBLE / list_filter(spans, lambda one: one.high IS NOT NULL
                AND (one.appliesTo IS NULL OR one.appliesTo[1].coding[1].code = sex))[1].high."value", 6)
            END AS amount
        FROM latest JOIN ill ON ill.id = patient
        LEFT JOIN factor ON factor.name = latest.name AND factor.unit = coalesce(quantity.code, quantity.unit)
    ), wide AS (
        SELECT ill.id, birth, {", ".join(f"max(amount) FILTER (name = '{name}') AS {name}" for name in READ)}
        FROM ill LEFT JOIN amounts ON patient = ill.id GROUP BY ALL
    )
    {verdicts_in_sql("date_part('year', age(DATE '" + str(AS_OF) + "', birth))")}
    """


def verdicts_in_sql(age: str) -> str:
    """Return the last part of the query: SQL that DuckDB and Spark both read."""

    def limit(test: str, name: str, beyond: str) -> str:
        return f"CASE WHEN {name} IS NULL THEN 'unknown' WHEN {name} {test} THEN 'pass' ELSE '{beyond}' END"

    return f"""
    SELECT id, CASE WHEN {age} BETWEEN 18 AND 70 THEN 'pass' ELSE 'fail' END AS age,
        {limit(">= 90", "hemoglobin", "fail")} AS hemoglobin_limit,
        {limit(">= 1.5", "neutrophils", "fail")} AS neutrophils_limit,
        {limit(">= 100", "platelets", "fail")} AS platelets_limit,
        {limit("<= 1.5", "creatinine", "more")} AS renal,
        {limit("<= 1.5", "bilirubin", "fail")} AS bilirubin_limit,
        CASE WHEN ast > 5 OR alt > 5 THEN 'fail' WHEN ast IS NULL OR alt IS NULL THEN 'unknown'
            WHEN ast <= 2.5 AND alt <= 2.5 THEN 'pass' ELSE 'more' END AS transaminases,
        CASE WHEN inr IS NULL AND pt IS NULL THEN 'unknown'
            WHEN coalesce(inr, pt) <= 1.5 AND coalesce(pt, inr) <= 1.5 THEN 'pass' ELSE 'more' END AS inr_pt,
        {limit("<= 1.5", "aptt", "more")} AS aptt_limit
    FROM wide ORDER BY id
    """
