"""What a folder of an export remembers, so that a fetch that was stopped goes on: no tokens, and no address of a file.

``export-state.json`` says which export is under way and which files are here whole; ``export.json``, written last, says
what the folder holds. Addresses of files may carry a signature that opens them, so only their digest is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cds_service.errors import ConfigError
from cds_service.gather.bulk.export_manifest import Item
from cds_service.gather.bulk.whole_file import write_whole

EXPORT_FILE: Final = "export.json"
STATE_FILE: Final = "export-state.json"
_FORMAT: Final = 1
_OURS: Final = re.compile(r"[A-Z][A-Za-z]*\.[0-9]{4,}\.ndjson(\.part)?|(error|deleted)\.part")
_MEANT: Final = ("base", "path", "types")


@dataclass(frozen=True)
class Kept:
    """A file that is here whole.

    Args:
        address: the digest of where it came from.
        file: its name in the folder.
        lines: that are not blank.
    """

    address: str
    file: str
    lines: int


@dataclass
class State:
    """The state of one export in its folder.

    Args:
        folder: holds it.
        meant: base, path and types; another export does not go on here.
        status: where the server says how far it is; None before it began and after it was closed.
        transaction_time: of the manifest that the files belong to.
        kept: files that are here whole, by address.
        finished: whether every file is here.
    """

    folder: Path
    meant: Mapping[str, Any]
    status: str | None = None
    transaction_time: str = ""
    kept: dict[str, Kept] = field(default_factory=dict)
    finished: bool = False

    @classmethod
    def open(cls, folder: Path, base: str, path: str, types: tuple[str, ...]) -> State:
        """Make the folder, or read what an earlier fetch left in it; half files are removed.

        Raises:
            ConfigError: the folder cannot be used, or holds another export.
        """
        meant = {"base": base, "path": path, "types": sorted(types)}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in _ours(folder):
                if name.endswith(".part"):
                    (folder / name).unlink()
            file = folder / STATE_FILE
            text = file.read_bytes() if file.exists() else b""
        except OSError as error:
            raise ConfigError(f"The export's folder cannot be used: {error.strerror}.") from None
        if not text:
            return cls(folder, meant)
        try:
            found = json.loads(text)
            if found["format"] != _FORMAT:
                raise ValueError
            other = [name for name in _MEANT if found[name] != meant[name]]
            kept = {one["address"]: Kept(one["address"], one["file"], one["lines"]) for one in found["kept"]}
            state = cls(folder, meant, found["status"], found["transactionTime"], kept, found["finished"])
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f"{STATE_FILE} in the export's folder cannot be read; choose another folder.") from None
        if other:
            raise ConfigError(f"The folder holds another export ({', '.join(other)} differ); choose another folder.")
        return state

    def save(self) -> None:
        """Write it, whole or not at all."""
        kept = [{"address": one.address, "file": one.file, "lines": one.lines} for one in self.kept.values()]
        body = {
            "format": _FORMAT,
            **self.meant,
            "status": self.status,
            "transactionTime": self.transaction_time,
            "kept": kept,
            "finished": self.finished,
        }
        write_down(self.folder / STATE_FILE, json.dumps(body).encode())

    def has(self, item: Item, transaction_time: str) -> Kept | None:
        """Return a file that is here whole, of the same moment."""
        found = self.kept.get(address_of(item))
        if found is None or transaction_time != self.transaction_time or not (self.folder / found.file).is_file():
            return None
        return found

    def drop_files(self) -> None:
        """Remove the files: they belong to another export or moment, and must not be mixed with those of this one."""
        for name in _ours(self.folder):
            (self.folder / name).unlink()
        self.kept = {}

    def forget(self) -> None:
        """Remove what was fetched: it belongs to an export that is gone."""
        self.drop_files()
        (self.folder / EXPORT_FILE).unlink(missing_ok=True)
        self.status, self.transaction_time, self.finished = None, "", False
        self.save()


def address_of(item: Item) -> str:
    """Return the digest of a file's address."""
    return hashlib.sha256(item.url.encode("utf-8", "surrogatepass")).hexdigest()


def write_down(path: Path, data: bytes) -> None:
    """Write a file of the export, whole or not at all.

    Raises:
        ConfigError: the disk does not take it.
    """
    try:
        write_whole(path, data, "part")
    except OSError as error:
        raise ConfigError(f"The export cannot be written: {error.strerror}. Make room and run it again.") from None


def _ours(folder: Path) -> Iterator[str]:
    return iter([name for name in os.listdir(folder) if _OURS.fullmatch(name)])
