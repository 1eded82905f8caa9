"""Which language an answer is in: what the reader chose, else what the browser or record system asks for."""

from __future__ import annotations

from typing import Any, Final, Literal

from flask import Response, request, session
from werkzeug.datastructures import LanguageAccept

from cds_service.present.speaker import TAGS, Speaker
from cds_service.settings import Settings

Language = Literal["en", "zh"]

PARAMETER: Final = "lang"
_CHOSEN: Final = "language"  # in the session
# Places and scripts of Traditional Chinese; our catalogue is Simplified.
_TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})


def language_of(settings: Settings) -> Language:
    """Return the language of a page: of its address, else chosen before, else asked for, else the setting.

    Args:
        settings: for the language of those who ask for none of ours.
    """
    chosen = _ours(request.args.get(PARAMETER)) or _ours(session.get(_CHOSEN))
    return chosen or language_of_call(settings)


def language_of_call(settings: Settings) -> Language:
    """Return the language of an answer to a program: the one that Accept-Language names, else the setting.

    Args:
        settings: for the language of those who ask for none of ours.
    """
    return asked(request.accept_languages) or settings.language


def choose(language: str) -> None:
    """Keep a reader's choice in the session; what is no language of ours changes nothing.

    Args:
        language: as the reader sent it.
    """
    if (ours := _ours(language)) is not None:
        session[_CHOSEN] = ours


def asked(accepted: LanguageAccept) -> Language | None:
    """Return the best language of ours that is named; None for none.

    A reader of Traditional Chinese who names English too gets English, however little it is wanted: our Chinese is
    Simplified. One who names nothing else of ours gets Simplified Chinese.

    Args:
        accepted: the parsed header.
    """
    # By quality alone: werkzeug's own best_match takes an exact "en;q=0.1" before "zh-CN".
    named = [tag for tag, quality in sorted(accepted, key=lambda one: -one[1]) if quality > 0]
    simplified = [tag for tag in named if not _traditional(tag)]
    for tag in (*simplified, *named):
        if (ours := _ours(_parts(tag)[0])) is not None:
            return ours
    return None


def said_on_pages(speaker: Speaker) -> dict[str, Any]:
    """Return what a page's template is given: what says its words, its language and the other one.

    Args:
        speaker: in whose language.
    """
    other = "en" if speaker.language == "zh" else "zh"
    return {
        "t": speaker.t,
        "tag": speaker.tag,
        "language": speaker.language,
        "other_language": other,
        "other_tag": TAGS[other],
    }


def say_language(response: Response, language: str) -> Response:
    """Name an answer's language in its headers, and that it follows the request's.

    Args:
        response: the answer.
        language: it is in.
    """
    response.headers["Content-Language"] = TAGS[language]
    response.vary.add("Accept-Language")
    return response


def _traditional(tag: str) -> bool:
    parts = _parts(tag)
    return parts[0] == "zh" and "hans" not in parts and not _TRADITIONAL.isdisjoint(parts)


def _parts(tag: str) -> list[str]:
    return tag.lower().replace("_", "-").split("-")


def _ours(language: object) -> Language | None:
    return language if language in ("en", "zh") else None
