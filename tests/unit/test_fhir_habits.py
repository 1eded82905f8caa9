"""Servers that ignore or refuse what they are asked, and searches by POST: exact about what is there and what not."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import responses
from door_fakes import FAILED, condition, hook, services

from cds_service.errors import ConfigError, GatherError
from cds_service.facts.record import Completeness, Read
from cds_service.gather.chart import read_chart
from cds_service.gather.client import NOT_FOUND, FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.plan import KEYS, Search, make_plan
from cds_service.gather.transport import Transport, make_session
from cds_service.web.app import create_app

BASE = "http://127.0.0.1:9999/fhir"
KINDS = ("Patient", *KEYS)
AUTHORIZATION = {
    "access_token": "of-the-call",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs",
    "subject": "cds",
}
PLAN = make_plan({"Observation": [("http://loinc.org", "718-7")]})


def hemoglobin(number, patient="p1"):
    return {
        "resourceType": "Observation",
        "id": f"{patient}-o{number}",
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    }


class Server:
    """A FHIR server with habits; what it was asked is kept.

    Args:
        web: where it answers.
        records: everything that it holds.
        ignored: parameters that it does not look at.
        refused: parameters that it answers with 400.
        prefixed: whether it takes `Patient/ID` (True), the bare id (False), or both (None).
        refuses_prefix: whether the wrong one of them is a 400, rather than finds nothing.
        links: whether it links to further pages; without, `_count` cuts.
    """

    def __init__(self, web, records, *, ignored=(), refused=(), prefixed=None, refuses_prefix=False, links=True):
        self.records = [{"resourceType": "Patient", "id": "p1"}, *records]
        self.ignored, self.refused = ignored, refused
        self.prefixed, self.refuses_prefix, self.links = prefixed, refuses_prefix, links
        self.asked = []
        for kind in KINDS:
            web.add_callback(responses.GET, f"{BASE}/{kind}", self.get)
            web.add_callback(responses.POST, f"{BASE}/{kind}/_search", self.post)
        web.add_callback(responses.GET, f"{BASE}/Patient/p1", lambda _: (200, {}, json.dumps(self.records[0])))

    def get(self, request):
        parts = urlsplit(request.url)
        return self.answer("GET", parts.path.split("/")[2], parse_qsl(parts.query))

    def post(self, request):
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "?" not in request.url
        return self.answer("POST", urlsplit(request.url).path.split("/")[2], parse_qsl(request.body))

    def answer(self, method, kind, query):
        self.asked.append((method, kind, query))
        if {name for name, _ in query} & set(self.refused):
            return 400, {}, json.dumps(FAILED)
        asked = {name: value for name, value in query if name not in self.ignored}
        found = [one for one in self.records if one["resourceType"] == kind]
        if "_id" in asked:
            found = [one for one in found if one["id"] == asked["_id"]]
        if "patient" in asked:
            wanted = asked["patient"]
            if self.prefixed is not None and wanted.startswith("Patient/") is not self.prefixed:
                if self.refuses_prefix:
                    return 400, {}, json.dumps(FAILED)
                found = []
            found = [one for one in found if one["subject"]["reference"].split("/")[-1] == wanted.split("/")[-1]]
        if "code" in asked:
            codes = asked["code"].split(",")
            found = [one for one in found if any(f"{c['system']}|{c['code']}" in codes for c in one["code"]["coding"])]
        count, begin = int(asked.get("_count", 20)), int(asked.get("begin", 0))
        body = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        body["entry"] = [{"resource": one} for one in found[begin : begin + count]]
        if self.links and begin + count < len(found):
            further = requests.Request("GET", f"{BASE}/{kind}", params=[*asked.items(), ("begin", begin + count)])
            body["link"] = [{"relation": "next", "url": further.prepare().url}]
        return 200, {}, json.dumps(body)


@pytest.fixture
def web():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def client(**rest):
    transport = Transport(make_session(), Deadline.after(2.0), 1_000_000, sleep=lambda _seconds: None)
    return FhirClient(Origin.of(BASE), transport, "secret-token", **rest)


def chart(**rest):
    return read_chart({}, PLAN, "p1", client(**rest))


def ids(record, kind="Observation"):
    return sorted(source.body["id"] for source in record.resources.get(kind, ()))


MINE = [condition("c1"), hemoglobin(1), hemoglobin(2)]
FOREIGN = [hemoglobin(1, "p2"), hemoglobin(2, "p2")]


class TestIgnored:
    """What is ignored brings more than was asked for: sorted out here, and absence is believed only where it may be."""

    def test_code_and_count(self, web):
        other = hemoglobin(3) | {"code": {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}}
        Server(web, [*MINE, other], ignored=("code", "_count"))
        record = chart()
        assert ids(record) == ["p1-o1", "p1-o2", "p1-o3"]
        assert all(read.complete for read in record.reads.values())

    def test_the_patient(self, web):
        Server(web, [*MINE, *FOREIGN], ignored=("patient",))
        record = chart()
        assert ids(record) == ["p1-o1", "p1-o2"]
        assert record.reads["Observation"].completeness is Completeness.INCOMPLETE
        assert record.reads["Condition"].complete  # nobody else has one: what came is exactly what was asked for

    def test_the_patient_who_has_nothing(self, web):
        Server(web, [condition("c1"), *FOREIGN], ignored=("patient",))
        record = chart()
        assert ids(record) == []
        assert not record.reads["Observation"].complete


class TestRefused:
    def test_count(self, web):
        server = Server(web, [*MINE, *(hemoglobin(n) for n in range(3, 40))], refused=("_count",))
        record = chart()
        assert len(ids(record)) == 39  # both pages of the usual 20
        assert all(read.complete for read in record.reads.values())
        assert all(query[0] == ("patient", "Patient/p1") for _, kind, query in server.asked if kind != "Patient")

    def test_the_prefix(self, web):
        Server(web, MINE, prefixed=False, refuses_prefix=True)
        record = chart()
        assert ids(record) == ["p1-o1", "p1-o2"]
        assert record.reads["Observation"].complete
        assert record.reads["Condition"].complete
        # The bare id found nothing: that may be the server's silence as well.
        assert record.reads["Procedure"] == Read.failed("HTTP 400")

    def test_count_and_the_bare_id_met_with_silence(self, web):
        server = Server(web, MINE, refused=("_count",), prefixed=True)
        assert ids(chart()) == ["p1-o1", "p1-o2"]
        assert all(dict(query)["patient"] == "Patient/p1" for _, kind, query in server.asked if kind != "Patient")

    def test_all(self, web):
        server = Server(web, MINE, refused=("patient",))
        with pytest.raises(GatherError, match="HTTP 400"):
            chart()
        assert len(server.asked) == 3 * len(KEYS)

    def test_an_error_on_the_way_is_told(self, web):
        web.get(f"{BASE}/Condition", status=400)
        web.get(f"{BASE}/Condition", status=403)
        assert client().search(Search("Condition"), "p1").read == Read.failed("HTTP 403")


class TestCutWithoutLinks:
    def test_a_longer_page_brings_all(self, web):
        server = Server(web, [hemoglobin(n) for n in range(251)], links=False)
        harvest = client().search(Search("Observation"), "p1")
        assert (len(harvest.entries), harvest.read) == (251, Read())
        assert [dict(query)["_count"] for _, _, query in server.asked] == ["250", "1000"]

    def test_still_too_many(self, web):
        Server(web, [hemoglobin(n) for n in range(1001)], links=False)
        harvest = client().search(Search("Observation"), "p1")
        assert harvest.read == Read.incomplete("the server sent fewer records than it announced")

    def test_a_longer_page_that_is_refused_leaves_the_first(self, web):
        server = Server(web, [hemoglobin(n) for n in range(251)], links=False)
        answer = server.answer
        server.answer = lambda *asked: answer(*asked) if ("_count", "250") in asked[2] else (403, {}, "{}")
        harvest = client().search(Search("Observation"), "p1")
        assert len(harvest.entries) == 250
        assert harvest.read == Read.incomplete("the server sent fewer records than it announced")

    def test_what_is_hidden_is_not_asked_for_again(self, web):
        server = Server(web, [hemoglobin(n) for n in range(3)], links=False)
        server.answer = lambda *asked: (
            server.asked.append(asked)
            or (
                200,
                {},
                json.dumps({"resourceType": "Bundle", "total": 5, "entry": [{"resource": hemoglobin(1)}]}),
            )
        )
        assert not client().search(Search("Observation"), "p1").read.complete
        assert len(server.asked) == 1


class TestByPost:
    def test_no_patient_id_in_any_url(self, web):
        server = Server(web, MINE)
        record = chart(by_post=True)
        assert ids(record) == ["p1-o1", "p1-o2"]
        assert all(read.complete for read in record.reads.values())
        assert {kind for _, kind, _ in server.asked} == set(KINDS)
        assert not [call.request.url for call in web.calls if "p1" in call.request.url]
        assert all(call.request.headers["Authorization"] == "Bearer secret-token" for call in web.calls)

    def test_pages_are_followed_by_get(self, web):
        server = Server(web, [hemoglobin(n) for n in range(300)])
        harvest = client(by_post=True).search(Search("Observation"), "p1")
        assert (len(harvest.entries), harvest.read) == (300, Read())
        assert [method for method, _, _ in server.asked] == ["POST", "GET"]

    def test_the_same_parameters_as_by_get(self, web):
        server = Server(web, MINE)
        for by_post in (False, True):
            client(by_post=by_post).search(PLAN.searches[0], "p1")
            client(by_post=by_post).search(Search("Observation", ("http://loinc.org|a,b\\c&d=e %2C+",)), "p1")
        half = len(server.asked) // 2
        assert [query for _, _, query in server.asked[:half]] == [query for _, _, query in server.asked[half:]]

    def test_repeated_parameters_survive(self, web):
        server = Server(web, MINE)
        query = (("patient", "Patient/p1"), ("date", "ge2026-01-01"), ("date", "lt2026-02-01"))
        client().ask("Observation", query, post=True)
        assert server.asked[0][2] == list(query)

    def test_a_patient_who_is_not_there(self, web):
        Server(web, MINE)
        assert client(by_post=True).patient("p9") == (None, Read.failed(NOT_FOUND))

    def test_a_form_that_is_not_read(self, web):
        """Everybody comes instead of one: the chart is not judged, whoever else is in the answer."""
        server = Server(web, MINE, ignored=("_id", "patient", "code", "_count"))
        server.records.append({"resourceType": "Patient", "id": "p2"})
        with pytest.raises(GatherError, match="another resource"):
            chart(by_post=True)

    @pytest.mark.parametrize("status", [404, 405, 415, 501])
    def test_not_offered_is_failed_and_never_asked_by_get(self, web, status):
        web.post(f"{BASE}/Condition/_search", status=status, json=FAILED)
        assert client(by_post=True).search(Search("Condition"), "p1").read == Read.failed(f"HTTP {status}")
        assert len(web.calls) == 1

    @pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"body": requests.ConnectionError()}])
    def test_a_second_try_as_by_get(self, web, fault):
        web.post(f"{BASE}/Condition/_search", **fault)
        web.post(f"{BASE}/Condition/_search", json={"resourceType": "Bundle", "entry": [{"resource": MINE[0]}]})
        assert client(by_post=True).search(Search("Condition"), "p1").read == Read()
        assert web.calls[0].request.body == web.calls[1].request.body

    def test_no_second_try_of_other_forms(self, web):
        web.post("http://127.0.0.1:9999/token", status=503)
        client().transport.post_form("http://127.0.0.1:9999/token", {"client_assertion": "once"})
        assert len(web.calls) == 1

    def test_forgotten_pages_are_asked_for_from_the_start(self, web):
        further = {"relation": "next", "url": f"{BASE}?page=2"}
        web.post(f"{BASE}/Condition/_search", json={"resourceType": "Bundle", "entry": [], "link": [further]})
        web.get(BASE, status=410)
        web.post(f"{BASE}/Condition/_search", json={"resourceType": "Bundle", "entry": [{"resource": MINE[0]}]})
        assert client(by_post=True).search(Search("Condition"), "p1").read == Read()

    def test_count_refused(self, web):
        server = Server(web, MINE, refused=("_count",))
        assert ids(chart(by_post=True)) == ["p1-o1", "p1-o2"]
        assert {method for method, _, _ in server.asked} == {"POST"}


class TestTheWayOfACall:
    """What the settings say of a server holds for the hooks that name it: by its whole base, never by a part of it."""

    SERVERS = ({"base_url": f"{BASE}/", "post_search": True, "auth": "smart", "client_id": "ours"},)

    def ask(self, web, base):
        doors, records = services(fhir_servers=self.SERVERS)
        body = hook(prefetch=..., fhirServer=base, fhirAuthorization=AUTHORIZATION)
        answer = create_app(doors).test_client().post("/cds-services/npc-trials-patient-view", json=body)
        return answer, records

    def test_by_post_with_the_token_of_the_call(self, web):
        server = Server(web, MINE)
        answer, records = self.ask(web, BASE)
        assert answer.status_code == 200
        assert ids(records[0]) == ["p1-o1", "p1-o2"]
        assert {method for method, _, _ in server.asked} == {"POST"}
        assert {call.request.headers["Authorization"] for call in web.calls} == {"Bearer of-the-call"}

    def test_another_base_on_the_same_host(self, web):
        Server(web, MINE)
        self.ask(web, f"{BASE}/tenant")
        assert {call.request.method for call in web.calls} == {"GET"}

    @pytest.mark.parametrize(
        ("wrong", "named"), [({"base_url": "http://ehr.invalid"}, "base_url"), ({"ca_file": "/nowhere"}, "ca_file")]
    )
    def test_a_way_that_is_none_stops_the_start(self, wrong, named):
        with pytest.raises(ConfigError, match=f"fhir_servers.{named}"):
            services(fhir_servers=({"base_url": BASE, **wrong},))
