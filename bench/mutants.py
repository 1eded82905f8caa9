"""The mutants that a module offers: one operator, constant or condition changed; and how a process is given one."""

from __future__ import annotations

import ast
import copy
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
           ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}  # fmt: skip
BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd,
          ast.BitAnd: ast.BitOr}  # fmt: skip
CALLS = {"any": "all", "all": "any", "min": "max", "max": "min"}
WORDS = {"say", "Phrase", "TypeError", "ValueError", "RequestError", "ConfigError", "LogicError", "add_diagnostic"}


@dataclass(frozen=True)
class Mutant:
    """One change: in which module, at which line, what."""

    module: str
    line: int
    change: str
    source: str
    function: int
    """First line of the innermost function around it; 0 where it runs on import or is remembered between calls."""

    @property
    def key(self) -> str:
        """What it is known by as long as its module stays as it is."""
        return hashlib.sha256(f"{self.module}\n{self.source}".encode()).hexdigest()[:16]

    @property
    def defines_no_function(self) -> bool:
        """Whether its module holds constants alone."""
        return "def " not in self.source


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    found = []
    for index, (node, change) in enumerate(_changes(tree)):
        mutated = copy.deepcopy(tree)
        target, again = list(_changes(mutated))[index]
        assert again == change
        _apply(target, change)
        source = ast.unparse(ast.fix_missing_locations(mutated))
        found.append(Mutant(module, node.lineno, change, source, _function_around(tree, node)))
    return found


def _function_around(tree: ast.AST, node: Any) -> int:
    """Return the first line (of its decorators) of the innermost function whose body holds a node, else 0."""
    around = 0
    for one in ast.walk(tree):
        if not isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if one.body[0].lineno <= node.lineno <= (one.body[-1].end_lineno or 0) and one.lineno > around:
            if any("cache" in ast.unparse(decorator) for decorator in one.decorator_list):
                return 0
            around = min([one.lineno, *(decorator.lineno for decorator in one.decorator_list)])
    return around


def _changes(tree: ast.AST) -> Iterator[tuple[Any, str]]:
    """Yield each node that can be changed and the name of the change, in a stable order."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            skipped |= {id(child) for child in ast.iter_child_nodes(node)}
            continue
        for hidden in _hidden(node):
            skipped.add(id(hidden))
        if isinstance(node, ast.Compare):
            if type(node.ops[0]) in COMPARE:
                yield node, f"{type(node.ops[0]).__name__} -> {COMPARE[type(node.ops[0])].__name__}"
        elif isinstance(node, ast.BoolOp):
            yield node, "and -> or" if isinstance(node.op, ast.And) else "or -> and"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, "not removed"
        elif isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            yield node, f"{type(node.op).__name__} -> {BINARY[type(node.op)].__name__}"
        elif isinstance(node, (ast.If, ast.IfExp)):
            yield node, "condition negated"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node, f"{node.func.id} -> {CALLS[node.func.id]}"
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, bool):
                yield node, f"{node.value} -> {not node.value}"
            elif isinstance(node.value, int):
                yield node, f"{node.value} -> {node.value + 1}"
            elif isinstance(node.value, str) and node.value:
                yield node, f"{node.value[:30]!r} spoilt"


def _hidden(node: ast.AST) -> list[ast.AST]:
    """Return the children that say nothing to a program: docstrings, annotations, words, type-checking imports."""
    hidden: list[ast.AST | None] = []
    body = getattr(node, "body", None)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        hidden += [node.returns, *node.decorator_list]
    if isinstance(node, ast.ClassDef):
        hidden += node.decorator_list
    if isinstance(body, list):
        # Also the words that explain a constant or a field.
        hidden += [part for part in body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)]
    if isinstance(node, ast.arg):
        hidden.append(node.annotation)
    if isinstance(node, ast.AnnAssign):
        hidden.append(node.annotation)
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        hidden += list(node.args) if name in WORDS else []
        if name == "cast":
            hidden.append(node.args[0])
    if isinstance(node, ast.Raise):
        hidden.append(node.exc)
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        hidden.append(node)
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
        hidden.append(node.value)
    if isinstance(node, ast.JoinedStr):
        hidden += list(node.values)
    return [one for one in hidden if one is not None]


def _apply(node: Any, change: str) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = COMPARE[type(node.ops[0])]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
        node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
    elif isinstance(node, ast.BinOp):
        node.op = BINARY[type(node.op)]()
    elif isinstance(node, (ast.If, ast.IfExp)):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Call):
        node.func = ast.Name(CALLS[node.func.id], ast.Load())
    elif isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node.value, int):
        node.value += 1
    else:
        node.value = "XX" + node.value


class Hook(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Serves one module from a mutated source."""

    def __init__(self, module: str, source: Path) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def get_filename(self, fullname: str) -> str:
        return str(self.source)

    def get_data(self, path: str | bytes) -> bytes:
        return Path(os.fsdecode(path)).read_bytes()
