"""The logic of a criterion, checked against what the criterion says it needs; each mistake has its line."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, cast

from cds_service.facts.definitions import FactDefinition
from cds_service.facts.need import Need
from cds_service.logic.expression import Expression, LogicError, VariableType, compile_logic
from cds_service.trials.complaints import did_you_mean, quoted
from cds_service.trials.form import Part
from cds_service.trials.yaml_build import Steps

_BY_SIZE: Final = frozenset(("<", "<=", ">", ">="))


def read_logic(
    part: Part,
    needs_part: Part,
    needs: Mapping[str, Need],
    facts: Mapping[str, FactDefinition],
    *,
    returns: Literal["sentence", "code"] = "sentence",
) -> Expression | None:
    """Compile a logic; complain when it does not compile or its variables are not exactly its needs.

    Args:
        part: the JSON-Logic.
        needs_part: the ``needs`` beside it, as written.
        needs: the same, as far as it could be read.
        facts: every fact definition.
        returns: what the whole must be.

    Returns:
        None when anything is wrong.
    """
    if not part.present:
        return None
    if not isinstance(part.data, dict):
        part.expected("JSON-Logic: a mapping with one operator")
        return None
    before = len(part.complaints)
    stated = needs_part.data if isinstance(needs_part.data, dict) else {}
    read = list(_variables(part.data, ()))
    for path, name in read:
        if name not in stated:
            part.complain(
                f"{quoted(name)} is used here but not listed under needs", did_you_mean(name, stated), at=path
            )
    for name in stated:
        if name not in {name for _, name in read}:
            needs_part.complain(f"{quoted(name)} is needed but the logic never reads it", at=(name,))
    for path, text, number in _numbers_as_text(part.data, ()):
        part.complain(f"{quoted(text)} is text here", f"write it as a number, without quotes: {number}", at=path)
    if len(part.complaints) > before or set(stated) - set(needs):
        return None
    types = {name: cast("VariableType", facts[need.fact].type) for name, need in needs.items()}
    try:
        return compile_logic(part.data, types, returns=returns)
    except LogicError as error:
        part.complain(error.message, error.hint, at=error.path)
        return None


def check_gate_results(part: Part, gates: Collection[str]) -> None:
    """Complain when a gate choice can end in anything but a gate, or when a gate is never chosen."""
    results = list(_results(part.data, ()))
    for path, result in results:
        if not isinstance(result, str):
            part.complain("each branch must end in the id of a gate", did_you_mean("", gates), at=path)
        elif result not in gates:
            part.complain(f"unknown gate {quoted(result)}", did_you_mean(result, gates), at=path)
    for gate in gates:
        if gate not in [result for _, result in results]:
            part.complain(f"the gate {gate!r} is never chosen")


def _variables(logic: Any, path: Steps) -> Iterator[tuple[Steps, str]]:
    """Yield each variable read and where; the loader's depth limit bounds the recursion."""
    if isinstance(logic, list):
        for index, item in enumerate(logic):
            yield from _variables(item, (*path, index))
    elif isinstance(logic, dict):
        for operator, arguments in logic.items():
            here = (*path, operator)
            name = arguments[0] if isinstance(arguments, list) and len(arguments) == 1 else arguments
            if operator == "var" and isinstance(name, str):
                yield here, name
            else:
                yield from _variables(arguments, here)


def _numbers_as_text(logic: Any, path: Steps) -> Iterator[tuple[Steps, str, Decimal]]:
    """Yield each limit that is written as text, in quotes or in other digits, and the number that it shows."""
    parts = logic.items() if isinstance(logic, dict) else enumerate(logic) if isinstance(logic, list) else ()
    for step, part in parts:
        if step in _BY_SIZE and isinstance(part, list):
            for index, argument in enumerate(part):
                if isinstance(argument, str) and (number := _shown_number(argument)) is not None:
                    yield (*path, step, index), argument, number
        yield from _numbers_as_text(part, (*path, step))


def _shown_number(text: str) -> Decimal | None:
    try:
        number = Decimal(unicodedata.normalize("NFKC", text.strip()))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _results(logic: Any, path: Steps) -> Iterator[tuple[Steps, Any]]:
    """Yield what a logic can end in: the branches of its ifs, or itself."""
    branches = logic.get("if") if isinstance(logic, dict) and len(logic) == 1 else None
    if not isinstance(branches, list):
        yield path, logic
        return
    last = len(branches) - 1
    for index, branch in enumerate(branches):
        if index % 2 == 1 or index == last:
            yield from _results(branch, (*path, "if", index))
