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
    r"疑似|可疑|考虑|待排|待查|排除|除外|否认|未见|未发现|未提示|无.{0,6}转移|无.{0,4}史|家族史|既往|病史|\?"
    r"|rule[ds]? out|r/o|suspect|suspicious|possible|probable|query|no evidence|negative for"
    r"|without|denies|history|family|not |\bno\b|exclude"
)


def doubted(text: str) -> bool:
    """Say whether a text negates, doubts or only remembers what it names."""
    return bool(_DOUBT.search(plain(text)))


_SUSPICION: Final = re.compile(
    r"疑似|可疑|考虑|待排|待查|排除|除外|(?<!\?)\?{1,2}(?!\?)"
    r"|rule[ds]? out|r/o|suspect|suspicious|possible|probable|query"
)


def suspected(text: str) -> bool:
    """Say whether a text only suspects or excludes what it names; a run of question marks is broken encoding.

    >>> suspected("骨转移？"), suspected("rule out bone metastases"), suspected("????"), suspected("骨转移")
    (True, True, False, False)
    """
    return bool(_SUSPICION.search(plain(text)))


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
    folded = _without_negated(plain(text))
    if _ASKED_TYPE.search(folded):
        return True
    return False if _OTHER_TYPE.search(folded) else None


def names_no_histology(text: str) -> bool:
    """Say whether a text names a histology only to say that it is not there.

    >>> names_no_histology("未见非角化性癌"), names_no_histology("非角化性癌，未见淋巴瘤"), names_no_histology("鳞癌")
    (True, False, False)
    """
    folded = plain(text)
    named = _ASKED_TYPE.search(folded) or _OTHER_TYPE.search(folded)
    return bool(named) and histology_side(text) is None


_ASKED_TYPE: Final = re.compile(r"非角化|未分化|non-? ?keratini[sz]ing|undifferentiated|lymphoepithelial|淋巴上皮")
_OTHER_TYPE: Final = re.compile(r"角化|keratini[sz]ing|basaloid|基底样|adenocarcinoma|腺癌|lymphoma|淋巴瘤")
_CLAUSE: Final = re.compile(r"[,，、;；。\n]|\.\s|\b(?:but|and)\b")
# Before what it denies, or at the clause's end.
_DENIED: Final = re.compile(
    r"(?:未见|未达|未发现|未查见|未找到|未提示|排除|除外|不支持|不是|不符合|(?<![a-z])无(?!其他)"
    r"|no evidence|negative for|without|\bnot\b|\bno\b|den(?:y|ies)|rule[ds]? out|exclude[sd]?).*"
)
_DENIED_AFTER: Final = re.compile(
    r".*(?:排除|除外|不支持|excluded|ruled out|not (?:seen|found|identified|supported))\s*"
)


def _without_negated(folded: str) -> str:
    """Return a folded text without what its clauses say is not there."""
    clauses = _CLAUSE.split(folded)
    return "; ".join("" if _DENIED_AFTER.fullmatch(clause) else _DENIED.sub("", clause) for clause in clauses)


def metastasis_side(text: str) -> bool | None:
    """Return what an M category in text says: True for M1, False for M0; None for neither.

    >>> metastasis_side("T3N2M1b IVB期"), metastasis_side("cT4N2M0"), metastasis_side("T3N2")
    (True, False, None)
    """
    # "2 cm 1 node" holds no category: lengths go first.
    folded = re.sub(r"\d\s*[cm]m(?![0-9a-z])", " ", plain(text))
    found = set(re.findall(r"m\s*([01])", folded))
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
    # "Non-CR/non-PD" is a finding of its own (RECIST 1.1, without target lesions), "no progression" is none.
    folded = _without_negated(re.sub(r"\bnon-? ?(?:cr|pd)\b", " ", plain(text)))
    for code, pattern in (
        ("PD", r"\bpd\b(?!\s*-?\s*(?:1|l))|progress|进展"),  # not the drugs: PD-1, PD-L1
        ("SD", r"\bsd\b|stable disease|稳定"),
        ("PR", r"\bpr\b|partial|部分缓解"),
        ("CR", r"\bcr\b|complete (?:response|remission)|完全缓解"),
    ):
        if re.search(pattern, folded):
            return code
    return None
