"""Text recognised by name: drugs, histology, stage, response, disease. It never passes a criterion.

A name gives ``clinician`` with a leaning, since text is negated, doubted and copied forward in ways no pattern
sees. The traps that a pattern must see are here: "non-keratinizing" contains "keratinizing", and 非角化 contains
角化; "rule out" and 排除 turn a diagnosis round. Source: clinical notes, sections 3.2, 3.10 and 5.2.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from cds_service.facts.codes import ValueSet


def plain(text: str) -> str:
    """Return text folded for matching: full-width to ASCII, lower case, single spaces."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().lower()


_DOUBT: Final = re.compile(
    r"疑似|可疑|考虑|待排|排除|除外|否认|未见|无.{0,4}史|家族史|既往|病史|\?"
    r"|rule[ds]? out|r/o|suspect|suspicious|possible|probable|query|no evidence|negative for"
    r"|without|denies|history|family|not |\bno\b|exclude"
)


def doubted(text: str) -> bool:
    """Say whether a text negates, doubts or only remembers what it names."""
    return bool(_DOUBT.search(plain(text)))


def named_in(texts: Iterable[str], names: ValueSet) -> bool:
    """Say whether one of the value set's names stands in one of the texts.

    Latin names must stand alone (``s-1`` is not in ``as-10``); Chinese ones may stand anywhere.
    """
    folded = [plain(text) for text in texts if text]
    return any(holds_name(text, plain(concept.code)) for text in folded for concept in names.concepts)


def holds_name(text: str, name: str) -> bool:
    """Say whether a folded text holds a folded name; a Latin one must stand alone."""
    if not name.isascii():
        return name in text
    return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text) is not None


_DISEASE: Final = re.compile(
    r"鼻咽(?:部)?(?:癌|恶性肿瘤|未分化癌|非角化|鳞)|nasopharyn\w* (?:carcinoma|cancer|ca\b|malignan)"
    r"|(?:carcinoma|cancer|ca|malignan\w+ \w+) of (?:the )?nasophar\w*|\bnpc\b"
)


def names_nasopharyngeal_carcinoma(text: str) -> bool:
    """Say whether a text names nasopharyngeal carcinoma."""
    return bool(_DISEASE.search(plain(text)))


def histology_side(text: str) -> bool | None:
    """Return whether a text names a non-keratinizing (True) or another type (False); None for neither.

    >>> histology_side("非角化性癌，未分化型"), histology_side("角化型鳞状细胞癌"), histology_side("鳞癌")
    (True, False, None)
    """
    folded = plain(text)
    if re.search(r"非角化|未分化|non-? ?keratini[sz]ing|undifferentiated|lymphoepithelial|淋巴上皮", folded):
        return True
    if re.search(r"角化|keratini[sz]ing|basaloid|基底样|adenocarcinoma|腺癌|lymphoma|淋巴瘤", folded):
        return False
    return None


def metastasis_side(text: str) -> bool | None:
    """Return what an M category in text says: True for M1, False for M0; None for neither.

    >>> metastasis_side("T3N2M1b IVB期"), metastasis_side("cT4N2M0"), metastasis_side("T3N2")
    (True, False, None)
    """
    found = set(re.findall(r"m\s*([01])", plain(text)))
    return None if len(found) != 1 else found == {"1"}


_ROMAN: Final = re.compile(r"(?<![a-z])(iv|iii|ii|i)\s*([abc])?(?![a-z])|(?<![0-9.])([1-4])\s*([abc])?(?![0-9.])")


def stage_group_in(text: str) -> str | None:
    """Return a stage group written in text ("IVa期", "ⅣA", "stage 4a"), as ``IVA``; None for none.

    >>> stage_group_in("Ⅳb期"), stage_group_in("4A"), stage_group_in("T3N2M1b IVB期")
    ('IVB', 'IVA', 'IVB')
    """
    folded = re.sub(r"[tnm]\s*[0-4x][a-c]?", " ", plain(text))
    match = _ROMAN.search(folded)
    if match is None:
        return None
    roman = match[1] or ("i", "ii", "iii", "iv")[int(match[3]) - 1]
    return (roman + (match[2] or match[4] or "")).upper()


def edition_in(text: str) -> str | None:
    """Return the staging edition named in a text ("AJCC 第9版", "8th edition"), None for none."""
    match = re.search(
        r"第\s*([6-9九八七六])\s*版|(?<!\d)([6-9])\s*(?:th|\.)?\s*(?:ed|version|auflage|版)"
        r"|(?:version|edition|\bv)\s*([6-9])(?!\d)",
        plain(text),
    )
    if match is None:
        return None
    found = match[1] or match[2] or match[3]
    return {"九": "9", "八": "8", "七": "7", "六": "6"}.get(found, found)


def response_in(text: str) -> str | None:
    """Return the response a text names: CR, PR, SD, PD; None for none."""
    folded = plain(text)
    for code, pattern in (
        ("PD", r"\bpd\b|progress|进展"),
        ("SD", r"\bsd\b|stable disease|稳定"),
        ("PR", r"\bpr\b|partial|部分缓解"),
        ("CR", r"\bcr\b|complete (?:response|remission)|完全缓解"),
    ):
        if re.search(pattern, folded):
            return code
    return None
