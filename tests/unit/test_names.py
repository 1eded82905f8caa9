"""Words recognised in a record: what each names, and what only looks like it."""

import pytest

from cds_service.facts.names import (
    doubted,
    edition_in,
    histology_side,
    holds_name,
    metastasis_side,
    names_nasopharyngeal_carcinoma,
    response_in,
    stage_group_in,
    suspected,
)


@pytest.mark.parametrize(
    "text",
    [
        "疑似鼻咽癌",
        "可疑",
        "考虑转移",
        "待排",
        "排除转移",
        "除外",
        "否认手术史",
        "未见转移",
        "无手术史",
        "无放疗史",
        "家族史",
        "既往化疗",
        "病史",
        "metastasis?",
        "ruled out",
        "rule out",
        "r/o NPC",
        "suspected",
        "suspicious for",
        "possible",
        "probable",
        "query",
        "no evidence of",
        "negative for",
        "without",
        "denies",
        "history of",
        "family",
        "not seen",
        "no metastasis",
        "excluded",
    ],
)
def test_doubt(text: str) -> None:
    assert doubted(text)


@pytest.mark.parametrize("text", ["鼻咽癌", "nasopharyngeal carcinoma", "nodes", "notable mass", "无", "metastasis"])
def test_no_doubt(text: str) -> None:
    assert not doubted(text)


@pytest.mark.parametrize(
    "text",
    [
        "鼻咽癌",
        "鼻咽部恶性肿瘤",
        "鼻咽部癌",
        "鼻咽未分化癌",
        "鼻咽非角化性癌",
        "鼻咽鳞癌",
        "nasopharyngeal carcinoma",
        "Nasopharynx cancer",
        "nasopharyngeal ca",
        "nasopharyngeal malignancy",
        "carcinoma of nasopharynx",
        "NPC",
        "cancer of the nasopharynx",
        "ca of the nasopharynx",
        "malignant neoplasm of nasopharynx",
        "NPC, stage IV",
    ],
)
def test_the_disease(text: str) -> None:
    assert names_nasopharyngeal_carcinoma(text)


@pytest.mark.parametrize("text", ["鼻咽炎", "nasopharyngitis", "laryngeal carcinoma", "npcs", "nasopharyngeal cat", ""])
def test_not_the_disease(text: str) -> None:
    assert not names_nasopharyngeal_carcinoma(text)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("非角化性癌", True),
        ("未分化癌", True),
        ("non-keratinizing", True),
        ("nonkeratinizing", True),
        ("non keratinising", True),
        ("undifferentiated", True),
        ("lymphoepithelial carcinoma", True),
        ("淋巴上皮癌", True),
        ("角化型鳞癌", False),
        ("keratinizing", False),
        ("keratinising", False),
        ("basaloid", False),
        ("基底样", False),
        ("adenocarcinoma", False),
        ("腺癌", False),
        ("lymphoma", False),
        ("淋巴瘤", False),
        ("鳞癌", None),
        ("carcinoma", None),
        ("squamous cell carcinoma", None),
        ("", None),
    ],
)
def test_histology(text: str, side: bool | None) -> None:
    assert histology_side(text) is side


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("T3N2M1b IVB期", True),
        ("cT4N2M0", False),
        ("T3N2", None),
        ("M 1", True),
        ("M0 / M1", None),
        ("m2", None),
        ("", None),
    ],
)
def test_metastasis(text: str, side: bool | None) -> None:
    assert metastasis_side(text) is side


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("Ⅳb期", "IVB"),
        ("IV", "IV"),
        ("stage iva", "IVA"),
        ("IV C", "IVC"),
        ("IIIa期", "IIIA"),
        ("III", "III"),
        ("Ⅱ期", "II"),
        ("I", "I"),
        ("stage 1", "I"),
        ("stage 2", "II"),
        ("3", "III"),
        ("4A", "IVA"),
        ("stage 4 b", "IVB"),
        ("T3N2M1b IVB期", "IVB"),
        ("T3N2M1b", None),
        ("T4 N3 M0", None),
        ("1.5", None),
        ("44", None),
        ("5", None),
        ("ivx", None),
        ("stage", None),
    ],
)
def test_stage_group(text: str, group: str | None) -> None:
    assert stage_group_in(text) == group


@pytest.mark.parametrize(
    ("text", "edition"),
    [
        ("AJCC 第9版", "9"),
        ("第八版", "8"),
        ("第 七 版", "7"),
        ("第六版", "6"),
        ("第九版", "9"),
        ("8th edition", "8"),
        ("8th ed.", "8"),
        ("9 ed", "9"),
        ("9. Auflage", "9"),
        ("8版", "8"),
        ("9th version", "9"),
        ("AJCC version 9", "9"),
        ("edition 7", "7"),
        ("AJCC v8", "8"),
        ("v89", None),
        ("18th edition", None),
        ("第5版", None),
        ("AJCC", None),
        ("2017", None),
    ],
)
def test_edition(text: str, edition: str | None) -> None:
    assert edition_in(text) == edition


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ("PD", "PD"),
        ("progressive disease", "PD"),
        ("疾病进展", "PD"),
        ("CR, now progressing", "PD"),
        ("SD", "SD"),
        ("stable disease", "SD"),
        ("病情稳定", "SD"),
        ("PR", "PR"),
        ("partial response", "PR"),
        ("部分缓解", "PR"),
        ("CR", "CR"),
        ("complete response", "CR"),
        ("complete remission", "CR"),
        ("完全缓解", "CR"),
        ("improved", None),
        ("complete blood count", None),
        ("crp", None),
        ("pds", None),
        ("sdx", None),
        ("prx", None),
        ("", None),
    ],
)
def test_response(text: str, response: str | None) -> None:
    assert response_in(text) == response


@pytest.mark.parametrize(
    ("text", "name", "held"),
    [
        ("cisplatin 75 mg", "cisplatin", True),
        ("as-10", "s-1", False),
        ("s-1", "s-1", True),
        ("s-12", "s-1", False),
        ("(s-1)", "s-1", True),
        ("顺铂注射液", "顺铂", True),
        ("xcisplatin", "cisplatin", False),
        ("cisplatin2", "cisplatin", False),
    ],
)
def test_a_latin_name_stands_alone(text: str, name: str, held: bool) -> None:
    assert holds_name(text, name) is held


@pytest.mark.parametrize(
    "text", ["骨转移?", "骨转移？？", "待排", "待查", "考虑骨转移", "r/o bone metastases", "Suspected"]
)
def test_suspicion(text: str) -> None:
    assert suspected(text)


@pytest.mark.parametrize(
    "text", ["骨转移", "???", "????", "history of cancer", "not otherwise specified", "without fracture"]
)
def test_no_suspicion(text: str) -> None:
    assert not suspected(text)


@pytest.mark.parametrize("text", ["无肝转移", "无明显远处转移", "未发现转移"])
def test_denied_metastasis_is_doubted(text: str) -> None:
    assert doubted(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PR after PD-1", "PR"),
        ("PR, PD1 x 4", "PR"),
        ("PD-L1 50%, CR", "CR"),
        ("no progression, PR", "PR"),
        ("未见进展", None),
        ("PD", "PD"),
        ("disease progression", "PD"),
        ("病情进展", "PD"),
    ],
)
def test_progression_and_the_drugs(text: str, said: str | None) -> None:
    assert response_in(text) == said


@pytest.mark.parametrize(
    ("text", "side"),
    [("2cm 1枚", None), ("12 mm 0", None), ("T3N2cM0", False), ("N2aM1", True), ("3.2×2.1cm, M1", True)],
)
def test_lengths_are_no_category(text: str, side: bool | None) -> None:
    assert metastasis_side(text) is side
