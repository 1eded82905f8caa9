"""Cockcroft-Gault and CKD-EPI 2021 against the published vectors of the clinical notes, section 3.9."""

from decimal import Decimal

import pytest

from cds_service.facts.renal import ckd_epi_2021, cockcroft_gault

# age, sex, weight in kg, creatinine in mg/dL, clearance in mL/min, eGFR in mL/min/1.73 m2
VECTORS = [
    (55, "male", 70, "1.2", "68.9", "71.4"),
    (55, "female", 55, "1.2", "46.0", "53.5"),
    (40, "male", 62, "0.8", "107.6", "114.7"),
    (70, "female", 48, "0.9", "44.1", "68.8"),
    (62, "male", 80, "1.5", "57.8", "52.3"),
]


@pytest.mark.parametrize(("age", "sex", "weight", "creatinine", "clearance", "egfr"), VECTORS)
def test_the_vectors(age: int, sex: str, weight: int, creatinine: str, clearance: str, egfr: str) -> None:
    assert f"{cockcroft_gault(Decimal(age), sex, Decimal(weight), Decimal(creatinine)):.1f}" == clearance
    assert f"{ckd_epi_2021(Decimal(age), sex, Decimal(creatinine)):.1f}" == egfr
