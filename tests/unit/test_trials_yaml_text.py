"""Rule files are read as strict YAML 1.2, with line numbers, and no file can do harm."""

import contextlib
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import RuleError
from cds_service.trials import yaml_text
from cds_service.trials.complaints import MOST
from cds_service.trials.yaml_text import parse_document, read_document


def read(text: str) -> Any:
    return parse_document(text.encode(), "x.yaml").data


def complaints(content: str | bytes) -> list[str]:
    with pytest.raises(RuleError) as caught:
        parse_document(content.encode() if isinstance(content, str) else content, "x.yaml")
    return [str(complaint) for complaint in caught.value.complaints]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("9a", "9a"),
        ("9e", "9e"),
        ("≥ 90 g/L", "≥ 90 g/L"),
        ('"90"', "90"),
        ("'true'", "true"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("90", 90),
        ("-3", -3),
        ("0", 0),
        ("2.5", Decimal("2.5")),
        ("0.1", Decimal("0.1")),
        ("1.5e3", Decimal("1.5e3")),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = read(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_numbers_keep_the_digits_of_the_file() -> None:
    assert str(read("a: 1.50")["a"]) == "1.50"
    assert read("a: 0.1000000000000000000000001")["a"] == Decimal("0.1000000000000000000000001")


def test_keys_are_always_text() -> None:
    assert read("1: a\n2.50: b\ntrue: c\non: d\n~: e\n") == {
        "1": "a",
        "2.50": "b",
        "true": "c",
        "on": "d",
        "~": "e",
    }


def test_every_part_has_its_line() -> None:
    document = parse_document(b"# first\na:\n  - b: 1\n    c:\n      2\n  - [x,\n     y]\n", "x.yaml")
    assert document.line(("a",)) == 2
    assert document.line(("a", 0)) == 3
    assert document.line(("a", 0, "c")) == 4
    assert document.line(("a", 1, 1)) == 7
    assert document.line(("a", 1, 9, "no", "such")) == 6
    assert document.where() == "x.yaml:2"


def test_json_is_yaml() -> None:
    assert read(json.dumps({"a": [1, "x", None, True, {"b": "é\n"}]})) == {"a": [1, "x", None, True, {"b": "é\n"}]}


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' stands twice, first on line 1"),
        ('a: 1\n"a": 3\n', 2, "stands twice"),
        ("1: x\n'1': y\n", 2, "stands twice"),
        ("a: &x 1\n", 1, "anchor &x"),
        ("a:\n  - &x [1]\n", 2, "anchor &x"),
        ("a: 1\nb: *x\n", 2, "alias *x"),
        ("a: 1\n*x : 2\n", 2, "alias *x"),
        ("b:\n  <<: {a: 1}\n", 2, "merge key"),
        ("a: !!str 1\n", 1, "tag 'tag:yaml.org,2002:str'"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag 'tag:yaml.org,2002:python"),
        ("a: !env HOME\n", 1, "tag '!env'"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("%YAML 1.1\n---\na: on\n", 2, "directive"),
        ("a: 012\n", 1, "'012' is a number to some readers and text to others (put text in quotes"),
        ("a: 0x1f\n", 1, "0x1f"),
        ("a: 0o17\n", 1, "0o17"),
        ("a: 1_000\n", 1, "1_000"),
        ("a: .5\n", 1, "'.5'"),
        ("a: 5.\n", 1, "'5.'"),
        ("a: +1\n", 1, "'+1'"),
        ("a: .inf\n", 1, ".inf"),
        ("a: [.nan]\n", 1, ".nan"),
        ("a: 1e999\n", 1, "beyond 10 to the 30"),
        (f"a: {'9' * 5000}\n", 1, "more than 30 digits"),
        (f"a: {'0' * 100}\n", 1, "is a number to some readers"),
        ("a:\n  [1]: 2\n", 2, "a key must be text"),
        ("a:\n  ? {b: 1}\n  : 2\n", 2, "a key must be text"),
        ("a: [1\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("a:\n\t- 1\n", 2, "not YAML"),
        ('a: "\\q"\n', 1, "not YAML"),
        ('a: "\\UFFFFFFFF"\n', 1, "not YAML"),
        ('a: 1\nb: "\\ud800"\n', 2, "U+D800"),
        ('a: "\\0"\n', 1, "U+0000"),
        ("a: 1\nb: x\x01\n", 2, "U+0001"),
        ("a: 'left\u202eright'\n", 1, "U+202E cannot be seen"),
        ("a\u200b: 1\n", 1, "U+200B"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "not UTF-8"),
        (f"a: {'x' * 20_001}\n", 1, "20001 characters"),
    ],
)
def test_what_is_refused(content: str | bytes, where: int, words: str) -> None:
    found = complaints(content)
    assert found[0].startswith(f"x.yaml:{where}: "), found
    assert words in found[0]


def test_everything_refused_is_told_at_once() -> None:
    found = complaints("a: &x 1\na: 012\nb: !t 3\n")
    assert len(found) == 4
    assert [line.split(":")[1] for line in found] == ["1", "2", "2", "3"]


def test_a_long_list_of_complaints_is_cut() -> None:
    found = complaints("a: [" + "012, " * 1000 + "]")
    assert len(found) == MOST + 1
    assert found[-1] == "and more: 900 further complaints"


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LAUGHS, "anchor &a"),
        ("[" * 33 + "]" * 33, "more than 32 levels deep"),
        ("[" * 1_000_000, "more than 32 levels deep"),
        ("{a: " * 200_000, "more than 32 levels deep"),
        ("- " * 500_000, "more than 32 levels deep"),
        ("? " * 500_000, "a key must be text"),
        ("a:\n" + "- x\n" * 60_000, "more than 50000 nodes"),
        ("a: [" + "*a, " * 60_000 + "]", "alias *a"),
        ("a: " + "x" * 1_000_000, "a text of 1000000 characters"),
        ("a: '" + "x\n\n" * 300_000 + "'", "a text of"),
        ("k" * 1_000_000, "a text of"),
        (" " * (yaml_text.MAX_BYTES + 1), "larger than 1048576 bytes"),
    ],
    ids=lambda value: value[:12].replace("\n", " "),
)
def test_no_file_does_harm(content: str, words: str) -> None:
    begun = time.perf_counter()
    assert words in complaints(content)[0]
    # Seconds are for slow machines; what is refused here would take minutes or gigabytes.
    assert time.perf_counter() - begun < 20


def test_32_levels_are_allowed() -> None:
    assert read("[" * 32 + "1" + "]" * 32)


@pytest.mark.parametrize("content", ["", "# only a comment\n", "---\n...\n"])
def test_an_empty_file_is_nothing(content: str) -> None:
    assert read(content) is None


def test_a_byte_order_mark_and_windows_line_ends_are_harmless() -> None:
    document = parse_document(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "x.yaml")
    assert document.data == {"a": 1, "b": 2}
    assert document.line(("b",)) == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"no\.yaml: cannot be read: No such file"):
        read_document(tmp_path / "no.yaml")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Z"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<&*! ", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_data_comes_back(data: Any) -> None:
    assert read(json.dumps(data)) == data


@given(st.text() | st.text("ab:- \n[]{}&*!|>'\"%#?,0.1\\xuU~<") | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(RuleError):
        parse_document(text.encode("utf-8", "surrogatepass"), "x.yaml")
