"""Words that name an anti-tumour treatment: never proof, but no record that holds them says "none found"."""

from __future__ import annotations

import re
from typing import Final

from cds_service.facts.names import plain

_MORE_THAN_DRUGS: Final = re.compile(
    r"放疗|放射治疗|放化疗|淋巴结清扫|鼻咽\S{0,6}切除|radiotherap|radiation therap|irradiation|\bimrt\b|chemoradi"
    r"|neck dissection|nasopharyngectomy|(?:resection|excision) of (?:the )?nasophar"
)
_DRUGS: Final = re.compile(r"化疗|化学治疗|免疫治疗|靶向治疗|chemotherap|immunotherap")
# Planned, refused or denied. 未分化 (undifferentiated) is no denial.
_NOT_GIVEN: Final = re.compile(
    r"计划|拟行|拟予|准备|建议|咨询|宣教|定位|拒绝|否认|无(?:放|化|手术|治疗).{0,4}史|未(?:行|予|经|曾|接受)*(?:放|化|免疫|靶向)"
    r"|planning|planned|consult|education|counsel|simulation|refus|declin|no (?:prior|previous)|without|never|na[iï]ve"
)


def names_treatment(text: str) -> bool:
    """Say whether a text names an anti-tumour treatment, and not its planning, refusal or absence.

    >>> names_treatment("鼻咽未分化癌化疗后"), names_treatment("未行放疗"), names_treatment("radiotherapy planning")
    (True, False, False)
    """
    folded = plain(text)
    return bool(_MORE_THAN_DRUGS.search(folded) or _DRUGS.search(folded)) and not _NOT_GIVEN.search(folded)


def names_more_than_drugs(text: str) -> bool:
    """Say whether a text names radiotherapy or surgery.

    >>> names_more_than_drugs("鼻咽癌放化疗后"), names_more_than_drugs("鼻咽癌化疗后")
    (True, False)
    """
    return bool(_MORE_THAN_DRUGS.search(plain(text)))
