"""Where no day is given, every command judges on the day of the hospital's zone, and the start says which it is."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.bootstrap import build
from cds_service.cli import main
from cds_service.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
CANDIDATE = ROOT / "fhir_examples" / "patients" / "candidate" / "bundle.json"
# 26 hours apart: never on one day, whatever the clock says.
EAST, WEST = "Etc/GMT-14", "Etc/GMT+12"
DAY = re.compile(r"\d{4}-\d\d-\d\d")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)


def by_contract(_monkeypatch):
    return json.loads(told("evaluate", CANDIDATE))["as_of"]


def by_explanation(_monkeypatch):
    line = told("rules", "explain", "NCT07235319", "hemoglobin", CANDIDATE).splitlines()[0]
    return DAY.search(line.partition("as of")[2]).group()


def by_comparison(monkeypatch):
    asked = []
    monkeypatch.setattr("cds_service.cli.rules_diff._judged", lambda *given: asked.append(given[-1]) or ())
    told("rules", "diff", ROOT / "rules", ROOT / "rules", "--examples", ROOT / "fhir_examples" / "patients")
    return str(asked[0])


def by_doctor(monkeypatch):
    asked = []

    def examined(*_given, as_of, **_rest):
        asked.append(as_of)
        raise KeyboardInterrupt

    monkeypatch.setattr("cds_service.cli.doctor.examine", examined)
    CliRunner().invoke(main, ["doctor", "http://127.0.0.1:9/fhir"])
    return str(asked[0])


def told(*arguments):
    done = CliRunner().invoke(main, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("command", [by_contract, by_explanation, by_comparison, by_doctor])
def test_a_command_judges_on_the_hospitals_day(monkeypatch, command):
    days = []
    for zone in (EAST, WEST):
        monkeypatch.setenv("CDS_TIME_ZONE", zone)
        days.append(date.fromisoformat(command(monkeypatch)))
    assert days[1] < days[0]


def test_the_same_morning_counts_in_china_and_not_in_california():
    # 2026-11-23T14:00+08:00, judged an hour later.
    now = datetime(2026, 11, 23, 7, 1, tzinfo=UTC)
    days = []
    for zone in ("Asia/Shanghai", "America/Los_Angeles"):
        services = build(load_settings(mode="open", time_zone=zone), now=lambda: now)
        days.append(services.clock())
        assert services.day_told().startswith(f"Today is {days[-1]} in {zone} (UTC")
        services.store.close()
    assert days == [date(2026, 11, 23), date(2026, 11, 22)]
    services = build(load_settings(mode="open"), now=lambda: now)
    assert "by this machine's clock (UTC" in services.day_told()
    assert "CDS_TIME_ZONE" in services.day_told()
    services.store.close()


def test_serve_tells_the_day_its_zone_and_the_worklist():
    command = [sys.executable, "-c", "from cds_service.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, env={**os.environ, "CDS_TIME_ZONE": EAST}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        lines = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    base = lines[0].split()[1]
    assert ["worklist", f"{base}worklist"] in [line.split() for line in lines]
    assert re.fullmatch(rf"Today is {DAY.pattern} in {EAST} \(UTC\+14:00\)\.\n", lines[-2])


def test_the_wsgi_servers_log_tells_the_day_and_its_zone(tmp_path):
    ehr = {"issuer": "https://ehr.invalid", "jwks_url": "https://ehr.invalid/jwks.json"}
    settings = {
        "CDS_MODE": "verified",
        "CDS_PUBLIC_BASE_URL": "https://cds.invalid",
        "CDS_CLIENTS": json.dumps([ehr]),
        "CDS_STORE": f"sqlite:///{tmp_path / 'store.db'}",
        "CDS_TIME_ZONE": WEST,
    }
    command = [sys.executable, "-c", "import cds_service.wsgi"]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert re.search(rf" INFO cds_service - Today is {DAY.pattern} in {re.escape(WEST)} \(UTC-12:00\)\.", done.stderr)
