"""The page of a run: one file that needs no script and no other file; nothing in it runs or is fetched."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from cds_service.evaluation.outcome import Status
from cds_service.facts.phrase import Phrase, Translate, in_language
from cds_service.languages import translator
from cds_service.present.cohort import about, words
from cds_service.present.cohort.lists import Cohort
from cds_service.present.cohort.page_parts import BAR_WIDTH, Key, sections, summary
from cds_service.present.cohort.private_file import private_file
from cds_service.present.cohort.told import Name
from cds_service.present.speaker import TAGS

MOST_ROWS: Final = 500
_HERE: Final = Path(__file__).parent


def write_html(cohort: Cohort, path: Path, name: Name, *, most_rows: int = MOST_ROWS) -> None:
    """Write the page; a list shows its first rows and says so.

    Args:
        cohort: the run.
        path: the file.
        name: what the patients are called.
        most_rows: of one list.
    """
    translate = translator(cohort.language, cohort.library)
    css = (_HERE / "page.css").read_text(encoding="utf-8")
    numbers = count(1)
    anchors = {one.trial.id: f"trial-{next(numbers)}" for one in cohort.lists if one.ranked or one.unsure}
    lines = [summary(one, anchors.get(one.trial.id, ""), translate) for one in cohort.lists]
    template = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    ).get_template("page.html")
    parts = template.generate(
        language=TAGS[cohort.language],
        policy=_policy(css),
        css=Markup(css),  # noqa: S704  our own file
        word=_Words(translate),
        as_of=cohort.run.manifest.as_of.isoformat(),
        statuses=[in_language(words.STATUS[one], translate) for one in Status],
        keys=[Key(one.value, words.verdict(one, translate)) for one in words.VERDICT_ORDER],
        bar_width=BAR_WIDTH,
        summary=lines,
        trials=sections(cohort, anchors, translate, name, most_rows),
        run=list(about.of_the_run(cohort, translate)),
        rules=list(about.of_the_trials(cohort, translate)),
        listed=_listed,
    )
    with private_file(path) as file:
        for part in parts:
            file.write(part.encode("utf-8", "replace"))


def _policy(css: str) -> str:
    """Return the Content-Security-Policy: this style sheet and nothing else."""
    digest = b64encode(hashlib.sha256(css.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _listed(told: Sequence[str]) -> Markup:
    """Return sentences as they stand in a cell: one as it is, more as a list."""
    if len(told) < 2:
        return escape("".join(told))
    items = Markup().join(Markup("<li>{}</li>").format(one) for one in told)
    return Markup("<ul>{}</ul>").format(items)


class _Words:
    """The words of :mod:`words` in the page's language."""

    def __init__(self, translate: Translate) -> None:
        self._translate = translate

    def __getattr__(self, name: str) -> str:
        phrase: Phrase = getattr(words, name)
        return in_language(phrase, self._translate)
