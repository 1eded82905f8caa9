"""HealthChain's sandbox client, as PyPI gives it, against our server: what it sends and what it gets.

It lives in an environment of its own, `.venv-healthchain`, and runs as a process of its own: it pins a FHIR library
and a web framework that are no business of ours.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.bootstrap import build
from cds_service.cli.listening import in_background, listening
from cds_service.settings import load_settings
from cds_service.web import create_app

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-healthchain" / "bin" / "python"
EXAMPLES = ROOT / "fhir_examples" / "hooks"


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    if not PYTHON.is_file():
        pytest.skip("install: make clients")
    services = build(load_settings(mode="open"), clock=lambda: date(2026, 3, 1))
    with listening(create_app(services), "127.0.0.1", 0) as server, in_background(server):
        yield f"http://127.0.0.1:{server.port}"
    services.store.close()


@pytest.fixture
def prefetch(tmp_path) -> Path:
    """The prefetch of the candidate, in the file that its client loads."""
    example = json.loads((EXAMPLES / "patient-view.full-prefetch.json").read_text(encoding="utf-8"))
    file = tmp_path / "prefetch.json"
    file.write_text(json.dumps(example["prefetch"]), encoding="utf-8")
    return file


def call(base: str, hook: str, prefetch: Path, **context: Any) -> dict[str, Any]:
    url = f"{base}/cds-services/npc-trials-{hook}"
    # Nothing of our surroundings: no proxy between it and loopback, no variable that it reads.
    result = subprocess.run(
        [PYTHON, Path(__file__).with_name("healthchain_call.py"), url, hook, prefetch, json.dumps(context)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "*", "PYTHONUTF8": "1"},
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_patient_view_gets_a_card(base, prefetch):
    found = call(base, "patient-view", prefetch, patientId="candidate")
    assert found["errors"] == []
    assert "fhirServer" not in found["sent"]
    ((card,),) = [response["cards"] for response in found["responses"]]
    assert "ay be a candidate for NCT07235319" in card["summary"]
    assert "exclusion criteria not encoded" in card["detail"]
    assert card["indicator"] == "info"
    # Its model asks for a link's "autoLaunchable" (the specification: autolaunchable, optional) and for nothing else.
    assert found["complaints"] == ["autoLaunchable: Field required"] * len(card["links"])
    assert {reason["display"] for reason in card["overrideReasons"]} >= {"Patient declined the trial"}


def test_the_patient_it_invents_is_refused(base, prefetch):
    """It sends the chart of one patient under the id of another: no card may come of that, no switch turns it off."""
    found = call(base, "patient-view", prefetch)
    assert found["sent"]["context"]["patientId"] != "candidate"
    assert found["responses"] == [{}]
    (error,) = found["errors"]
    assert "Error response 412" in error
    assert "candidate" not in error.replace("/cds-services/", "").replace("not a candidate", "")


@pytest.mark.parametrize("hook", ["order-sign", "order-select"])
def test_orders_that_it_drops_on_the_way_are_asked_for(base, prefetch, hook):
    """Its request model keeps userId and patientId of a context, so order hooks arrive without their orders."""
    orders = json.loads((EXAMPLES / "order-sign.radiotherapy.json").read_text(encoding="utf-8"))["context"]
    selections = {"selections": ["ServiceRequest/draft-radiotherapy"]} if hook == "order-select" else {}
    found = call(base, hook, prefetch, **orders, **selections)
    assert set(found["sent"]["context"]) == {"userId", "patientId"}
    assert found["responses"] == [{}]
    (error,) = found["errors"]
    assert "Error response 400" in error
    assert "'expression': ['context.draftOrders']" in error
    assert "context.draftOrders is required, a Bundle." in error
