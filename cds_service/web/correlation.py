"""One random id for each request: in its log lines, its answer's header and its OperationOutcome.

An operator who is told the id finds the lines; nobody else learns anything from it. An id that a caller sends is not
taken: it would put a stranger's words into the log.
"""

from __future__ import annotations

import logging
from typing import Final
from uuid import uuid4

from flask import g, has_request_context

HEADER: Final = "X-Correlation-Id"
FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(correlation)s %(message)s"


def correlation_id() -> str:
    """Return the current request's id."""
    if "correlation" not in g:
        g.correlation = str(uuid4())
    return str(g.correlation)


class Correlated(logging.Filter):
    """Gives each log record the id of the request it was written in; "-" outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mark the record."""
        record.correlation = correlation_id() if has_request_context() else "-"
        return True


def start_logging() -> None:
    """Log to stderr, each line with its request's id."""
    handler = logging.StreamHandler()
    # On the handler: a logger's own filter does not see what its children log.
    handler.addFilter(Correlated())
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
