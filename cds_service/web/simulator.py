"""A small EHR simulator: a page that calls the service as a browser-based EHR would. Open mode only."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, render_template

from cds_service.bootstrap import Services
from cds_service.errors import RequestError
from cds_service.evaluation.outcome import Status
from cds_service.present.speaker import Speaker, speaker
from cds_service.present.wording import STATUS_IN_SHORT
from cds_service.web.answers import answer, read_body
from cds_service.web.example_stories import Story, example_stories
from cds_service.web.language import language_of, language_of_call, said_on_pages, say_language
from cds_service.web.markdown_tree import markdown_tree
from cds_service.web.simulator_words import words_of_scripts

PATH: Final = "/simulator"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_MAX_MARKDOWN: Final = 64 * 2**10


def routes(services: Services, fhir_server: str | None = None) -> Blueprint:
    """Return the simulator's addresses. The page judges nothing: it calls the same hooks as every client.

    Args:
        services: for the day that the service judges.
        fhir_server: a FHIR server that holds the example patients; the demo runs one.
    """
    blueprint = Blueprint(
        "simulator",
        __name__,
        static_folder="static/simulator",
        static_url_path=f"{PATH}/static",
        template_folder="templates",
    )

    @blueprint.get(PATH)
    def page() -> Response:
        spoken = speaker(language_of(services.settings))
        text = render_template("simulator.html", **said_on_pages(spoken), words=words_of_scripts(spoken))
        return say_language(Response(text, content_type="text/html; charset=utf-8"), spoken.language)

    @blueprint.get(f"{PATH}/setup")
    def setup() -> Response:
        """What the page starts from. The day is asked again before each call: it may have passed midnight."""
        spoken = speaker(language_of_call(services.settings))
        stories = [_told(one, spoken) for one in example_stories()]
        start: dict[str, Any] = {"asOf": services.clock().isoformat(), "stories": stories}
        told = answer({**start, **({"fhirServer": fhir_server} if fhir_server else {})})
        return say_language(told, spoken.language)

    @blueprint.get(f"{PATH}/stories/<name>")
    def story(name: str) -> Response:
        for one in example_stories():
            if one.name == name:
                return Response(one.bundle.read_bytes(), content_type="application/fhir+json; charset=utf-8")
        raise RequestError("There is no such example patient.", field="name", status=404)

    @blueprint.post(f"{PATH}/markdown")
    def markdown() -> Response:
        body = read_body(_MAX_MARKDOWN)
        text = body.get("markdown") if isinstance(body, dict) else None
        if not isinstance(text, str):
            raise RequestError("markdown must be a string.", field="markdown")
        return answer({"nodes": markdown_tree(text)})

    @blueprint.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return blueprint


def _told(story: Story, spoken: Speaker) -> dict[str, str]:
    chinese = spoken.language == "zh"
    return {
        "name": story.name,
        "title": story.title_zh if chinese else story.name,
        "text": story.text_zh if chinese else story.text,
        "asOf": story.as_of.isoformat(),
        "expected": story.expected,
        "status": spoken.said(STATUS_IN_SHORT[Status(story.expected)]),
    }
