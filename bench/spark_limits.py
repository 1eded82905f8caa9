"""`bench.laboratory_limits` as a Spark job on this machine: the same query in Spark's SQL, schemas named."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from bench.laboratory_limits import (
    CODES,
    DISEASE,
    FACTORS,
    FIRST,
    LOINC,
    NOT_SO,
    READ,
    STATUSES,
    Row,
    quoted,
    verdicts_in_sql,
)
from bench.patients import AS_OF

_CODED: Final = "STRUCT<coding: ARRAY<STRUCT<system: STRING, code: STRING>>>"
_NUMBER: Final = "STRUCT<value: DECIMAL(18, 4), code: STRING, unit: STRING>"
_REFERENCE: Final = "STRUCT<reference: STRING>"
_FILES: Final = {
    "Patient": "id STRING, birthDate DATE, gender STRING",
    "Condition": f"subject {_REFERENCE}, code {_CODED}, verificationStatus {_CODED}",
    "Observation": f"subject {_REFERENCE}, status STRING, code {_CODED}, effectiveDateTime STRING, "
    f"effectiveInstant STRING, effectivePeriod STRUCT<end: STRING>, valueQuantity {_NUMBER}, "
    f"referenceRange ARRAY<STRUCT<high: {_NUMBER}, appliesTo: ARRAY<{_CODED}>>>",
}


class LimitsInSpark:
    """A Spark session of two threads on loopback, and the query.

    Args:
        scratch: for what Spark puts on disk.
    """

    def __init__(self, scratch: Path) -> None:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        from pyspark.sql import SparkSession

        builder: Any = SparkSession.builder.master("local[2]").appName("bench")
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "2g",
            "spark.local.dir": str(scratch),
            "spark.sql.warehouse.dir": str(scratch / "warehouse"),
            # Two threads on one machine: the usual 200 parts after a join would be work for nothing.
            "spark.sql.shuffle.partitions": "4",
            "spark.log.level": "ERROR",
        }.items():
            builder = builder.config(name, value)
        self._session: Any = builder.getOrCreate()
        tables = {
            "lab": (list(CODES.items()), "code STRING, name STRING"),
            "factor": (
                [(*key, float(text)) for key, text in FACTORS.items()],
                "name STRING, unit STRING, factor DOUBLE",
            ),
            "disease": (sorted(DISEASE), "system STRING, code STRING"),
        }
        for name, (rows, schema) in tables.items():
            self._session.createDataFrame(rows, schema).createOrReplaceTempView(name)

    def rows(self, folder: Path) -> list[Row]:
        """Do it."""
        for kind, schema in _FILES.items():
            self._session.read.schema(schema).json(str(folder / f"{kind}.ndjson")).createOrReplaceTempView(kind)
        return [tuple(row) for row in self._session.sql(_text()).collect()]

    def cpu_seconds(self) -> float:
        """Return the processor's time that Spark's Java has taken, on Linux."""
        java = self._session.sparkContext._gateway.proc.pid
        fields = Path(f"/proc/{java}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime: proc(5)

    def stop(self) -> None:
        """End the session and its Java process."""
        gateway = self._session.sparkContext._gateway
        self._session.stop()
        gateway.shutdown()


def _text() -> str:
    years = f"floor(months_between(DATE '{AS_OF}', birth) / 12)"
    return f"""
    WITH born AS (SELECT id, birthDate AS birth, gender AS sex FROM Patient),
    stated AS (
        SELECT substring(subject.reference, 9) AS patient, explode(code.coding) AS coding FROM Condition
        WHERE coalesce(get(verificationStatus.coding, 0).code, '') NOT IN ({quoted(NOT_SO)})
    ), ill AS (
        SELECT DISTINCT born.* FROM stated
        JOIN disease ON coding.system = disease.system AND coding.code = disease.code
        JOIN born ON born.id = stated.patient
    ), results AS (
        SELECT substring(subject.reference, 9) AS patient, valueQuantity AS quantity, referenceRange AS spans,
            coalesce(effectiveDateTime, effectiveInstant, effectivePeriod.end) AS moment,
            get(filter(code.coding, one -> one.system = '{LOINC}'), 0).code AS code
        FROM Observation WHERE status IN ({quoted(STATUSES)}) AND valueQuantity IS NOT NULL
    ), latest AS (
        SELECT patient, name, max_by(quantity, moment) AS quantity, max_by(spans, moment) AS spans
        FROM results JOIN lab USING (code) JOIN ill ON ill.id = patient
        WHERE substring(moment, 1, 10) BETWEEN '{FIRST}' AND '{AS_OF}' GROUP BY patient, name
    ), amounts AS (
        SELECT patient, latest.name AS name, CASE WHEN latest.name IN ({quoted(READ[:3])})
            THEN round(double(quantity.value) * factor, 6)
            ELSE round(double(quantity.value) / double(get(filter(spans, one -> one.high IS NOT NULL
                AND (one.appliesTo IS NULL OR get(get(one.appliesTo, 0).coding, 0).code = sex)), 0).high.value), 6)
            END AS amount
        FROM latest JOIN ill ON ill.id = patient
        LEFT JOIN factor ON factor.name = latest.name AND factor.unit = coalesce(quantity.code, quantity.unit)
    ), wide AS (
        SELECT ill.id, birth, {", ".join(f"max(amount) FILTER (WHERE name = '{name}') AS {name}" for name in READ)}
        FROM ill LEFT JOIN amounts ON patient = ill.id GROUP BY ill.id, birth
    )
    {verdicts_in_sql(years)}
    """
