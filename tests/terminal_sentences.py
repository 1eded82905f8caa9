"""English sentences that reach a terminal, read from the source: what the catalogue `terminal` must hold."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from errno import EACCES, EEXIST, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path

import click

from cds_service.cli import main
from cds_service.cli.chinese_help import paragraphs
from cds_service.conformance.catalogue import CATALOGUE
from cds_service.screening.doctor.sandboxes import sandboxes

ROOT = Path(__file__).resolve().parents[1] / "cds_service"
CLICK = Path(click.__file__).parent

# Calls whose texts a terminal may show. What the web alone raises goes out as OperationOutcomes, in English.
ERRORS = ("ConfigError", "RequestError", "GatherError", "UnavailableError", "heard")
COMPLAINTS = ("Complaint", "complain", "LogicError")
NOT_ON_A_TERMINAL = ("web/", "wsgi.py")
# Here every text with a blank is a sentence for people, but:
TOLD_WHOLE = (
    *("screening/doctor/", "trials/", "screening/case_runner.py", "screening/limit_cases.py", "synth/tally.py"),
    "conformance/",
)
OTHERWISE = ("trials/compare.py", "trials/explained.py", "trials/plain.py")
# Published texts and what a run sends as they stand; the titles of the checks are taken one by one.
WRITTEN = ("chart", "catalogue", "hooks", "report", "requirements", "session", "tokens")
OTHERWISE += tuple(f"conformance/{name}.py" for name in WRITTEN)
NO_SENTENCES = set(
    """\
HTTP 400
HTTP 401
HTTP 403
HTTP 404
HTTP 410
HTTP 429
HTTP 5
FILL IN
is ours, for names
names no
does not know
nothing maps: \n\
unit of \n\
([0-9]{{1,4}}) d
review: pending
SMART 1
SMART 2
patient/Patient.read patient/Observation.read
patient/Patient.rs patient/Observation.rs?category=laboratory
application/json; charset=utf-8
Patient preference
Seen at the tumour board.
the record system did not answer
Bearer {token}
Content-Type: {kind}
OPTIONS {value}
GET {discovery}
GET /cds-services
{{{{"{canary}": }}}}""".splitlines()
)
# Put together from parts, or written by pydantic.
ELSEWHERE = """\
entry {number} is none
it is empty
a line
line {number}
no manifest came
holds {number} patients, but manifest.json counts {counted}; run prescreen again
cannot be read ({strerror})
{where} is not JSON; run prescreen again
{where} is not a patient's result; run prescreen again
a base URL has no query
accepted
a URL holds no blanks, backslashes or control characters
an absolute http or https URL without user information is needed
no host name
a path that points elsewhere
too large
no UTF-8
no JSON
holds a number of more than 40 digits
holds a number outside any measure
holds a number that cannot be read
holds NaN or Infinity, which are not JSON
holds an object with the same key twice
the disk does not take it
{name}; Spark's own log says more
There is something called {name}; a copy never takes its place.
The copy cannot be written
every id once
give either jwks_url or jwks_file
auth = {auth} and {name} belong together
known: {names}.
Setting {name}: {message}.
{message}; Setting {name}: {more}
Input should be {what}
Field required
greater than {number}
greater than or equal to {number}
less than or equal to {number}
a valid integer, unable to parse string as an integer
a valid number, unable to parse string as a number
a valid boolean, unable to interpret input
a valid string
Value error, {why}
Input should be a valid tuple
String should match pattern '{pattern}'
{one} or {other}
complete
complete, by {codes} codes
right
honoured
absolute
relative
nothing maps: {names}
reachable
authorization
scopes
patient
codes
units
paging
total
ok
look
wrong
required
no connection
the answer broke off
the answer was too large
the answer was not JSON
the answer was not a manifest
the server's name leads to an address that is never asked
Cancelled; the server is told.
The server no longer has it; the export is begun anew.
The export is being made
The export is being made: {progress} %
type not told
File {number} of {count}: {type}
the case fails: {problem}
{one}: {other}
{one}: {other}.
{one}; {other}
{one} ({other})
{count} duplicates
{number} days
{int} s
candidate
needs-data
not-now
excluded
trigger fails
new
reviewing
contacted
consented
enrolled
declined
not-suitable""".splitlines()
OF_THE_SYSTEM = [os.strerror(number) for number in (EACCES, EEXIST, EISDIR, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS)]
OF_CHECKS = [check.title for check in CATALOGUE.values()]
OF_SANDBOXES = [text for one in sandboxes().values() for text in (one.title, *one.quirks)]


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that call it."""
    return _below(main, None, ())


def _below(
    command: click.Command, above: click.Context | None, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, parent=above, info_name=path[-1] if path else "cds-service")
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _below(found, context, (*path, name))


def help_texts() -> set[str]:
    """Return the paragraphs of all help texts, and the help of all options."""
    found = {"Show this message and exit."}
    for _path, command in commands():
        found.update(paragraphs(command.help or ""))
        found.update(one.help for one in command.params if isinstance(one, click.Option) and one.help)
    return found


def sentences() -> dict[str, str]:
    """Return what errors, complaints and findings say, as templates, each with its file."""
    found = dict.fromkeys((*ELSEWHERE, *OF_THE_SYSTEM, *OF_SANDBOXES, *OF_CHECKS), "elsewhere")
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(NOT_ON_A_TERMINAL):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            constants = dict(_constants(tree))
            told = _raised(tree, constants)
            if name.startswith(TOLD_WHOLE) and name not in OTHERWISE:
                told = [*told, *(one for one in _texts(tree) if " " in template(one, constants).strip())]
            for node in told:
                text = template(node, constants)
                if len(_letters(text)) > 1 and "\n  " not in text and text not in NO_SENTENCES:
                    found.setdefault(text, name)
    return found


def words_of_click() -> tuple[set[str], set[str]]:
    """Return what click says through gettext: single texts, and the singulars of plurals."""
    single: set[str] = set()
    plural: set[str] = set()
    for path in CLICK.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.args:
                first = call.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    {"_": single, "ngettext": plural}.get(call.func.id, set()).add(first.value)
    return single, plural


def template(node: ast.expr, constants: dict[str, ast.expr], used: set[str] | None = None) -> str:
    """Return a text of the source with places where an f-string has expressions; constants of the module stand in."""
    used = set() if used is None else used
    if isinstance(node, ast.Constant):
        return str(node.value).replace("{", "{{").replace("}", "}}")
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, constants, used) for part in node.values)
    assert isinstance(node, ast.FormattedValue)
    if isinstance(node.value, ast.Name) and node.value.id in constants:
        return template(constants[node.value.id], constants, used)
    base = _name(node.value).strip("_").lower() or "value"
    name = next(one for number in range(1, 9) if (one := base + (f"_{number}" if number > 1 else "")) not in used)
    used.add(name)
    return f"{{{name}}}"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else "value"


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, re.sub(r"\{[a-z_0-9]+\}", "", text)))


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, (ast.Constant, ast.JoinedStr)):
            yield target.id, value


def _raised(tree: ast.Module, constants: dict[str, ast.expr]) -> list[ast.expr]:
    calls = (one for one in ast.walk(tree) if isinstance(one, ast.Call) and _called(one) in ERRORS + COMPLAINTS)
    given = (constants.get(_name(arg), arg) if isinstance(arg, ast.Name) else arg for one in calls for arg in one.args)
    return [text for one in given for text in _chosen(one)]


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _chosen(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the texts that an argument may be."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from (*_chosen(node.body), *_chosen(node.orelse))
    elif isinstance(node, ast.BoolOp):
        yield from (one for part in node.values for one in _chosen(part))


def _texts(tree: ast.Module) -> list[ast.expr]:
    """Return every text of a module but docstrings and what f-strings hold."""
    aside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    aside |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in _inside(node)}
    return [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)))
        and id(node) not in aside
    ]


def _inside(node: ast.JoinedStr) -> Iterator[ast.AST]:
    return (part for part in ast.walk(node) if part is not node)
