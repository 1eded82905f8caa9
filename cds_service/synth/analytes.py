"""How laboratories report each analyte: codes by property, units, usual values and ranges.

Usual values and ranges are ours and rough: they make plausible numbers, and no verdict rests on them but through the
range that is written beside the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unit:
    """One way to report an analyte.

    Args:
        code: UCUM.
        spellings: what people write in ``Quantity.unit``; all but the last four of the notes' section 5.2 are UCUM.
        loinc: the codes that fit the unit.
        usual: an ordinary value, least and greatest.
        digits: decimals that are reported.
        low: of the reference range.
        high: of the reference range, several laboratories.
    """

    code: str
    spellings: tuple[str, ...]
    loinc: tuple[str, ...]
    usual: tuple[float, float]
    digits: int
    low: str = ""
    high: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Analyte:
    """One measured thing.

    Args:
        texts: names beside the code.
        local: the hospital's own code.
        units: the ways it is reported.
        least: the protocol's lower limit in each unit; empty where the limit is a multiple of ULN.
        times_uln: the protocol's limit as a multiple of ULN.
        window: days that a value is good for.
    """

    texts: tuple[str, ...]
    local: str
    units: tuple[Unit, ...]
    least: tuple[str, ...] = ()
    times_uln: str = ""
    window: int = 14


_COUNT: Final = ("10*9/L", ("10*9/L", "10^9/L", "×10⁹/L"))
_THOUSANDS: Final = ("10*3/uL", ("10*3/uL", "K/uL"))

ANALYTES: Final[Mapping[str, Analyte]] = {
    "hemoglobin": Analyte(
        ("Hemoglobin", "血红蛋白"),
        "HGB",
        (
            Unit("g/L", ("g/L",), ("718-7", "30350-3"), (105, 165), 0, "115", ("150", "175")),
            Unit("g/dL", ("g/dL", "g/dl"), ("718-7", "20509-6"), (10.5, 16.5), 1, "11.5", ("15.0", "17.5")),
            Unit("mmol/L", ("mmol/L",), ("59260-0",), (6.6, 10.2), 2, "7.1", ("9.3", "10.9")),
        ),
        # 90 g/L / 16.114 = 5.585; see FACTORS in synth.truth.
        least=("90", "9.0", "5.59"),
    ),
    "neutrophils": Analyte(
        ("Neutrophils", "中性粒细胞绝对值"),
        "NEUT#",
        (
            Unit(*_COUNT, ("751-8", "26499-4"), (1.9, 7.2), 2, "1.8", ("6.3", "7.5")),
            Unit(*_THOUSANDS, ("751-8", "753-4"), (1.9, 7.2), 1, "1.8", ("6.3", "7.5")),
            Unit("/uL", ("/uL", "/µL"), ("26499-4",), (1900, 7200), 0, "1800", ("6300", "7500")),
        ),
        least=("1.50", "1.5", "1500"),
    ),
    "platelets": Analyte(
        ("Platelets", "血小板计数"),
        "PLT",
        (
            Unit(*_COUNT, ("777-3", "26515-7"), (130, 350), 0, "125", ("350",)),
            Unit(*_THOUSANDS, ("777-3", "778-1"), (130, 350), 0, "125", ("350",)),
        ),
        least=("100", "100"),
    ),
    "creatinine": Analyte(
        ("Creatinine", "肌酐"),
        "CREA",
        (
            Unit(
                "umol/L",
                ("umol/L", "μmol/L", "µmol/L"),
                ("14682-9", "59826-8"),
                (48, 96),
                0,
                "45",
                ("97", "104", "111"),
            ),
            Unit("mg/dL", ("mg/dL", "mg/dl"), ("2160-0", "38483-4"), (0.55, 1.1), 2, "0.5", ("1.1", "1.2", "1.3")),
        ),
        times_uln="1.5",
    ),
    "bilirubin": Analyte(
        ("Bilirubin, total", "总胆红素"),
        "TBIL",
        (
            Unit("umol/L", ("umol/L", "μmol/L"), ("14631-6", "54363-7"), (5, 19), 1, "3.4", ("20.5", "21", "23")),
            Unit("mg/dL", ("mg/dL",), ("1975-2", "42719-5"), (0.3, 1.1), 2, "0.2", ("1.2", "1.0")),
        ),
        times_uln="1.5",
    ),
    "ast": Analyte(
        ("AST", "谷草转氨酶"),
        "AST",
        (
            Unit("U/L", ("U/L", "IU/L"), ("1920-8", "30239-8", "88112-8"), (14, 39), 0, "13", ("40", "35", "34")),
            Unit("ukat/L", ("µkat/L", "ukat/L"), ("1920-8",), (0.25, 0.6), 2, "0.2", ("0.60", "0.68")),
        ),
        times_uln="2.5",
    ),
    "alt": Analyte(
        ("ALT", "谷丙转氨酶"),
        "ALT",
        (
            Unit("U/L", ("U/L", "IU/L"), ("1742-6", "1743-4", "76625-3"), (10, 44), 0, "7", ("50", "45", "40")),
            Unit("ukat/L", ("µkat/L", "ukat/L"), ("1742-6",), (0.2, 0.7), 2, "0.15", ("0.74", "0.80")),
        ),
        times_uln="2.5",
    ),
    "inr": Analyte(
        ("INR", "国际标准化比值"),
        "INR",
        (
            Unit("{INR}", ("INR", "{INR}"), ("6301-6", "34714-6"), (0.9, 1.15), 2, "0.8", ("1.2", "1.15")),
            Unit("1", ("1", ""), ("6301-6", "38875-1"), (0.9, 1.15), 2, "0.8", ("1.2",)),
        ),
        times_uln="1.5",
    ),
    "pt": Analyte(
        ("Prothrombin time", "凝血酶原时间"),
        "PT",
        (Unit("s", ("s", "sec"), ("5902-2", "5964-2"), (10.2, 13.0), 1, "9.8", ("12.8", "13.5", "14.5")),),
        times_uln="1.5",
    ),
    "aptt": Analyte(
        ("aPTT", "活化部分凝血活酶时间"),
        "APTT",
        (Unit("s", ("s",), ("14979-9", "3173-2"), (24, 36), 1, "22", ("37", "36.5", "40")),),
        times_uln="1.5",
    ),
    "weight": Analyte(
        ("Body weight", "体重"),
        "WT",
        (Unit("kg", ("kg",), ("29463-7", "3141-9"), (45, 88), 1),),
        window=30,
    ),
    "egfr": Analyte(
        ("eGFR",),
        "EGFR",
        (
            Unit(
                "mL/min/{1.73_m2}", ("mL/min/1.73m2", "mL/min/{1.73_m2}"), ("62238-1", "98979-8", "33914-3"), (0, 0), 0
            ),
        ),
    ),
    "clearance": Analyte(
        ("Creatinine clearance", "肌酐清除率"), "CCR", (Unit("mL/min", ("mL/min",), ("35591-7", "2164-2"), (0, 0), 0),)
    ),
}
