"""An SVG drawing put together mark by mark; whatever is written into it is escaped."""

from __future__ import annotations

from typing import Self

from markupsafe import Markup


class Drawing:
    """A picture with a title and a description for those who do not see it.

    Colours are the style sheet's: marks carry classes, never styles (the pages allow none).

    Args:
        name: unique on the page; the ids of title and description begin with it.
        width: of the drawing's own coordinates.
        height: the same.
        title: what it shows.
        description: what there is to see.
    """

    def __init__(self, name: str, width: int, height: int, title: str, description: str) -> None:
        self._name, self._size, self._title, self._description = name, (width, height), title, description
        self._marks: list[Markup] = []

    def add(self, tag: str, kind: str = "", text: str | None = None, **attributes: float | str) -> Self:
        """Add a mark.

        Args:
            tag: the element.
            kind: its class, "" for none.
            text: what stands in it, None for nothing.
            attributes: ``text_anchor`` becomes ``text-anchor``; numbers are rounded to a tenth.
        """
        named = {"class": kind, **{name.replace("_", "-"): _plain(one) for name, one in attributes.items()}}
        written = Markup("").join(Markup(' {}="{}"').format(name, one) for name, one in named.items() if one != "")
        self._marks.append(Markup("<{tag}{written}>{text}</{tag}>").format(tag=tag, written=written, text=text or ""))
        return self

    def markup(self) -> Markup:
        """Return the element, ready for a page."""
        width, height = self._size
        return Markup(
            '<svg role="img" class="plot" viewBox="0 0 {w} {h}" aria-labelledby="{name}-title {name}-desc">'
            '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>{marks}</svg>'
        ).format(
            w=width,
            h=height,
            name=self._name,
            title=self._title,
            description=self._description,
            marks=Markup("").join(self._marks),
        )


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
