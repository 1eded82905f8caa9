"""What the README tells a newcomer to type is typed here, against a service that runs."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
CURLS = [command for command in COMMANDS if command.startswith("curl")]
OURS = [
    command
    for command in COMMANDS
    if command.startswith(".venv/bin/cds-service") and not re.search(" (serve|conformance) ", command)
]

pytestmark = pytest.mark.docs


def run(command: str) -> subprocess.CompletedProcess[str]:
    here = command.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    return subprocess.run(["bash", "-c", here], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    command = [f"{Path(sys.executable).parent}/cds-service", "serve", "--host", "127.0.0.1", "--port", str(number)]
    service = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{number}/livez", timeout=1).close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield number
    finally:
        service.terminate()
        service.communicate(timeout=10)


def answer(command: str, port: int) -> dict[str, object]:
    result = run(command.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_the_readme_has_two_setup_commands_and_six_calls() -> None:
    assert [command for command in COMMANDS if command.startswith("make")] == ["make demo", "make test"]
    assert len(CURLS) == 6


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for ``build``: what one command writes the next one reads."""
    return tmp_path_factory.mktemp("build")


@pytest.mark.parametrize("command", OURS)
def test_command(command: str, build: Path) -> None:
    # A path of three slashes is relative, one of four is not.
    result = run(command.replace(" build/", f" {build}/").replace("sqlite:///build/", f"sqlite:///{build}/"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.strip()
    assert "eligible" not in result.stdout.lower()


def test_discovery(port: int) -> None:
    service = answer(CURLS[0], port)["services"][0]  # type: ignore[index]
    assert service["id"] == "npc-trials-patient-view"
    assert service["hook"] == "patient-view"
    assert set(service["prefetch"]) >= {"patient", "conditions", "observations"}


def test_full_prefetch_gets_a_card(port: int) -> None:
    (card,) = answer(CURLS[1], port)["cards"]  # type: ignore[misc]
    assert "NCT07235319" in card["summary"]
    assert len(card["summary"]) <= 139
    assert "exclusion criteria not encoded" in card["detail"]


def test_no_prefetch_and_no_server_is_told(port: int, tmp_path: Path) -> None:
    (named,) = re.findall(r"--data @(\S+)", CURLS[2])
    with socket.socket() as nobody:  # bound and deaf: on 8090 a demo of another test may answer
        nobody.bind(("127.0.0.1", 0))
        body = tmp_path / "hook.json"
        body.write_text((ROOT / named).read_text("utf-8").replace(":8090/", f":{nobody.getsockname()[1]}/"), "utf-8")
        found = answer(CURLS[2].replace(named, str(body)), port)
    assert found["resourceType"] == "OperationOutcome"


def test_a_failed_key_is_called_unread(port: int) -> None:
    (card,) = answer(CURLS[3], port)["cards"]  # type: ignore[misc]
    assert "could not" in card["summary"] + card["detail"]
    assert "suggestions" not in card or all("order" in s["label"].lower() for s in card["suggestions"])


def test_an_order_that_closes_the_trial_is_warned_of(port: int) -> None:
    (card,) = answer(CURLS[4], port)["cards"]  # type: ignore[misc]
    assert card["indicator"] == "warning"
    assert card["summary"].startswith("This order would close NCT07235319 for a possible candidate")


def test_the_api_judges_on_any_day(port: int) -> None:
    found = answer(CURLS[5], port)
    assert found["as_of"] == "2026-03-01"
    assert found["results"][0]["status"] == "candidate"  # type: ignore[index]


def test_the_service_keeps_to_cds_hooks(port: int) -> None:
    (command,) = [command for command in COMMANDS if " conformance " in command]
    result = run(command.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert ", 0 failed, " in result.stdout
