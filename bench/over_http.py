"""HTTP end to end: our hook under gunicorn against HealthChain's gateway with a handler that looks at nothing."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.paired import MissingError, Pair
from bench.patients import bundle_of_size
from bench.served import Served, free_port
from cds_service.rules_folder import rules_folder

ROOT: Final = Path(__file__).resolve().parents[1]
HEALTHCHAIN: Final = ROOT / ".venv-healthchain" / "bin" / "python"
HOOK: Final = ROOT / "fhir_examples" / "hooks" / "patient-view.full-prefetch.json"
TRIAL: Final = "NCT07235319"
_CONDITIONS: Final = {
    "Condition": "conditions",
    "Observation": "observations",
    "MedicationRequest": "medicationRequests",
}


def over_http(trials: int, *, resources: int = 209, connections: int = 1, cpu: bool = False) -> Pair:
    """One patient-view call with a full prefetch.

    Args:
        trials: how many are judged; more than one are copies of the first.
        resources: of the patient; some 200 kB by default.
        connections: at once.
        cpu: time the servers' CPU instead of the clock on the wall.

    Raises:
        MissingError: HealthChain is not installed.
    """
    if not HEALTHCHAIN.is_file():
        raise MissingError("HealthChain is not installed: make clients")
    body = hook_body(resources)
    with tempfile.TemporaryDirectory() as folder:
        ours = _ours(_rules(Path(folder), trials))
    try:
        theirs = _healthchain()
    except RuntimeError:
        ours.stop()
        raise
    each = 30 // connections

    def check() -> None:
        # A dozen first: every thread of a server has served, and what is made once is made.
        answers = ours.ask(body, 3, 4) + ours.ask(body, 1, connections)
        found = [json.loads(answer) for status, answer in answers if status == 200]
        assert len(found) == len(answers)
        said = [[card["summary"] for card in one["cards"]] for one in found]
        assert all(f"ay be a candidate for {TRIAL}" in summaries[0] for summaries in said)
        trivial = theirs.ask(body, 3, 4) + theirs.ask(body, 1, connections)
        assert [status for status, _ in trivial] == [200] * len(trivial)
        assert all(len(json.loads(answer)["cards"]) == 1 for _, answer in trivial)

    def stop() -> None:
        ours.stop()
        theirs.stop()

    def asked(server: Served) -> Any:
        answers = server.ask(body, each, connections)
        assert all(status == 200 for status, _ in answers)
        return answers

    sides = {"HealthChain, looks at nothing": lambda: asked(theirs), "ours": lambda: asked(ours)}
    note = f"one patient-view call, {len(body) / 1000:.0f} kB, {trials} trial{'s' * (trials > 1)}, "
    note += f"{connections} connection{'s' * (connections > 1)}; {'CPU time of the servers' if cpu else 'elapsed time'}"
    clock = (lambda: ours.cpu_seconds() + theirs.cpu_seconds()) if cpu else time.perf_counter
    name = f"http-{trials}" + f"-at-once-{connections}" * (connections > 1) + "-cpu" * cpu
    reference = "HealthChain, looks at nothing"
    return Pair(name, reference, sides, check, note, each * connections, clock=clock, done=stop)


def hook_body(resources: int) -> bytes:
    """Return a patient-view request with a full prefetch of so many resources."""
    request = json.loads(HOOK.read_text(encoding="utf-8"))
    prefetch = request["prefetch"]
    held = {
        entry["resource"]["id"]
        for bundle in prefetch.values()
        for entry in bundle.get("entry", [])
        if bundle["resourceType"] == "Bundle"
    }
    for entry in bundle_of_size(resources)["entry"]:
        resource = entry["resource"]
        if resource["id"] not in held and resource["id"].startswith("more-"):
            kind = resource["resourceType"]
            added = {"fullUrl": f"http://127.0.0.1/fhir/{kind}/{resource['id']}", "resource": resource}
            prefetch[_CONDITIONS[kind]].setdefault("entry", []).append(added)
    for bundle in prefetch.values():
        if "total" in bundle:
            bundle["total"] = len(bundle.get("entry", []))
    return json.dumps(request, ensure_ascii=False).encode()


def _rules(folder: Path, trials: int) -> Path:
    """Return a rules folder with so many signed-off trials; one stands for the rules as they are."""
    if trials == 1:
        return rules_folder()
    made = folder / "rules"
    shutil.copytree(rules_folder(), made, ignore=shutil.ignore_patterns("NCT*", "sites"))
    text = (rules_folder() / "trials" / TRIAL / "trial.yaml").read_text(encoding="utf-8")
    for number in range(trials):
        name = TRIAL if number == 0 else f"NCT9000{number:04}"
        (made / "trials" / name).mkdir(parents=True)
        copied = text.replace(f"id: {TRIAL}", f"id: {name}").replace(f"study/{TRIAL}", f"study/{name}")
        (made / "trials" / name / "trial.yaml").write_text(copied, encoding="utf-8")
    return made


def _ours(rules: Path) -> Served:
    port = free_port()
    # As the Dockerfile starts it, with one worker.
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--workers", "1", "--threads", "32", "--preload", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]
    command += ["--graceful-timeout", "10", "bench.open_app:app"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "CDS_RULES": str(rules)}
    return Served(command, port, "/cds-services/npc-trials-patient-view", environment, ROOT)


def _healthchain() -> Served:
    port = free_port()
    command = [str(HEALTHCHAIN), "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--no-access-log", "--log-level", "warning", "--app-dir", str(ROOT / "bench"), "healthchain_app:app"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "NO_PROXY": "*"}
    # Not from our folder: what lies there is none of its modules.
    return Served(command, port, "/cds/cds-services/npc-trials-patient-view", environment, Path(tempfile.gettempdir()))
