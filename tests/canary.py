"""What of a patient may never be told, and a watch over the whole run that nothing tells it.

May be told: to the clinician on the card, to who asked on standard output, to the patient's own FHIR server. May not:
to a log, an error, an OperationOutcome, a file that is left behind, an address.

Every test is watched, whatever it is about: the lines that our code logs, formatted as in production; the words of
every error of ours and of every OperationOutcome; and at the end the logs and stores of the servers that tests started
(files named as in :data:`LEFT`), and everything left in the folder for temporary files.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]

# The planted patient: no value here is written anywhere else in this project.
PATIENT_ID: Final = "canary-pt-5550177"
TOKEN: Final = "canary-bearer-Qx81ZzvR"
PLANTED: Final = (
    PATIENT_ID, TOKEN, "Kanarienvogl", "Quetzalina", "金丝雀", "MRN-77310942", "1963-07-19", "+86-555-0177-301",
    "Zwitscherweg", "canary-note", "canary-practitioner",
)  # fmt: skip

# Tokens of other tests; JWTs and headers are known by their shape.
TOKENS: Final = ("secret-token-of-this-call",)
_SHAPES: Final = r"eyJ[\w-]{8,}\.[\w-]{8,}|[Bb]earer [\w-]{16,}"
_REFERENCE: Final = (
    r"\b(?:Patient|Condition|Observation|Procedure|Encounter|Practitioner"
    r"|Medication(?:Request|Statement|Administration)?)/(?!abc\b)[A-Za-z0-9]"
)
# Who of the libraries that we drive might say what we handed them.
WATCHED: Final = ("cds_service", "urllib3", "requests", "sqlalchemy", "alembic")
STORE: Final = "store.db"
LEFT: Final = ("log", "access", STORE, "service.log")
# The worklist is about patients: what these tables hold of them is what it is for. No other table holds any of it.
OF_PATIENTS: Final = frozenset({"people", "charts", "screenings", "results", "entries", "events", "attestations"})


@cache
def _secret() -> re.Pattern[str]:
    names = set()
    for file in sorted((ROOT / "fhir_examples" / "patients").glob("*/bundle.json")):
        for entry in json.loads(file.read_text(encoding="utf-8"))["entry"]:
            if entry["resource"]["resourceType"] == "Patient":
                names |= {name["text"] for name in entry["resource"].get("name", ())}
    words = "|".join(re.escape(word) for word in sorted({*PLANTED, *TOKENS, *names}))
    return re.compile(f"{words}|{_SHAPES}|{_REFERENCE}")


def secrets_in(text: str) -> list[str]:
    """Return what of a text may not be told."""
    return sorted({found.group() for found in _secret().finditer(text)})


class Watch(logging.Handler):
    """Collects what was told and should not have been, until the test is asked for it."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter())
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in WATCHED:
            # The stack and the cause come with it, as they would in a real log.
            self.check(f"a line logged by {record.name}", f"{self.format(record)} {_extra(record)}")

    def check(self, where: str, text: str) -> None:
        if found := secrets_in(text):
            self.leaks.append(f"{where} tells {', '.join(found)}: {text[:300]}")

    def taken(self) -> list[str]:
        """Return the leaks since it was asked last."""
        leaks, self.leaks = self.leaks, []
        return leaks


WATCH: Final = Watch()
_USUAL: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "correlation"})


def _extra(record: logging.LogRecord) -> str:
    return " ".join(str(value) for name, value in vars(record).items() if name not in _USUAL)


def fail_if_told(report: pytest.TestReport) -> None:
    """Let a test fail that told something, whatever else it found."""
    if leaks := WATCH.taken():
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: told of a patient.\n" + "\n".join(leaks)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Watch the run; look at its end through what was left behind."""
    from cds_service.errors import CdsServiceError
    from cds_service.present.json_text import to_json
    from cds_service.web import problems

    answer, temporary = problems.answer, tmp_path_factory.mktemp("temporary")

    def new(cls: type[CdsServiceError], *args: Any, **named: Any) -> CdsServiceError:
        said = " ".join(str(part) for arg in args for part in (arg if isinstance(arg, list | tuple) else [arg]))
        WATCH.check(f"a {cls.__name__}", said)
        return Exception.__new__(cls, *args, **named)

    def answered(value: Any, **named: Any) -> Any:
        WATCH.check("an OperationOutcome", to_json(value))
        return answer(value, **named)

    levels = {name: logging.getLogger(name).level for name in ("cds_service", "urllib3")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CdsServiceError, "__new__", new)
        patch.setattr(problems, "answer", answered)
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setenv("TMPDIR", str(temporary))
        logging.getLogger().addHandler(WATCH)
        logging.getLogger("cds_service").setLevel(logging.DEBUG)
        logging.getLogger("urllib3").setLevel(logging.INFO)
        yield
        logging.getLogger().removeHandler(WATCH)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    base = tmp_path_factory.getbasetemp()
    told = [*left_behind(temporary), *left_behind(base, LEFT)]
    assert not told, "left behind by the run:\n" + "\n".join(told)


def left_behind(folder: Path, names: tuple[str, ...] = ()) -> list[str]:
    """Say which files below a folder hold what may not be told.

    Args:
        folder: to look through.
        names: of the files to read; empty for every file.
    """
    told = []
    for path, _folders, files in os.walk(folder):
        for name in files:
            if names and name not in names:
                continue
            file = Path(path, name)
            text = kept(file) if name == STORE else file.read_bytes().decode("utf-8", "replace")
            if found := secrets_in(text):
                told.append(f"{Path(path, name).relative_to(folder)}: {', '.join(found)}")
    return told


def kept(store: Path) -> str:
    """Return the rows of a store but those of tables that are about patients; the bytes of one that a test damaged."""
    try:
        with closing(sqlite3.connect(store)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = [connection.execute(f"SELECT * FROM {one}").fetchall() for one in tables if one not in OF_PATIENTS]
        return repr(rows)
    except sqlite3.DatabaseError:
        return store.read_bytes().decode("utf-8", "replace")
