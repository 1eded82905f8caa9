"""What every list says of its run: the day, the rules, what is not encoded, what was read, and the funnels."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.facts import shown
from cds_service.facts.phrase import Translate, in_language, words_of_rules
from cds_service.present import wording
from cds_service.present.cohort import words
from cds_service.present.cohort.funnel import Funnel
from cds_service.present.cohort.lists import Cohort
from cds_service.present.safe_text import plain


def of_the_run(cohort: Cohort, translate: Translate) -> Iterator[tuple[str, str | int]]:
    """Yield what holds for all trials, as heading and content."""
    manifest = cohort.run.manifest
    told: list[tuple[str, str | int]] = [(words.AS_OF, shown.day(manifest.as_of))]
    if manifest.anchor:
        told.append((words.ANCHOR, shown.day(manifest.anchor)))
    if manifest.site:
        told.append((words.SITE, plain(manifest.site)))
    told.append((words.SOURCE, plain(manifest.source)))
    told += [(words.COUNT.get(name, plain(name)), number) for name, number in manifest.counts.items()]
    if cohort.unjudged:
        told.append((words.UNJUDGED, cohort.unjudged))
    told += [
        (words.NOT_READ, f"{in_language(wording.TYPES.get(kind, plain(kind)), translate)}: {plain(why)}")
        for kind, why in manifest.incomplete
    ]
    for heading, content in told:
        yield (
            in_language(heading, translate),
            content if isinstance(content, int) else in_language(content, translate),
        )


def of_the_trials(cohort: Cohort, translate: Translate) -> Iterator[tuple[str, str]]:
    """Yield each trial with its title, its rules and whether its exclusion criteria are encoded."""
    for one in cohort.lists:
        trial = one.trial
        title = in_language(words_of_rules(trial.title.get("en") or ""), translate)
        exclusions = f"{in_language(words.EXCLUSIONS, translate)}: " + in_language(
            words.ENCODED[trial.exclusions], translate
        )
        digest = f"{in_language(words.RULES, translate)}: {cohort.run.manifest.digests[trial.id]}"
        yield trial.id, "; ".join((plain(title, 400), exclusions, digest))


def steps(funnel: Funnel, translate: Translate) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield the funnel's steps: label, patients at it, pass, unknown, fail."""
    for step in funnel.steps:
        yield in_language(step.label, translate), step.entered, step.passed, step.unknown, step.failed
