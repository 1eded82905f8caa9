"""What is wrong with the rule files, collected: an author mends a file once, not once per mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from cds_service.errors import Complaint, RuleError

# A file that is wrong in more places than this is the wrong file; its author needs no list of all of them.
MOST: Final = 100
# Comparing spellings takes time in the square of the length, and no name in a rule file is longer.
_LONGEST_NAME: Final = 64


class Complaints:
    """A growing list of complaints."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: list[Complaint] = []
        self._left_out = 0

    def __len__(self) -> int:
        """Return how many there are, those left out of the list included."""
        return len(self.found) + self._left_out

    def add(self, where: str, message: str, hint: str = "") -> None:
        """Note one thing; beyond `MOST` they are only counted.

        Args:
            where: ``file:line``, or the file alone.
            message: what is wrong and what was expected.
            hint: how to mend it.
        """
        if len(self.found) < MOST:
            self.found.append(Complaint(where, message, hint))
        else:
            self._left_out += 1

    def take(self, error: RuleError) -> None:
        """Add everything another error complains of."""
        self.extend(error.complaints)

    def extend(self, complaints: Iterable[Complaint]) -> None:
        """Add complaints as they come."""
        for complaint in complaints:
            self.add(complaint.where, complaint.message, complaint.hint)

    def raise_any(self) -> None:
        """Do nothing when there are none.

        Raises:
            RuleError: with all of them.
        """
        if not self.found:
            return
        more = [Complaint("and more", f"{self._left_out} further complaints")] if self._left_out else []
        raise RuleError([*self.found, *more])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest known name, or the list of them when none is near and the list is short.

    >>> did_you_mean("hemglobin", ["hemoglobin", "platelets"])
    "did you mean 'hemoglobin'?"
    >>> did_you_mean("x", ["pass", "fail"])
    'known: fail, pass'
    >>> did_you_mean("x", [])
    ''
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1) if len(name) <= _LONGEST_NAME else []
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if 0 < len(names) <= 20 else ""


def quoted(text: str, most: int = 60) -> str:
    """Return a text in quotes, cut to what fits on a line.

    >>> quoted("on")
    "'on'"
    """
    return repr(text if len(text) <= most else text[: most - 3] + "...")
