"""The image is small, unprivileged and read-only friendly, as far as its Dockerfile can show."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from gunicorn.config import Config

ROOT = Path(__file__).resolve().parents[2]
HADOLINT = Path(sys.executable).parent / "hadolint"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order: its keyword and the rest, continuation lines joined."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#")).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(keyword.upper(), " ".join(rest.split())) for keyword, rest in pairs]


def final_stage() -> list[tuple[str, str]]:
    every = instructions()
    last = max(number for number, (keyword, _) in enumerate(every) if keyword == "FROM")
    return every[last:]


def only(keyword: str) -> str:
    (value,) = [rest for name, rest in final_stage() if name == keyword]
    return value


def test_hadolint_has_no_complaint() -> None:
    hadolint = str(HADOLINT) if HADOLINT.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("install: make .venv")
    result = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "style", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_both_stages_use_one_slim_base_pinned_to_a_release() -> None:
    bases = [rest.split()[0] for keyword, rest in instructions() if keyword == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert bases[0].startswith("python:3.")
    assert "slim-" in bases[0]


def test_the_last_stage_takes_only_the_installed_environment() -> None:
    assert [rest for keyword, rest in final_stage() if keyword in ("COPY", "ADD", "RUN")] == [
        "--from=build /opt/venv /opt/venv"
    ]


def test_it_runs_as_a_numeric_user_without_privileges() -> None:
    user, group = only("USER").split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000


def test_nothing_at_run_time_needs_a_shell_or_a_writable_home() -> None:
    command = json.loads(only("CMD"))
    assert command[0] == "gunicorn"
    assert command[-1] == "cds_service.wsgi:app"
    assert command[command.index("--worker-class") + 1] == "gthread"
    assert command[command.index("--worker-tmp-dir") + 1] == "/dev/shm"
    assert "--no-control-socket" in command


def test_a_worker_that_is_replaced_gets_the_rules_of_its_master() -> None:
    # Without it, a worker that dies while the rule files are broken ends the whole service: docs/adr/0020.
    assert "--preload" in json.loads(only("CMD"))


def test_gunicorn_accepts_the_command_line() -> None:
    parsed = Config().parser().parse_args(json.loads(only("CMD"))[1:])
    assert parsed.bind == ["0.0.0.0:8000"]


def test_it_is_asked_for_its_health_by_python() -> None:
    healthcheck = only("HEALTHCHECK")
    check = json.loads(healthcheck[healthcheck.index("CMD") + 3 :])
    assert check[:2] == ["python", "-c"]
    compile(check[2], "HEALTHCHECK", "exec")
    assert "8000" in check[2]
    assert only("EXPOSE") == "8000"


def test_its_labels_agree_with_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = only("LABEL")
    assert f'image.title="{project["name"]}"' in labels
    assert f'image.version="{project["version"]}"' in labels
    assert f'image.licenses="{project["license"]}"' in labels


def test_the_builder_gets_nothing_that_the_dockerfile_does_not_name() -> None:
    sent = [
        line.strip()
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert sent[0] == "*"
    wanted = {
        word.removeprefix("./")
        for k, rest in instructions()
        if k == "COPY" and "--from" not in rest
        for word in rest.split()[:-1]
    }
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == wanted


def test_installed_versions_come_from_the_lock() -> None:
    runs = [rest for keyword, rest in instructions() if keyword == "RUN"]
    assert any("--constraint requirements.lock" in run for run in runs)
