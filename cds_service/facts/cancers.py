"""Whether a code or its words name a malignant neoplasm: this disease, or another primary cancer."""

from __future__ import annotations

import re
from typing import Final

from cds_service.facts.elements import Coded
from cds_service.facts.names import names_nasopharyngeal_carcinoma, plain

# ICD-10 chapter II: C00-C97 are malignant neoplasms; C77-C80 are secondary or of unspecified site.
_OTHER_CANCER_ICD: Final = re.compile(r"C(?:[0-6]\d|7[0-6]|8[1-9]|9[0-7])")
# SNOMED CT gives no hierarchy by prefix: a malignant neoplasm is known by its display.
_CANCER_WORDS: Final = re.compile(
    r"carcinoma|cancer|malignan|lymphoma|leuk(?:a)?emia|sarcoma|melanoma|myeloma|癌|恶性肿瘤|肉瘤|淋巴瘤|白血病"
)
_NOT_A_PRIMARY: Final = re.compile(r"second|metasta|转移|继发|history|family|家族|病史|suspect|screen")


def names_the_disease(code: Coded) -> bool:
    """Say whether one of a code's texts names nasopharyngeal carcinoma."""
    return any(names_nasopharyngeal_carcinoma(name) for name in code.names() if name)


def names_cancer(code: Coded) -> bool:
    """Say whether a code is a primary malignant neoplasm: by ICD-10 chapter, else by its display."""
    icd = [c.code for c in code.codings if c.code and c.system and "icd-10" in c.system]
    if icd:
        return any(_OTHER_CANCER_ICD.match(c.upper()) for c in icd)
    return any(_CANCER_WORDS.search(plain(n)) and not _NOT_A_PRIMARY.search(plain(n)) for n in code.names() if n)


_ELSEWHERE: Final = (
    "(?:乳腺|肺|肝|胃|结肠|直肠|食管|前列腺|宫颈|卵巢|甲状腺|肾|膀胱|胰腺|喉)癌",
    r"(?:breast|lung|liver|gastric|stomach|colon|colorectal|rectal|prostate|cervical|ovarian|thyroid|renal|bladder|pancreatic)",
)
_OF_ANOTHER: Final = re.compile(
    rf"(?<!转移性)(?<!继发性){_ELSEWHERE[0]}.{{0,4}}转移"
    rf"|metasta\w*.{{0,30}} from (?:\w+ ){{0,3}}?{_ELSEWHERE[1]}"
    rf"|{_ELSEWHERE[1]} (?:cancer|carcinoma|ca)\b.{{0,20}} metasta"
)


def names_another_origin(code: Coded) -> bool:
    """Say whether a metastasis' own words give another cancer as its origin ("乳腺癌骨转移").

    "转移性肺癌" is a metastasis in the lung, of whatever origin.
    """
    return not names_the_disease(code) and any(_OF_ANOTHER.search(plain(name)) for name in code.names() if name)
