"""Markdown as a tree of a few harmless elements: there is no HTML text anywhere for a record to slip into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

Node = str | dict[str, Any]

# Raw HTML is text. Tables are what GitHub Flavored Markdown adds that cards use.
_PARSER: Final = MarkdownIt("commonmark", {"html": False}).enable("table")
_ELEMENTS: Final[Mapping[str, str]] = {
    "paragraph": "p",
    "strong": "strong",
    "em": "em",
    "code_inline": "code",
    "code_block": "pre",
    "fence": "pre",
    "bullet_list": "ul",
    "ordered_list": "ol",
    "list_item": "li",
    "blockquote": "blockquote",
    "hr": "hr",
    "hardbreak": "br",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "link": "a",
}
_DEEPER: Final = 3  # a card stands under an h3


def markdown_tree(text: str) -> list[Node]:
    """Parse Markdown.

    Args:
        text: GitHub Flavored Markdown, hostile or not.

    Returns:
        Strings, to be shown as they are, and objects ``{"tag", "children"}``, with ``href`` on links. An image
        is its description: a picture from elsewhere tells its host who looked.

    >>> markdown_tree("a **b** <i>")
    [{'tag': 'p', 'children': ['a ', {'tag': 'strong', 'children': ['b']}, ' <i>']}]
    >>> markdown_tree("[x](javascript:y)")
    [{'tag': 'p', 'children': ['[x](javascript:y)']}]
    """
    return _all(SyntaxTreeNode(_PARSER.parse(text)).children)


def _all(nodes: list[SyntaxTreeNode]) -> list[Node]:
    return [made for node in nodes for made in _make(node)]


def _make(node: SyntaxTreeNode) -> list[Node]:
    if node.type == "text":
        return [node.content] if node.content else []
    if node.type == "softbreak":
        return [" "]
    if node.type == "image":
        return [f"[image: {node.content}]" if node.content else "[image]"]
    # Words of a leaf (code) stand in `content`; inner nodes repeat theirs there.
    children = _all(node.children)
    if not children and node.content:
        children = [node.content]
    tag = _tag(node)
    if tag is None:
        return children
    made: dict[str, Any] = {"tag": tag, "children": children}
    if tag == "a":
        href = str(node.attrs.get("href", ""))
        if not _web(href):
            return children
        made["href"] = href
    return [made]


def _tag(node: SyntaxTreeNode) -> str | None:
    if node.type == "heading":
        return f"h{min(int(node.tag[1]) + _DEEPER, 6)}"
    # In a tight list the parser hides the paragraphs.
    return None if node.type == "paragraph" and node.hidden else _ELEMENTS.get(node.type)


def _web(href: str) -> bool:
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
