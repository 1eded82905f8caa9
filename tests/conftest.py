"""What holds for every test: no network, no silent skips in CI, and the Hypothesis profiles."""

import ipaddress
import os
import socket
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import rules_read_once
from canary import fail_if_told, nothing_is_told
from hypothesis import HealthCheck, settings
from sandboxes.chosen import chosen

__all__ = ["nothing_is_told"]  # a fixture

rules_read_once.install()

# The terminal's language is English in every test that asks for no other, whatever that of whoever runs them.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ.pop("CDS_LANGUAGE", None)

IN_CI = os.environ.get("CI") == "true"

settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)  # `make fuzz`: 500
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "500")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if IN_CI else "dev")  # --hypothesis-profile=NAME on the command line wins


# A skip is a failure in CI.


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure: what a test needs is installed in CI, so a skip hides a test."""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: no test may be skipped in CI. {reason}"


# What `make check` leaves to `make test`, by folder or file.
MARKS = {
    **dict.fromkeys(
        ("charts", "property", "third_party", "browser", "clients", "cohort", "bench", "faults", "store"), "slow"
    ),
    **dict.fromkeys(
        (
            "test_suite.py",
            "test_ours.py",
            "test_held_rules.py",
            "test_store.py",
            "test_site_file.py",
            "test_rule_tools.py",
            "test_rule_files.py",
            "test_trials_yaml_text.py",
            "test_tables.py",
            "test_synth_truth.py",
            "test_no_english_left.py",
        ),
        "slow",
    ),
    "servers": "server",
    "docs": "docs",
}


# `make test` runs two processes, each a file at a time. What takes long comes first, lest one waits for the other.
LONGEST = (
    "test_same_verdicts.py",
    "test_ours.py",
    "test_simulator_page.py",
    "test_suite.py",
    "test_charts.py",
    "test_disk_full.py",
    "test_fault_law.py",
    "test_openapi.py",
    "test_spark.py",
    "test_faults.py",
    "test_keyboard_and_access.py",
    "test_worklist_store.py",
    "test_worklist_laws.py",
    "test_kills.py",
    "test_jobs.py",
    "test_canary.py",
    "test_entry_page.py",
    "test_worklist_pages.py",
    "test_held_rules.py",
)
# HAPI takes 20 s of both processors to start: the files that ask for it run in one process.
WITH_HAPI = ("test_same_verdicts.py", "test_search_by_post.py", "test_doctor.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together what shares a server, otherwise a file."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return "tests/servers" if file.endswith(WITH_HAPI) else file

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whole folders and files; put the longest first."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
    for item in items:
        for part in item.path.relative_to(Path(__file__).parent).parts:
            if part in MARKS:
                item.add_marker(getattr(pytest.mark, MARKS[part]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    fail_if_told(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


# No network.


class NetworkUsedError(RuntimeError):
    """A test reached for another machine; no OSError, so that no code under test takes it for an outage."""


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Refuse every connection and look-up beyond this machine. Names under `.invalid` just do not resolve."""
    connect, connect_ex, send_to = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    look_up = socket.getaddrinfo
    sandbox = chosen()  # `make sandbox-tests` names one server, and that alone may be reached
    beyond: frozenset[str] = sandbox.hosts if sandbox else frozenset()
    found: set[str] = set()  # its addresses

    def check(peer: socket.socket, address: Any) -> None:
        if peer.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]) and address[0] not in found:
            peer.close()  # else the caller, prepared for OSError only, leaves it open
            raise NetworkUsedError(f"a test tried to reach {address[0]}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_send_to(self: socket.socket, data: Any, *flags_and_address: Any) -> int:
        check(self, flags_and_address[-1])
        return send_to(self, data, *flags_and_address)

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(host, str) and host.rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        try:
            numeric = ipaddress.ip_address(host) is not None
        except ValueError:
            numeric = False
        if not numeric and not _is_local(host) and host not in beyond:
            raise NetworkUsedError(f"a test tried to look up {host}")
        places = look_up(host, *rest, **named)
        if host in beyond:
            found.update(str(place[0]) for *_, place in places)
        return places

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket.socket, "sendto", guarded_send_to)
        patch.setattr(socket, "getaddrinfo", guarded_look_up)
        yield
