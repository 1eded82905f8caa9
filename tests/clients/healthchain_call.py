"""Run by HealthChain's own environment: one call with its sandbox client, and what it sent and got, as JSON.

Usage: healthchain_call.py URL HOOK PREFETCH.json CONTEXT.json
"""

import json
import logging
import sys
from pathlib import Path

from healthchain.models import CDSResponse
from healthchain.sandbox import SandboxClient
from healthchain.sandbox.requestconstructors import CdsRequestConstructor
from healthchain.sandbox.workflows import Workflow
from pydantic import ValidationError


class Kept(logging.Handler):
    """Keeps the errors that the client logs: its answer to them is `{}`."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main(url: str, hook: str, prefetch: str, context: str) -> None:
    kept = Kept()
    logging.getLogger().addHandler(kept)
    client = SandboxClient(url=url, workflow=hook)
    chosen = json.loads(context)
    if hook == "patient-view":
        client.load_from_path(prefetch)
        # It invents a patientId of its own, whatever patient the prefetch is of.
        client.requests[0].context.patientId = chosen.get("patientId", client.requests[0].context.patientId)
    else:
        data = json.loads(Path(prefetch).read_text(encoding="utf-8"))
        client.requests.append(CdsRequestConstructor().construct_request(data, workflow=Workflow(hook), context=chosen))
    responses = client.send_requests()
    sent = client.get_request_data()[0]
    told = {"sent": {**sent, "prefetch": sorted(sent["prefetch"])}, "responses": responses, "errors": kept.lines}
    print(json.dumps({**told, "complaints": [complaint for one in responses for complaint in complaints(one)]}))


def complaints(response: dict) -> list[str]:
    """What its own model of an answer says; the client then hands the answer on as it came."""
    try:
        CDSResponse.model_validate(response)
    except ValidationError as error:
        return [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
    return []


if __name__ == "__main__":
    main(*sys.argv[1:])
