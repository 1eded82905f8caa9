"""A trial's rule file is read whole, and each mistake in it is told with its line and a hint."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.errors import RuleError
from cds_service.facts.definitions import Ask, FactDefinition
from cds_service.facts.need import Need
from cds_service.logic.values import Choices, Value
from cds_service.trials.load import load_trial
from cds_service.trials.model import Gate, Kind, Trial
from cds_service.trials.plain import describe_trial


def fact(name: str, kind: str, type_: str, unit: str = "", analyte: str = "") -> FactDefinition:
    options = {"analyte": analyte} if analyte else {}
    return FactDefinition(name, kind, type_, {"en": name.title()}, Ask("lab"), unit, options)


FACTS = {
    one.name: one
    for one in (
        fact("hemoglobin", "lab", "number", "g/L", "hemoglobin"),
        fact("alt", "lab", "number", "U/L", "alt"),
        fact("age", "age", "number", "a"),
        fact("cycles", "count", "number"),
        fact("npc_primary", "primary_cancer", "boolean"),
        fact("treated", "treatment_seen", "boolean"),
        fact("sex", "sex", "string"),
    )
}

GOOD = """\
format: 1
trial:
  id: NCT00000001
  revision: 3
  title: {en: A trial, zh: 试验}
  phase: 3
  sponsor: A university
  source: {url: "https://clinicaltrials.gov/study/NCT00000001", as_of: 2025-11-19}
  exclusions: not-published
  review: pending
  gates:
    - {id: screening, label: before induction, anchored_by_caller: true}
    - {id: randomisation, label: after induction}
  gate_choice:
    needs: {treated: {}}
    logic: {if: [{var: treated}, randomisation, screening]}
lines:
  T: the trial
  1: the age
  9a: the blood
  10: free text
not_encoded:
  10: nobody can judge it
conventions:
  lab-window: both ends of a window are included
criteria:
  - id: npc-primary
    kind: inclusion
    gates: [screening, randomisation]
    trigger: true
    text: Nasopharyngeal carcinoma.
    short: NPC
    source: [T]
    needs: {npc_primary: {}}
    logic: {var: npc_primary}
  - id: too-old
    kind: exclusion
    gates: [screening]
    text: Older than 70.
    short: Age over 70
    zh: {text: 年龄大于 70 岁。, short: 年龄 > 70 岁}
    source: [1]
    needs: {age: {unit: a}}
    logic: {">": [{var: age}, 70]}
  - id: blood
    kind: inclusion
    gates: [screening]
    text: Blood is good.
    short: Blood
    source: [9a]
    needs:
      hb: {fact: hemoglobin, unit: g/dL, within: 14 d, anchor: as_of}
      alt: {unit: xULN}
    logic:
      and:
        - {">=": [{var: hb}, 9.0]}
        - {"<=": [{var: alt}, 2.5]}
    conventions: [lab-window]
"""


def load(tmp_path: Path, text: str, folder: str = "NCT00000001") -> Trial:
    file = tmp_path / folder / "trial.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load_trial(file, FACTS)


def test_a_good_file(tmp_path: Path) -> None:
    trial = load(tmp_path, GOOD)
    assert (trial.id, trial.revision, trial.phase, trial.sponsor) == ("NCT00000001", 3, "3", "A university")
    assert trial.title == {"en": "A trial", "zh": "试验"}
    assert (trial.url, trial.as_of) == ("https://clinicaltrials.gov/study/NCT00000001", "2025-11-19")
    assert (trial.exclusions, trial.review, trial.digest) == ("not-published", "pending", "")
    assert trial.gates == (
        Gate("screening", "before induction", anchored_by_caller=True),
        Gate("randomisation", "after induction"),
    )
    assert trial.lines == {"T": "the trial", "1": "the age", "9a": "the blood", "10": "free text"}
    assert trial.not_encoded == {"10": "nobody can judge it"}
    assert trial.conventions == {"lab-window": "both ends of a window are included"}
    assert trial.gate_needs == {"treated": Need("treated")}
    yes = Value.scalar(True)
    assert trial.gate_choice.value({"treated": yes}).now == Choices.of("randomisation")


def test_lines_and_conventions_may_be_in_two_languages(tmp_path: Path) -> None:
    text = GOOD.replace("  10: free text\n", "  10: {en: free text, zh: 自由文本}\n")
    text = text.replace(
        "  lab-window: both ends of a window are included\n",
        "  lab-window:\n    en: both ends of a window are included\n    zh: 首尾均计入\n",
    )
    assert text.count("zh: 自由文本") == text.count("zh: 首尾均计入") == 1
    trial, plain = load(tmp_path, text), load(tmp_path, GOOD)
    assert (trial.lines, trial.conventions) == (plain.lines, plain.conventions)
    assert (trial.lines_zh, trial.conventions_zh) == ({"10": "自由文本"}, {"lab-window": "首尾均计入"})
    assert (plain.lines_zh, plain.conventions_zh) == ({}, {})


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{zh: 自由文本}", "lines.10: the key 'en' is missing"),
        ("{en: free text, fr: texte}", "lines.10.fr: unknown key 'fr'"),
        ('{en: free text, zh: ""}', "lines.10.zh: expected text, found an empty text"),
        ("[free, text]", "lines.10: expected text, found a list"),
    ],
)
def test_a_line_in_two_languages_is_checked(tmp_path: Path, entry: str, complaint: str) -> None:
    with pytest.raises(RuleError) as caught:
        load(tmp_path, GOOD.replace("  10: free text\n", f"  10: {entry}\n"))
    assert complaint in str(caught.value)
    assert "line of the published text" not in str(caught.value)


def test_its_criteria(tmp_path: Path) -> None:
    npc, old, blood = load(tmp_path, GOOD).criteria
    assert (npc.id, npc.kind, npc.gates, npc.trigger, npc.line) == (
        "npc-primary",
        Kind.INCLUSION,
        ("screening", "randomisation"),
        True,
        27,
    )
    assert (old.kind, old.trigger, old.source) == (Kind.EXCLUSION, False, ("1",))
    assert (old.zh, blood.zh) == ({"text": "年龄大于 70 岁。", "short": "年龄 > 70 岁"}, {})
    assert blood.needs == {
        "hb": Need("hemoglobin", unit="g/dL", within_days=14, anchor="as_of"),
        "alt": Need("alt", unit="xULN"),
    }
    assert blood.logic.limits == {"hb": (Decimal("9.0"),), "alt": (Decimal("2.5"),)}
    assert (blood.text, blood.short, blood.conventions) == ("Blood is good.", "Blood", ("lab-window",))


BAD = [
    # (what stands in the good file, what replaces it, on which line the complaint is, words of the complaint)
    ("format: 1", "format: 2", "format: 2", "expected format 1, the only one there is, found the number 2"),
    ("format: 1", "format: true", "format: true", "expected format 1"),
    ("format: 1\n", "", "trial:", "the key 'format' is missing"),
    (
        "conventions:\n",
        "convention:\n",
        "convention:",
        "unknown key 'convention' (did you mean 'conventions'?)",
    ),
    ("  sponsor: A university\n", "", "trial:", "trial: the key 'sponsor' is missing"),
    (
        "sponsor: A university",
        "sponsor: 12",
        "sponsor: 12",
        'expected text, found the number 12 (put it in quotes: "12")',
    ),
    ("sponsor: A university", "sponsor:", "sponsor:", "trial.sponsor: expected text, found nothing"),
    ("sponsor: A university", "sponsor: '  '", "sponsor:", "expected text, found the text '  '"),
    ("sponsor: A university", "sponsor: [x]", "sponsor:", "expected text, found a list"),
    ("phase: 3", "phase: 2.5", "phase: 2.5", "expected text, found the number 2.5"),
    (
        "revision: 3",
        "revision: 0",
        "revision: 0",
        "expected a whole number from 1 to 9999, found the number 0",
    ),
    ("revision: 3", "revision: true", "revision: true", "expected a whole number"),
    ("title: {en: A trial, zh: 试验}", "title: {zh: 试验}", "title:", "trial.title: the key 'en' is missing"),
    (
        "title: {en: A trial, zh: 试验}",
        "title: A trial",
        "title:",
        "expected a mapping with en, found the text 'A trial'",
    ),
    ("zh: 试验", "cn: 试验", "title:", "unknown key 'cn'"),
    (
        "https://clinicaltrials.gov",
        "http://clinicaltrials.gov",
        "url:",
        "an address that begins with https://",
    ),
    ("https://clinicaltrials.gov/study/NCT00000001", "javascript:alert(1)", "url:", "begins with https://"),
    (
        "as_of: 2025-11-19",
        "as_of: 2025-11-31",
        "as_of:",
        "expected a day such as 2026-03-01, found the text '2025-11-31'",
    ),
    ("as_of: 2025-11-19", "as_of: 20251119", "as_of:", "expected a day"),
    ("as_of: 2025-11-19", "as_of: 2025-11", "as_of:", "expected a day"),
    ("exclusions: not-published", "exclusions: unpublished", "exclusions:", "did you mean 'not-published'?"),
    ("review: pending", "review: done", "review:", "unknown word 'done' (known: pending, signed-off)"),
    ("id: NCT00000001", "id: NCT1", "id: NCT1", "the number of a trial registry, such as NCT07235319"),
    ("id: NCT00000001", "id: ../../etc", "id: ../", "the number of a trial registry"),
    ("id: NCT00000001", "id: NCT00000002", "id: NCT", "'NCT00000002' lies in the folder 'NCT00000001'"),
    ("id: randomisation,", "id: screening,", "label: after", "a second gate 'screening'"),
    ("id: randomisation,", "id: Randomise,", "label: after", "expected a name such as 'screening'"),
    ("anchored_by_caller: true", "anchored_by_caller: yes", "label: before", "yes, no, on and off are text"),
    (
        "anchored_by_caller: true",
        "anchored_by_caler: true",
        "label: before",
        "did you mean 'anchored_by_caller'?",
    ),
    (
        "randomisation, screening]}",
        "randomization, screening]}",
        "if:",
        "unknown gate 'randomization' (did you mean 'randomisation'?)",
    ),
    (
        "randomisation, screening]}",
        "screening, screening]}",
        "if:",
        "the gate 'randomisation' is never chosen",
    ),
    ("randomisation, screening]}", "true, screening]}", "if:", "the branches of 'if' must be of one type"),
    (
        "{treated: {}}",
        "{treated: {}, sex: {}}",
        "needs: {treated",
        "'sex' is needed but the logic never reads it",
    ),
    ("  10: nobody", "  11: nobody", "  11: nobody", "'11' is no line of the published text"),
    (
        "  10: nobody",
        "  9a: nobody",
        "  9a: nobody",
        "the line is encoded, by 'blood': it cannot be refused too",
    ),
    ("not_encoded:\n  10: nobody can judge it\n", "", "10: free", "no criterion cites this line"),
    ("  10: nobody can judge it", "  10:", "  10:\n", "expected text, found nothing"),
    ("  T: the trial", "  T T: the trial", "  T T", "expected the id of a line, such as '9a'"),
    ("  lab-window:", "  Lab window:", "  Lab", "expected a name such as 'lab-window'"),
    ("- id: too-old", "- id: Too old", "- id: Too", "expected a name such as 'no-prior-treatment'"),
    (
        "- id: too-old",
        "- id: npc-primary",
        "- id: npc-primary\n    kind: excl",
        "is taken, by the criterion on line 27",
    ),
    ("- id: too-old", "- id: status", "- id: status", "is a word of the test cases"),
    ("kind: exclusion", "kind: exlusion", "kind: exl", "unknown kind 'exlusion' (did you mean 'exclusion'?)"),
    ("    trigger: true\n", "", "criteria:", "the gate 'screening' has no trigger"),
    ("trigger: true", "trigger: on", "trigger: on", "expected true or false, found the text 'on'"),
    (
        "gates: [screening, randomisation]",
        "gates: [screening]",
        "criteria:",
        "the gate 'randomisation' has no criterion",
    ),
    (
        "gates: [screening, randomisation]",
        "gates: [screening, screening]",
        "gates: [screening, s",
        "stands twice in the list",
    ),
    ("gates: [screening, randomisation]", "gates: []", "gates: []", "the list is empty"),
    (
        "gates: [screening, randomisation]",
        "gates: screening",
        "gates: screening",
        "expected a list, found the text",
    ),
    (
        "gates: [screening, randomisation]",
        "gates: [sceening]",
        "gates: [sc",
        "unknown gate 'sceening' (did you mean 'screening'?)",
    ),
    (
        "source: [9a]",
        "source: [9b]",
        "source: [9b]",
        "unknown line of the published text '9b' (known: 1, 10, 9a, T)",
    ),
    ("source: [9a]", "source: [9e1]", "source: [9e1]", "expected text, found the number"),
    ("[lab-window]", "[lab-windows]", "[lab-windows]", "unknown convention 'lab-windows' (did you mean"),
    ("    short: NPC\n", "", "- id: npc", "criteria[1]: the key 'short' is missing"),
    ("short: NPC", f"short: {'N' * 121}", "short: N", "121 characters; 120 is the most here"),
    (
        "logic: {var: npc_primary}",
        "logc: {var: npc_primary}",
        "logc:",
        "unknown key 'logc' (did you mean 'logic'?)",
    ),
    (
        "{fact: hemoglobin,",
        "{fact: hemglobin,",
        "hb:",
        "unknown fact 'hemglobin': facts.yaml does not define it (did you mean 'hemoglobin'?)",
    ),
    ("npc_primary: {}}", "npc_primry: {}}", "needs: {npc", "unknown fact 'npc_primry'"),
    ("{fact: hemoglobin,", "{", "hb:", "unknown fact 'hb'"),
    ("hb: {", "Hb: {", "Hb:", "expected a name such as 'npc_primary'"),
    ("hb: {", "hgb: {", "{var: hb}", "'hb' is used here but not listed under needs (did you mean 'hgb'?)"),
    ("{var: alt}, 2.5]", "{var: hb}, 2.5]", "alt: {unit", "'alt' is needed but the logic never reads it"),
    ("unit: g/dL", "unit: g", "hb:", "'g' is no unit of 'hemoglobin'"),
    ("unit: g/dL", "unit: mg/dl/h", "hb:", "is no unit of 'hemoglobin' (did you mean 'mg/dL'?)"),
    (
        "unit: g/dL, ",
        "",
        "hb:",
        "the unit that the limits are written in is missing (for example: unit: g/L)",
    ),
    ("{age: {unit: a}}", "{age: {unit: xULN}}", "needs: {age", "xULN is for lab results only"),
    ("{age: {unit: a}}", "{age: {unit: mo}}", "needs: {age", "'mo' is no unit of 'age' (known: a)"),
    (
        "{npc_primary: {}}",
        "{npc_primary: {unit: a}}",
        "needs: {npc",
        "only a number has a unit, and 'npc_primary' is a boolean",
    ),
    ("{npc_primary: {}}", "{npc_primary:}", "needs: {npc", "expected a mapping, found nothing"),
    ("within: 14 d", "within: 14", "hb:", "expected text, found the number 14"),
    (
        "within: 14 d",
        "within: 2 weeks",
        "hb:",
        "expected a number of days such as '14 d', found the text '2 weeks'",
    ),
    ("anchor: as_of", "anchor: asof", "hb:", "unknown anchor 'asof' (did you mean 'as_of'?)"),
    ('{">=": [{var: hb}, 9.0]}', '{"=>": [{var: hb}, 9.0]}', '"=>"', "unknown operator '=>' (did you mean"),
    ('{">=": [{var: hb}, 9.0]}', '{">=": [{var: hb}, 9.0], "<": [1, 2]}', '"<": [1', "exactly one key"),
    (
        '{">=": [{var: hb}, 9.0]}',
        '{">=": [{var: hb}, nine]}',
        "logic:\n      and",
        "must be a number, not a code",
    ),
    ('{">=": [{var: hb}, 9.0]}', '{">=": [{var: hb}]}', "logic:\n      and", "takes 2 to 3 arguments"),
    (
        '{">=": [{var: hb}, 9.0]}',
        '{">=": [{var: hb}, null]}',
        '{">=": [{var: hb}',
        "NoneType cannot stand in logic",
    ),
    (
        "logic: {var: npc_primary}",
        "logic: {var: [npc_primary, true]}",
        "needs: {npc",
        "the logic never reads it",
    ),
    (
        "    needs: {npc_primary: {}}\n    logic: {var: npc_primary}",
        "    needs: {}\n    logic: {'==': [1, 1]}",
        "'==': [1",
        "the logic reads no fact",
    ),
    (
        "    logic: {var: npc_primary}",
        "    logic:",
        "    logic:\n",
        "expected JSON-Logic: a mapping with one operator, found nothing",
    ),
    ("criteria:", "criteria: {}\nmore:", "criteria: {}", "expected a list, found a mapping"),
]


@pytest.mark.parametrize(("old", "new", "place", "words"), BAD)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    line = text.count("\n", 0, text.index(place)) + 1
    with pytest.raises(RuleError) as caught:
        load(tmp_path, text)
    found = [str(complaint) for complaint in caught.value.complaints]
    here = [complaint for complaint in found if complaint.partition("trial.yaml:")[2].startswith(f"{line}: ")]
    assert any(words in complaint for complaint in here), (line, found)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("phase: 3", "phase: []").replace("unit: g/dL", "unit: g").replace("kind: exclusion", "kind: x")
    with pytest.raises(RuleError) as caught:
        load(tmp_path, text)
    assert len(caught.value.complaints) == 3


@pytest.mark.parametrize("text", ["", "[]", "a", "format: 1", "trial: []", "criteria: [1, [], {}]", "lines: {}"])
def test_a_file_that_is_no_trial(tmp_path: Path, text: str) -> None:
    with pytest.raises(RuleError):
        load(tmp_path, text)


def where_it_complains(tmp_path: Path, text: str) -> list[str]:
    try:
        load(tmp_path, text)
    except RuleError as error:
        return [complaint.where for complaint in error.complaints]
    return []


def test_every_loss_of_a_line_is_told_or_harmless(tmp_path: Path) -> None:
    lines = GOOD.splitlines(keepends=True)
    for index in range(len(lines)):
        for where in where_it_complains(tmp_path, "".join(lines[:index] + lines[index + 1 :])):
            assert "trial.yaml:" in where


def test_a_trial_with_one_gate_need_not_choose(tmp_path: Path) -> None:
    start, end = GOOD.index("    - {id: randomisation"), GOOD.index("lines:")
    text = (GOOD[:start] + GOOD[end:]).replace("[screening, randomisation]", "[screening]")
    trial = load(tmp_path, text)
    assert trial.gate_needs == {}
    assert trial.gate_choice.value({}).now == Choices.of("screening")


def test_several_gates_must_choose(tmp_path: Path) -> None:
    start, end = GOOD.index("  gate_choice:"), GOOD.index("lines:")
    with pytest.raises(RuleError, match="several gates, and no gate_choice"):
        load(tmp_path, GOOD[:start] + GOOD[end:])


@pytest.mark.parametrize(
    "identity",
    ["ChiCTR2000012345", "ChiCTR-TRC-12345678", "CTR20200001", "ISRCTN12345678", "2022-500014-26-00"],
)
def test_other_registries(tmp_path: Path, identity: str) -> None:
    assert load(tmp_path, GOOD.replace("id: NCT00000001", f"id: {identity}"), identity).id == identity


def test_shown_to_people(tmp_path: Path) -> None:
    shown = "\n".join(describe_trial(replace(load(tmp_path, GOOD), digest="sha256:0"), FACTS))
    for words in (
        "NCT00000001  A trial",
        "The exclusion criteria are not published and not encoded.",
        "which one: randomisation if treated, else screening",
        "blood (inclusion; screening)",
        "published, line 9a: the blood",
        "logic: (hb ≥ 9.0) and (alt ≤ 2.5)",
        "needs hb: Hemoglobin in g/dL, from 14 days before the day of judgement",
        "convention lab-window: both ends",
        "line 10: free text\n    because: nobody can judge it",
    ):
        assert words in shown
