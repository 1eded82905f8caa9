"""Units of each analyte: an exact table, because one unit means different things for different analytes.

A table keyed by the unit alone cannot tell ``mL/min`` of clearance from ``mL/min`` per 1.73 m2 or urea from
urea nitrogen, nor find the moles in a milligram. Every factor leads to the analyte's canonical unit and is a
`Decimal` that ends, so a plain number converts without rounding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final, Literal

Property = Literal["mass", "moles"]


@dataclass(frozen=True)
class Unit:
    """One unit of one analyte.

    Args:
        factor: canonical units in one of this unit.
        property: what a LOINC code must say of a value in this unit; None where it does not matter.
    """

    factor: Decimal
    property: Property | None = None


@dataclass(frozen=True)
class Analyte:
    """One measured quantity.

    Args:
        canonical: the UCUM unit that rules are written in.
        units: by UCUM code, as `normalise_unit` gives it.
        low: the least plausible value, in the canonical unit.
        high: the greatest plausible value, in the canonical unit.
        whole: whether only whole numbers are values.
    """

    canonical: str
    units: Mapping[str, Unit]
    low: Decimal
    high: Decimal
    whole: bool = False


# Grams in a litre for one of the unit. The SI prefixes are exact.
_MASS: Final[Mapping[str, Decimal]] = {
    "g/L": Decimal(1),
    "g/dL": Decimal(10),
    "mg/mL": Decimal(1),
    "mg/dL": Decimal("0.01"),
    "mg/L": Decimal("0.001"),
    "ug/mL": Decimal("0.001"),
}
# Moles in a litre for one of the unit.
_MOLES: Final[Mapping[str, Decimal]] = {
    "mol/L": Decimal(1),
    "mmol/L": Decimal("0.001"),
    "umol/L": Decimal("0.000001"),
}
# Grams in a mole. Source: the molecular formula with the IUPAC standard atomic weights, rounded as the usual
# conversion tables round it (mg/dL to umol/L: creatinine x 88.402, bilirubin x 17.104, urate x 59.485).
# Hemoglobin is the monomer with one iron, which laboratories mean by a mole of it (g/L = mmol/L x 16.114).
_MOLAR_MASS: Final[Mapping[str, Decimal]] = {
    "hemoglobin": Decimal(16114),
    "creatinine": Decimal("113.12"),
    "bilirubin_total": Decimal("584.66"),
    "glucose": Decimal("180.156"),
    "urea": Decimal("60.06"),
    # The two nitrogen atoms of one urea: 2 x 14.007. Taken for urea, the result is off by a factor of two.
    "urea_nitrogen": Decimal("28.014"),
    "urate": Decimal("168.11"),
    "calcium": Decimal("40.078"),
    "cholesterol": Decimal("386.65"),
}
# A molar factor seldom ends. At 15 digits it is far finer than any balance, and short enough that a converted
# limit times 2.5 is still exact in the 28 digits of ordinary decimal arithmetic.
_MOLAR: Final = Context(prec=15)
# 60 digits hold the product of any reported number and any factor here; NaN and overflow come back, unraised.
_EXACT: Final = Context(prec=60, traps=[])
_SHOWN: Final = Context(prec=28, traps=[])


def _concentration(name: str, canonical: str, low: str, high: str, *without: str) -> Analyte:
    """Build an analyte that is reported as a mass or as moles in a volume."""
    molar_mass = _MOLAR_MASS[name]
    per_canonical = _MASS[canonical] if canonical in _MASS else _MOLES[canonical] * molar_mass
    grams: dict[str, tuple[Decimal, Property]] = {unit: (size, "mass") for unit, size in _MASS.items()}
    grams |= {unit: (size * molar_mass, "moles") for unit, size in _MOLES.items()}
    units = {u: Unit(_MOLAR.divide(size, per_canonical), p) for u, (size, p) in grams.items() if u not in without}
    return Analyte(canonical, units, Decimal(low), Decimal(high))


def _scaled(canonical: str, low: str, high: str, factors: Mapping[str, str]) -> Analyte:
    """Build an analyte whose units differ by a plain factor."""
    units = {canonical: Unit(Decimal(1))} | {unit: Unit(Decimal(factor)) for unit, factor in factors.items()}
    return Analyte(canonical, units, Decimal(low), Decimal(high))


def _count(low: str, high: str) -> Analyte:
    """Build an analyte that counts cells in blood; G/L is giga in a litre here, and nowhere else."""
    factors = {"10*6/mL": "1", "10*3/uL": "1", "10*3/mm3": "1", "/nL": "1", "G/L": "1"}
    factors |= {"10*4/uL": "10", "10*6/uL": "1000", "10*6/L": "0.001", "10*12/L": "1000", "10*3/mL": "0.001"}
    factors |= {"/uL": "0.001", "/mm3": "0.001", "/mL": "0.000001", "/L": "0.000000001"}
    return _scaled("10*9/L", low, high, factors)


def _enzyme(high: str) -> Analyte:
    """Build an enzyme activity.

    1 U is 1 umol in a minute and 1 kat is 1 mol in a second, so 1 ukat is 60 U (source: SI Brochure).
    UCUM gives the international unit a dimension of its own; for these enzymes it is the same unit.
    """
    factors = {"[IU]/L": "1", "mU/mL": "1", "m[IU]/mL": "1", "U/mL": "1000", "[IU]/mL": "1000"}
    return _scaled("U/L", "1", high, factors | {"ukat/L": "60", "nkat/L": "0.06"})


_TIME: Final = {"ms": "0.001"}
_SCORE: Final = {"1": "1", "": "1"}
_COPIES: Final = {"/mL": "1", "{copies}/L": "0.001", "/L": "0.001", "10*3/mL": "1000", "10*6/mL": "1000000"}

# The bounds are ours and wide: they catch a slip of the unit, not a sick patient.
ANALYTES: Final[Mapping[str, Analyte]] = {
    "hemoglobin": _concentration("hemoglobin", "g/L", "20", "250", "mol/L", "umol/L", "ug/mL"),
    "neutrophils": _count("0", "500"),
    "lymphocytes": _count("0", "1000"),
    "leukocytes": _count("0", "1000"),
    "platelets": _count("1", "2000"),
    "creatinine": _concentration("creatinine", "umol/L", "10", "2000", "mol/L", "g/dL", "mg/mL"),
    # Indexed and plain clearance are different quantities, although UCUM converts them one to one.
    "egfr": _scaled("mL/min/{1.73_m2}", "0", "300", {"mL/s/{1.73_m2}": "60"}),
    "creatinine_clearance": _scaled("mL/min", "0", "500", {"mL/s": "60", "L/min": "1000"}),
    "bilirubin_total": _concentration("bilirubin_total", "umol/L", "0.5", "2000", "mol/L", "g/dL", "mg/mL"),
    "ast": _enzyme("20000"),
    "alt": _enzyme("20000"),
    "alp": _enzyme("20000"),
    "ldh": _enzyme("50000"),
    # No moles: sources give albumin between 65 and 69 kDa, so a molar value has no exact mass.
    "albumin": _scaled("g/L", "5", "100", {"g/dL": "10", "mg/mL": "1", "mg/dL": "0.01", "mg/L": "0.001"}),
    "inr": _scaled("1", "0.5", "20", {"": "1", "{INR}": "1", "{ratio}": "1"}),
    "pt": _scaled("s", "5", "200", _TIME),
    "aptt": _scaled("s", "10", "400", _TIME),
    # The pound, ounce, inch and foot are exact (international yard and pound agreement, 1959).
    "body_weight": _scaled("kg", "2", "400", {"g": "0.001", "[lb_av]": "0.45359237", "[oz_av]": "0.028349523125"}),
    "body_height": _scaled("cm", "30", "250", {"m": "100", "mm": "0.1", "[in_i]": "2.54", "[ft_i]": "30.48"}),
    "body_surface_area": _scaled("m2", "0.1", "4", {}),
    "lesion_size": _scaled("mm", "0", "500", {"cm": "10"}),
    "glucose": _concentration("glucose", "mmol/L", "0.1", "150", "mol/L", "g/dL", "mg/mL"),
    "urea": _concentration("urea", "mmol/L", "0.1", "150", "mol/L", "g/dL", "mg/mL"),
    "urea_nitrogen": _concentration("urea_nitrogen", "mmol/L", "0.1", "150", "mol/L", "g/dL", "mg/mL"),
    "urate": _concentration("urate", "umol/L", "5", "3000", "mol/L", "g/dL", "mg/mL"),
    "calcium": _concentration("calcium", "mmol/L", "0.3", "8", "mol/L", "g/dL", "mg/mL"),
    "cholesterol": _concentration("cholesterol", "mmol/L", "0.2", "60", "mol/L", "mg/mL"),
    "tsh": _scaled("m[IU]/L", "0", "2000", {"u[IU]/mL": "1", "mU/L": "1", "uU/mL": "1"}),
    # Copies and international units do not convert: the factor depends on the assay.
    "ebv_dna": _scaled("{copies}/mL", "0", "1e12", _COPIES),
    "ebv_dna_iu": _scaled("[IU]/mL", "0", "1e12", {"k[IU]/mL": "1000", "[IU]/L": "0.001"}),
    "ecog": replace(_scaled("{score}", "0", "5", _SCORE), whole=True),
    "karnofsky": _scaled("{score}", "0", "100", _SCORE | {"%": "1"}),
}


def convert(analyte: str, value: Decimal, unit: str | None, to: str | None = None) -> Decimal | None:
    """Convert a value between two units of one analyte.

    Into the canonical unit the result is exact, so a value and its limit that came in one unit keep their
    ratio. In its own unit the value comes back untouched. Elsewhere a result that does not end has 28 digits.

    Args:
        analyte: a name in `ANALYTES`.
        value: the number as reported.
        unit: ``Quantity.code`` or ``Quantity.unit`` in any spelling; INR and scores alone may have none.
        to: the unit wanted, the canonical one by default.

    Returns:
        None when a unit is missing or no unit of this analyte, or the value is not a finite number. The size
        of the number is never used to guess.

    Raises:
        KeyError: no such analyte.

    >>> convert("hemoglobin", Decimal("9.0"), "g/dL")
    Decimal('90.0')
    >>> convert("egfr", Decimal(75), "mL/min") is None
    True
    """
    entry = ANALYTES[analyte]
    given, wanted = normalise_unit(unit or ""), normalise_unit(entry.canonical if to is None else to)
    if given not in entry.units or wanted not in entry.units or not value.is_finite():
        return None
    if given == wanted:
        return value
    canonical = _EXACT.multiply(value, entry.units[given].factor)
    divisor = entry.units[wanted].factor
    result = canonical if divisor == 1 else _SHOWN.divide(canonical, divisor)
    return result if result.is_finite() else None


def unit_property(analyte: str, unit: str) -> Property | None:
    """Return whether a unit of this analyte speaks of mass or of moles, to check a LOINC code against it.

    >>> unit_property("creatinine", "μmol/L"), unit_property("ast", "U/L")
    ('moles', None)
    """
    known = ANALYTES[analyte].units.get(normalise_unit(unit))
    return known.property if known else None


def canonical_unit(analyte: str) -> str:
    """Return the UCUM unit that rules on this analyte are written in.

    >>> canonical_unit("platelets")
    '10*9/L'
    """
    return ANALYTES[analyte].canonical


def within_bounds(analyte: str, canonical_value: Decimal) -> bool:
    """Say whether a value in the canonical unit is plausible, both bounds included.

    >>> within_bounds("hemoglobin", Decimal("12.1"))  # g/dL sent as g/L
    False
    >>> within_bounds("ecog", Decimal("1.5"))  # no grade
    False
    """
    entry = ANALYTES[analyte]
    if not canonical_value.is_finite() or (entry.whole and canonical_value != canonical_value.to_integral_value()):
        return False
    return entry.low <= canonical_value <= entry.high


_MICRO: Final = str.maketrans({"µ": "u", "μ": "u", "×": "x", "✕": "x", "·": ".", "⋅": ".", "∕": "/", "⁄": "/"})
_SUPERSCRIPT: Final = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_CELLS: Final = re.compile(r"\.?\{(?:cells?|#|wbcs?|plt|leukocytes|neutrophils|platelets)\}", re.I)
_POWER: Final = re.compile(r"[x*.]?(?:10(?:\*\*|[*^e])|1e)(3|4|6|9|12)/(l|ml|ul|mcl|mm3|mm\^3|cmm|cumm)", re.I)
_THOUSANDS: Final = re.compile(r"(?:k|thou|thousand|tsd\.?)/(ul|mcl|mm3|mm\^3|cmm|cumm)", re.I)
_PLAIN_COUNT: Final = re.compile(r"(?:cells?|#)?/(l|ml|ul|mcl|nl|mm3|mm\^3|cmm|cumm)", re.I)
_INDEXED: Final = re.compile(
    r"ml/(?:(min|s)(?:/|\.|\*|per)?[\[({]*1[.,]73[_.*]?(?:m2|m\^2|m\*2|m\*\*2|sqm)[\])}]*"
    r"|\((min|s)[.*x]1[.,]73(?:m2|m\^2)\))",
    re.I,
)
_VOLUME: Final = {"l": "L", "ml": "mL", "ul": "uL", "mcl": "uL", "nl": "nL"}  # the rest are cubic millimetres
# A capital M before a small letter is mega, which no analyte here uses: read as milli it would be a guess.
_MEGA: Final = re.compile(r"(?<![A-Za-z])M(?=[a-z])")
_LONGEST: Final = 48

_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "g/dL": ("g/100mL", "gm/dL", "gms/dL", "g%"),
    # Small g is gram and capital G is giga, whatever the case of the litre.
    "g/L": ("g/l", "gm/L", "克/升"),
    "G/L": ("G/l", "Gpt/L"),
    "mg/dL": ("mg/100mL", "mg%"),
    "ug/mL": ("mcg/mL",),
    "umol/L": ("mcmol/L", "micromol/L"),
    "mmol/L": ("毫摩尔/升",),
    "[IU]/L": ("IU/L", "[iU]/L"),
    "[IU]/mL": ("IU/mL", "[iU]/mL"),
    "m[IU]/L": ("mIU/L", "m[iU]/L"),
    "m[IU]/mL": ("mIU/mL", "m[iU]/mL"),
    "u[IU]/mL": ("uIU/mL", "u[iU]/mL", "mcIU/mL"),
    "k[IU]/mL": ("kIU/mL", "k[iU]/mL"),
    "uU/mL": ("mcU/mL",),
    "U/L": ("单位/升", "units/L", "unit/L"),
    "ukat/L": ("mckat/L", "microkat/L"),
    "mL/min": ("毫升/分", "毫升/分钟"),
    "s": ("sec", "secs", "second", "seconds", "秒"),
    "ms": ("msec", "毫秒"),
    "kg": ("kgs", "公斤", "千克"),
    "[lb_av]": ("lb", "lbs", "pound", "pounds"),
    "[oz_av]": ("oz",),
    "[in_i]": ("in", "inch", "inches"),
    "[ft_i]": ("ft", "feet"),
    "cm": ("cms", "厘米"),
    "mm": ("毫米",),
    "m": ("米",),
    "m2": ("m^2",),
    "{INR}": ("INR",),
    "{ratio}": ("ratio",),
    "{score}": ("score", "[score]"),
    "{copies}/mL": ("copies/mL", "copy/mL", "cp/mL", "cps/mL", "[copies]/mL", "拷贝/毫升", "拷贝/mL"),
    "{copies}/L": ("copies/L",),
}


def _folded() -> dict[str, str]:
    """Map every spelling, in small letters, to its unit; where two units fold together, to neither."""
    spelled = [(u, u) for analyte in ANALYTES.values() for u in analyte.units]
    spelled += [(spelling, unit) for unit, others in _SPELLINGS.items() for spelling in others]
    meanings: dict[str, set[str]] = {}
    for spelling, unit in spelled:
        meanings.setdefault(spelling.casefold(), set()).add(unit)
    return {folded: next(iter(units)) for folded, units in meanings.items() if len(units) == 1}


_FOLDED: Final = _folded()
_EXACT_SPELLINGS: Final[Mapping[str, str]] = {u: u for analyte in ANALYTES.values() for u in analyte.units} | {
    spelling: unit for unit, others in _SPELLINGS.items() for spelling in others
}


def normalise_unit(text: str) -> str:
    """Return the UCUM code of a unit in any spelling we know; one we do not know comes back as it was.

    Letter case is forgiven where it cannot change the size: ``Mg/dL`` stays mega, ``g/L`` is not ``G/L``.

    >>> normalise_unit("×10⁹/L"), normalise_unit("K/uL"), normalise_unit("ml/min/1.73 m²")
    ('10*9/L', '10*3/uL', 'mL/min/{1.73_m2}')
    >>> normalise_unit("Mg/dL")
    'Mg/dL'
    """
    return _normalise(text) if len(text) <= _LONGEST else text


@lru_cache(maxsize=1024)
def _normalise(text: str) -> str:
    if text in _EXACT_SPELLINGS:
        return _EXACT_SPELLINGS[text]
    # Superscripts first: NFKC would turn 10⁹ into 109.
    powers = _SUPERSCRIPT.sub(lambda match: "^" + unicodedata.normalize("NFKC", match[0]), text)
    # NFKC makes full-width letters plain and spells out single signs such as ㎎; its mu is then mapped again.
    clean = "".join(unicodedata.normalize("NFKC", powers.translate(_MICRO)).translate(_MICRO).split())
    if clean in _EXACT_SPELLINGS:
        return _EXACT_SPELLINGS[clean]
    if match := _INDEXED.fullmatch(clean):
        second = "s" in (match[1], match[2])
        return "mL/s/{1.73_m2}" if second else "mL/min/{1.73_m2}"
    count = _CELLS.sub("", clean)
    if match := _POWER.fullmatch(count):
        return f"10*{match[1]}/{_VOLUME.get(match[2].lower(), 'mm3')}"
    if match := _THOUSANDS.fullmatch(count):
        return f"10*3/{_VOLUME.get(match[1].lower(), 'mm3')}"
    if match := _PLAIN_COUNT.fullmatch(count):
        return f"/{_VOLUME.get(match[1].lower(), 'mm3')}"
    return clean if _MEGA.search(clean) else _FOLDED.get(clean.casefold(), clean)
