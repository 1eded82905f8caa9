"""Whom a bulk export asks, and with which token."""

import pytest
from bulk_server import PATIENTS, Said, bulk_server
from exporting import TYPES, fetch, reasons, server, waiting

from cds_service.errors import GatherError
from cds_service.gather.access import Grant
from cds_service.gather.origin import Origin

__all__ = ["fetch", "server", "waiting"]  # fixtures


def test_no_token_where_none_is_asked_for(server, fetch):
    server.manifest["requiresAccessToken"] = False
    fetch()
    tokens = {step: one.headers.get("authorization") for step, one in zip(server.steps(), server.heard, strict=True)}
    assert tokens == {
        "begin": "Bearer secret-token",
        "status": "Bearer secret-token",
        "Patient": None,
        "Condition": None,
        "close": "Bearer secret-token",
    }


def test_files_elsewhere_are_not_asked_for_unless_allowed_and_never_with_a_token(server, fetch):
    with bulk_server() as store:
        store.files, store.jobs = server.files, 1
        server.file_host = store.root
        export = fetch()
        assert set(export.incomplete) == {"Patient", "Condition"}
        assert "another host" in export.incomplete["Patient"]
        assert store.heard == []
        assert fetch(file_origins=(Origin.of(store.root),)).lines == 5
        assert [one.headers.get("authorization") for one in store.heard] == [None, None]


def test_a_job_elsewhere_is_not_asked_for(server, fetch):
    with bulk_server() as other:
        server.faults["begin"] = [Said(202, headers={"Content-Location": f"{other.root}/jobs/1"})]
        with pytest.raises(GatherError, match="another host"):
            fetch()
        assert other.heard == []


def test_the_inner_name_of_a_gateway_is_read_as_the_server(server, fetch):
    inner = "http://inner.invalid:8080/fhir"
    output = [{"type": "Patient", "url": f"{inner}/files/Patient"}]
    server.manifest["output"] = output
    server.faults["Patient"] = [Said(200, PATIENTS)]
    assert fetch(aliases=(Origin.of(inner),)).lines == 2


def test_redirects_are_not_followed(server, fetch):
    server.faults["Condition"] = lambda _heard: Said(302, headers={"Location": f"{server.root}/files/1/Patient"})
    assert "HTTP 302, a redirect" in fetch().incomplete["Condition"]


class Access:
    """Leave for some types; each token is good for so many calls."""

    def __init__(self, *kinds):
        self.kinds, self.number = kinds, 1

    def grant(self, kind, transport):
        return Grant(f"token-{self.number}") if kind in self.kinds else Grant(why=f"no leave to read {kind}")

    def renewed(self, kind, refused, transport):
        self.number += 1
        return self.grant(kind, transport)


def test_types_without_leave_are_not_asked_for_and_told(server, fetch):
    export = fetch(access=Access("Patient", "Condition"))
    assert server.heard[0].query == "_type=Patient,Condition"
    assert reasons(export) == {"Observation": "no leave to read Observation"}


def test_a_token_that_ran_out_is_renewed_once(server, fetch):
    server.faults["status"] = [Said(401)]
    server.faults["Condition"] = [Said(401)]
    assert fetch(access=Access(*TYPES)).lines == 5
    assert server.heard[-1].headers["authorization"] == "Bearer token-3"


def test_an_authorization_server_that_fails_on_the_way_is_asked_again(server, fetch, waiting):
    access = Access(*TYPES)
    honest, failures = access.grant, [""] * 5 + ["HTTP 503"] * 3  # leave for the types, the start; then the status
    access.grant = lambda *asked: Grant(why=why) if (why := failures.pop(0) if failures else "") else honest(*asked)
    assert fetch(access=access).lines == 5
    assert waiting.pauses == [1, 2, 4]
    access.grant = lambda *_asked: Grant(why="no access token")
    with pytest.raises(GatherError, match="no access token"):
        fetch("$export", access=access, folder="other")
    assert waiting.pauses == [1, 2, 4]
