"""Strict JSON in: exact numbers, and a plain refusal for everything that misleads or exhausts."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import RequestError
from cds_service.gather.json_text import most_nodes, read_json, read_slowly
from cds_service.present.json_text import to_json


def read(text: str | bytes) -> object:
    return read_json(text.encode() if isinstance(text, str) else text, max_bytes=10_000_000)


def test_keeps_numbers_exact():
    assert str(read("[1.50, 12, 1E+3, -0.0]")) == "[Decimal('1.50'), 12, Decimal('1E+3'), Decimal('-0.0')]"


def test_tolerates_a_byte_order_mark():
    assert read(b"\xef\xbb\xbf{}") == {}


def test_reads_escaped_pairs_and_backslashes():
    assert read(r'["\ud83d\ude00", "\\ud800", "\""]') == ["😀", "\\ud800", '"']


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "{'a': 1}",
        "[NaN]",
        "[-Infinity]",
        '{"a": 1, "a": 2}',
        r'["\ud800"]',
        r'["\ude00\ud83d"]',
        '{"\\ud800": 1}',
        "[" * 65 + "]" * 65,
        "[" * 100_000,
        '{"a":' * 5_000,
        "[" + "1" * 41 + "]",
        "[1e401]",
        "[1e" + "9" * 50 + "]",
        "[" + "0," * 500_000 + "0]",
        "{}{}",
        b"\xff\xfe",
        b'["\xed\xa0\x80"]',
        '"' + '\\"' * 200_000,
    ],
)
def test_refuses(text):
    with pytest.raises(RequestError) as refusal:
        read(text)
    assert refusal.value.status == 400
    assert refusal.value.field == "body"


def test_refuses_what_is_too_large():
    with pytest.raises(RequestError) as refusal:
        read_json(b'"12345678"', max_bytes=9)
    assert refusal.value.status == 413


def test_accepts_exactly_the_limits():
    assert read("[" * 64 + "]" * 64)
    assert read("[" + "1" * 40 + "]") == [int("1" * 40)]


def test_brackets_in_text_do_not_count():
    assert read(json.dumps("[{" * 1000)) == "[{" * 1000


def test_never_repeats_the_input():
    for text in ('{"Zhang San": }', '{"Zhang San": 1, "Zhang San": 2}', '["Zhang San'):
        with pytest.raises(RequestError) as refusal:
            read(text)
        assert "Zhang" not in str(refusal.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        read(data)
    except RequestError as refusal:
        assert refusal.status == 400  # noqa: PT017


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values, st.sampled_from([0, 2]))
def test_what_is_written_reads_back(value, indent):
    assert read(to_json(value, indent=indent)) == value


@given(st.text(alphabet='[]{}",:\\u0123dD8eaft.-+ \n', max_size=80))
def test_agrees_with_the_standard_parser_where_both_read(text):
    try:
        ours = read(text)
    except RequestError:
        return
    assert json.loads(text, parse_float=Decimal) == ours


def test_writes_no_float_and_no_nan():
    with pytest.raises(TypeError):
        to_json({"value": 0.1})
    with pytest.raises(TypeError):
        to_json({1: "a"})
    with pytest.raises(ValueError, match="NaN"):
        to_json(Decimal("NaN"))


def test_writes_lines_when_asked():
    assert to_json({"a": [1, Decimal("1.50")], "b": {}}, indent=1) == '{\n "a": [\n  1,\n  1.50\n ],\n "b": {}\n}'


@pytest.mark.parametrize("sign", ["[", "]", "{", "}"])
def test_megabytes_of_brackets_are_refused_at_once(sign: str) -> None:
    data = sign.encode() * 8_000_000
    start = time.process_time()
    with pytest.raises(RequestError):
        read_json(data, max_bytes=len(data))
    assert time.process_time() - start < 0.5


def _both(data: bytes) -> tuple[str, str]:
    told = []
    for parse in (lambda: read(data), lambda: read_slowly(data)):
        try:
            told.append(repr(parse()))
        except RequestError as refusal:
            told.append(f"refused: {refusal}")
    return told[0], told[1]


_CORNERS = [
    *("12.10", "-0", "-0.0", "1e5", "-1E+3", "1E400", "1e-401", "0.10e01", "-" + "1" * 39, "-" + "1" * 40),
    *("1." + "1" * 38, "1." + "1" * 39, "12345678901234567890123", "01", "1.", ".5", "+1", "-", "- 1", "1 2"),
    *('{"a":1,"a":1}', '{"\\u0061":1,"a":2}', '[{"a":{"":1,"":2}}]', '{"a":1,"b":{"a":1}}'),
    *('{"a":[{"b":1},{"b":1}]}', '"\\ud83d\\ude00"', '"\\uD800\\u0041"', '"\\\\ud800"', '"\\\\\\ud800"'),
    *('"\\/\\b\\f"', '"\\x"', '"\t"', '"\x7f"', "[" * 64 + "]" * 64, "[" * 64 + "{}" + "]" * 64),
    *('[{"a":' * 32 + "1" + "}]" * 32, '["["' + ",[" * 64 + "]" * 65, '["]",["[",[1]]]', '["\\"]",[2]]'),
    *('["\\\\",[2]]', '\\"[[1]]', '[1,"' + "9" * 41 + '"]', '["1e500"]', "[true,0]", "[],[]", "{]", "[}", "]"),
    *('{"a"}', "[1,,2]", "nul", "Infinity", "NaN", " \n\r\t1 ", "\x0c1", "1\x00", "\ufeff1", "[" * 65 + "1"),
    *('{"a":' * 65, '["' + "\\" * 7 + '"]', '["' + "\\" * 8 + '"]', '["' + "\\" * 7, '"' * 9),
]


@pytest.mark.parametrize("text", _CORNERS)
def test_both_parsers_say_the_same(text):
    quick, slow = _both(text.encode())
    assert quick == slow


def test_the_number_of_values_has_one_limit():
    for text in (
        "[" + "0," * 499_998 + "0]",
        "[" + "[]," * 499_998 + "[]]",
        "[" + "[]," * 250_000 + "[]]",
        "]" * 500_001,
    ):
        quick, slow = _both(text.encode())
        assert quick == slow


_PIECES = [
    *('{"a":', '{"b":', '"a":', ',"a":1', "[", "]", "{", "}", ",", ":", '"', "\\", "\\\\", '\\"', "\\u", "d83d"),
    *("\\ude00", "1", "-", "0", ".", "50", "e", "E+", "401", "9" * 20, "true", "null", "NaN", " ", "\n", "\x00"),
    *("é", "𝄞", "\ufeff", "[" * 30, "]" * 30, '"[', ']"'),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_both_parsers_say_the_same_of_any_text(text):
    quick, slow = _both(text.encode())
    assert quick == slow


@given(values, st.data())
def test_both_parsers_say_the_same_of_text_with_a_fault(value, data):
    text = to_json(value, indent=data.draw(st.sampled_from([0, 2])))
    at = data.draw(st.integers(0, len(text)))
    faulty = text[:at] + data.draw(st.sampled_from(["", *_PIECES])) + text[at + data.draw(st.integers(0, 2)) :]
    quick, slow = _both(faulty.encode())
    assert quick == slow


def test_a_record_of_5000_resources_is_read_where_so_many_bytes_are_taken():
    resource = {"code": {"coding": [{"system": "http://loinc.org", "code": f"{at}-1"} for at in range(24)]}, "id": "x"}
    body = to_json({"entry": [{"resource": resource}] * 5_000}).encode()
    assert body.count(b",") > 200_000
    assert len(read_json(body, max_bytes=16 * 2**20)["entry"]) == 5_000
    with pytest.raises(RequestError) as refusal:
        read_json(body, max_bytes=2 * 2**20)
    assert refusal.value.status == 413


@pytest.mark.parametrize(("max_bytes", "most"), [(4_000, 1_000), (2 * 2**20, 209_715), (16 * 2**20, 500_000)])
def test_how_many_values_a_text_may_hold(max_bytes, most):
    assert most_nodes(max_bytes) == most
    read_json(b"[" + b"0," * (most - 2) + b"0]", max_bytes=max_bytes)
    with pytest.raises(RequestError, match=f"more than {most} values"):
        read_json(b"[" + b"0," * (most - 1) + b"0]", max_bytes=max_bytes)
