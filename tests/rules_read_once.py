"""In a test process, rule files of the same bytes are parsed once: dozens of modules load the same rules.

What is kept is the pickled document; each reader gets a copy of its own. A file that is refused is parsed each time.
"""

import pickle
from dataclasses import replace
from typing import Final

from cds_service.trials import yaml_text
from cds_service.trials.yaml_text import Document

_MOST: Final = 200  # further ones are parsed each time
_parse = yaml_text.parse_document
_kept: dict[bytes, bytes] = {}


def _parse_once(content: bytes, name: str) -> Document:
    if content not in _kept:
        document = _parse(content, name)
        if len(_kept) < _MOST:
            _kept[content] = pickle.dumps(document)
        return document
    known: Document = pickle.loads(_kept[content])
    return replace(known, name=name)


def install() -> None:
    """Put the parser that remembers in the place of the real one."""
    yaml_text.parse_document = _parse_once
