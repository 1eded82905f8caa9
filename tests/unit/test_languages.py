"""Everything that is said to people has a Chinese form, with the same places, numbers and dates."""

from __future__ import annotations

import ast
import gettext
import importlib
import pickle
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from click.testing import CliRunner
from jinja2 import Environment, nodes
from ruamel.yaml import YAML

from cds_service.bootstrap import load_rules
from cds_service.cli import main
from cds_service.errors import RequestError
from cds_service.evaluation.outcome import CriterionOutcome
from cds_service.facts.phrase import in_language, joined, say, words_of_rules
from cds_service.facts.shown import MONTHS
from cds_service.gather.json_text import read_json
from cds_service.languages import DOMAIN, FOLDER, LANGUAGES, translator
from cds_service.screening.patient import screen_bundle

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "cds_service").rglob("*.py"))
PAGES = sorted((ROOT / "cds_service").rglob("*.html"))
JINJA = Environment(autoescape=True)  # parses only
STORIES = sorted(path.parent for path in (ROOT / "fhir_examples" / "patients").glob("*/bundle.json"))
RULES = load_rules()
PHRASES = "cds_service.facts.phrase"
CATALOGUES = [folder for folder in LANGUAGES.values() if folder]

# Latin letters that Chinese clinicians read too.
KNOWN = {
    *("ULN", "AST", "ALT", "INR", "PT", "aPTT", "eGFR", "ECOG", "KPS", "Karnofsky", "RECIST", "AJCC", "UICC"),
    *("CR", "PR", "PD", "CKD", "EPI", "Cockcroft", "Gault", "TNM"),
    *("mmol", "mol", "mL", "min", "mg", "dL", "uL", "kg", "mm", "FHIR", "MedicationRequest", "active"),
}
NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")
MONTH = re.compile(rf"\b(?:{'|'.join(MONTHS)})\b")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# One letter is a unit or a category (T, N, M); capitals of a stage are codes.
WORDS = re.compile(r"[A-Za-z]{2,}")
STAGE = re.compile(r"(?:I{1,3}|IV)[ABC]?")


def phrase_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls of what a module imports from the phrases."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == PHRASES]
    known = {alias.name for node in imports for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            yield node


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def spoken_calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of a Speaker's ``t`` and ``joined``, by whatever name the speaker goes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("t", "joined"):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name) and node.func.id == "t":
                yield "t", node


def made_up(node: ast.expr) -> bool:
    """Say whether text is put together, or chosen, where a literal is wanted; phrases may be chosen."""
    if isinstance(node, ast.IfExp):
        return any(literal(one) is not None or made_up(one) for one in (node.body, node.orelse))
    return isinstance(node, (ast.JoinedStr, ast.BinOp))


def spoken(path: Path) -> Iterator[str]:
    """Yield the templates that a module says through a Speaker."""
    tree, name = ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT))
    for function, call in spoken_calls(tree):
        where = f"{name}:{call.lineno}"
        if function == "t" and call.args:
            template = literal(call.args[0])
            assert not made_up(call.args[0]), f"{where}: a template that no translator can see"
            if template is not None:
                assert {one.arg for one in call.keywords} == set(places(template)), f"{where}: other places"
                yield template
        elif function == "joined":
            separator = literal(call.args[1]) if len(call.args) > 1 else "; "
            assert separator is not None, f"{where}: a separator that no translator can see"
            yield f"{{one}}{separator}{{other}}"


def written_in_pages(path: Path) -> Iterator[str]:
    """Yield the templates that a page says: ``t("...")`` anywhere in it, macros and attributes included."""
    name = str(path.relative_to(ROOT))
    for call in JINJA.parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name not in ("t", "_") or not call.args:
            continue
        first, where = call.args[0], f"{name}:{call.lineno}"
        assert not isinstance(first, (nodes.Concat, nodes.Add, nodes.CondExpr)), (
            f"{where}: a template that no translator can see"
        )
        if isinstance(first, nodes.Const):
            assert {one.key for one in call.kwargs} == set(places(first.value)), f"{where}: other places"
            yield first.value


def templates() -> dict[str, str]:
    """Collect every template of the source and of the pages, with the file that it stands in."""
    found: dict[str, str] = {}
    for page in PAGES:
        found |= dict.fromkeys(written_in_pages(page), str(page.relative_to(ROOT)))
    for path in SOURCES:
        found |= dict.fromkeys(spoken(path), str(path.relative_to(ROOT)))
        tree, name = ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT))
        listed = listed_in(tree, name)
        found |= dict.fromkeys(listed, name)
        for call in phrase_calls(tree):
            function = call.func.id  # type: ignore[attr-defined]
            if function == "say":
                template = literal(call.args[0])
                assert template is not None or listed, f"{name}:{call.lineno}: a template that no translator can see"
                if template is not None:
                    found[template] = name
            elif function == "joined":
                separator = literal(call.args[1]) if len(call.args) > 1 else "; "
                assert separator is not None, f"{name}:{call.lineno}: a separator that no translator can see"
                found[f"{{one}}{separator}{{other}}"] = name
    return found


def listed_in(tree: ast.Module, name: str) -> tuple[str, ...]:
    """Return a module's TEMPLATES."""
    targets = (node.target for node in tree.body if isinstance(node, ast.AnnAssign))
    if not any(isinstance(target, ast.Name) and target.id == "TEMPLATES" for target in targets):
        return ()
    module = importlib.import_module(".".join(Path(name).with_suffix("").parts))
    return tuple(module.TEMPLATES)


def catalogue(folder: str) -> Catalog:
    with (FOLDER / folder / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return read_po(file)


def places(template: str) -> Counter[str]:
    return Counter(name for _text, name, _format, _conversion in Formatter().parse(template) if name is not None)


@pytest.mark.parametrize("folder", CATALOGUES)
def test_the_catalogue_holds_just_the_templates(folder: str) -> None:
    entries = {message.id: message for message in catalogue(folder) if message.id}
    assert sorted(templates().keys() - entries.keys()) == []
    assert sorted(entries.keys() - templates().keys()) == []
    for template, message in entries.items():
        assert message.string, template
        assert not message.fuzzy, template
        assert places(message.string) == places(template), template
    assert not catalogue(folder).obsolete


@pytest.mark.parametrize("folder", CATALOGUES)
def test_the_compiled_catalogue_is_of_this_one(folder: str) -> None:
    with (FOLDER / folder / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    written = {message.id: message.string for message in catalogue(folder) if message.id}
    assert {key: text for key, text in compiled.items() if key} == written, "run: make languages"


def test_a_phrase_in_chinese() -> None:
    chinese = translator("zh")
    cycles = say("in induction: {begun} of {least} cycles begun", begun=2, least=4)
    assert in_language(joined([cycles, "words of the record"]), chinese) == (
        "诱导治疗中：已开始 2 个周期，至少需 4 个；words of the record"
    )
    assert in_language(say("nobody translated {this}", this=say("male")), chinese) == "nobody translated 男"
    assert in_language(joined([say("male"), say("female")], "/"), translator("en")) == "male/female"
    assert chinese("") == ""


def test_a_clause_that_is_a_sentence_begins_with_a_capital() -> None:
    english, chinese = translator("en"), translator("zh")
    told = say("it cannot be told whether this was at diagnosis")
    for clause, said in (
        (told, "It cannot be told whether this was at diagnosis."),
        (joined([told, say("refuted")]), "It cannot be told whether this was at diagnosis; refuted."),
        (say("a newer result is not final"), "A newer result is not final."),
        (say("{stage}: no such group", stage="cT5"), "cT5: no such group."),
        (say("{found}: {question}", found=say("refuted"), question="why"), "Refuted: why."),
        (words_of_rules("aPTT"), "aPTT."),
        (words_of_rules("eGFR"), "eGFR."),
        ("words of the record", "words of the record."),
        (say("{stage} as a code", stage=""), " as a code."),
    ):
        sentence = say("{Clause}.", Clause=clause)
        assert sentence == said
        assert in_language(sentence, english) == said
        assert pickle.loads(pickle.dumps(sentence)) == said
    assert in_language(say("{Clause}.", Clause=told), chinese) == f"{in_language(told, chinese)}。"
    assert in_language(say("{Clause}.", Clause="cisplatin"), chinese) == "cisplatin。"


def test_the_words_of_rules_come_from_the_rule_files() -> None:
    words = words_of_rules("Hemoglobin ≥ 90 g/L")
    assert in_language(words, translator("zh", RULES.library)) == "血红蛋白 ≥ 90 g/L"
    assert in_language(words, translator("zh")) == words


def test_an_unknown_language() -> None:
    with pytest.raises(RequestError, match="one of en, zh"):
        translator("tlh")


@pytest.mark.parametrize("trial", RULES.library.trials)
def test_every_criterion_has_chinese_texts_with_the_same_numbers(trial: str) -> None:
    for criterion in RULES.library.trials[trial].criteria:
        assert CHINESE.search(criterion.zh["text"] + criterion.zh["short"]), criterion.id
        for chinese, english in ((criterion.zh["short"], criterion.short), (criterion.zh["text"], criterion.text)):
            assert numbers(chinese) == numbers(english), criterion.id


@pytest.mark.parametrize("trial", RULES.library.trials)
def test_every_line_and_convention_has_a_chinese_text_with_the_same_numbers(trial: str) -> None:
    rules, chinese = RULES.library.trials[trial], translator("zh", RULES.library)
    for texts, translated in ((rules.lines, rules.lines_zh), (rules.conventions, rules.conventions_zh)):
        assert translated.keys() == texts.keys()
        for name, english in texts.items():
            said = translated[name]
            assert numbers(said) == numbers(SPELLED.sub(as_digits, english)), name
            assert not SEAM.search(said), name
            # The same English has one Chinese, in whatever file and under whatever key it stands.
            assert in_language(words_of_rules(english), chinese) == said, name


# Prose writes some numbers and months out that Chinese writes in digits.
SPELLED = re.compile(r"\b(Fourteen|February|March)\b")
SEAM = re.compile(rf"{CHINESE.pattern}[A-Za-z]|[A-Za-z]{CHINESE.pattern}")


def as_digits(match: re.Match[str]) -> str:
    return {"Fourteen": "14", "February": "2", "March": "3"}[match[0]]


def numbers(text: str) -> Counter[str]:
    """Count the numbers of a text; a month's English name is its number."""
    return Counter(NUMBERS.findall(MONTH.sub(lambda match: str(MONTHS.index(match[0]) + 1), text)))


def test_every_fact_and_gate_has_a_chinese_name() -> None:
    assert [name for name, fact in RULES.library.facts.items() if not fact.label.get("zh")] == []
    assert [gate for trial in RULES.library.trials.values() for gate in trial.gates if not gate.zh] == []


def outcomes(story: Path) -> tuple[list[CriterionOutcome], set[str]]:
    """Return every criterion's outcome, and the words of the record."""
    expected = YAML(typ="safe").load(story / "expected.yaml")
    data = (story / "bundle.json").read_bytes()
    anchor = date.fromisoformat(str(expected["anchor"])) if "anchor" in expected else None
    body = read_json(data, max_bytes=10**8, what="bundle")
    outcome = screen_bundle(RULES, body, as_of=date.fromisoformat(str(expected["as_of"])), anchor=anchor)
    return [one for trial in outcome.trials for one in trial.criteria], set(WORDS.findall(data.decode()))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_message_of_a_story_is_said_in_chinese(story: Path) -> None:
    found, recorded = outcomes(story)
    assert found
    for one in found:
        english, chinese = one.message, one.message_zh
        assert CHINESE.search(chinese), english
        assert numbers(chinese) == numbers(english), (english, chinese)
        left = {word for word in WORDS.findall(chinese) if not STAGE.fullmatch(word)} - KNOWN
        assert left <= words_shown(one) & recorded, (english, chinese)


def words_shown(outcome: CriterionOutcome) -> set[str]:
    """Return the words of the record that a criterion's facts rest on."""
    values = [one.value for one in outcome.evidence] + [one.unit for one in outcome.evidence]
    return {word for value in values for word in WORDS.findall(str(value or ""))}


def test_the_report_in_chinese() -> None:
    story = STORIES[0]
    arguments = ["evaluate", str(story / "bundle.json"), "--as-of", "2026-03-01", "--format", "text"]
    said = CliRunner().invoke(main, [*arguments, "--language", "zh"])
    assert said.exit_code == 0, said.output
    assert "判定日期：2026年3月1日" in said.output
    english = CliRunner().invoke(main, arguments).output
    assert len(said.output.splitlines()) == len(english.splitlines())
    for line in filter(str.strip, said.output.splitlines()):
        assert CHINESE.search(line), line


def test_the_report_in_no_language() -> None:
    story = STORIES[0]
    said = CliRunner().invoke(main, ["evaluate", str(story / "bundle.json"), "--language", "tlh"])
    assert said.exit_code == 2
    assert "one of en, zh" in said.output
