"""What the tests of bulk exports share: a server, a clock that only sleeping moves, and the fetching."""

import json

import pytest
from bulk_server import bulk_server

from cds_service.gather.bulk.export import fetch_export
from cds_service.gather.bulk.export_http import ExportServer
from cds_service.gather.bulk.export_poll import Patience
from cds_service.gather.client import FhirClient
from cds_service.gather.deadline import Deadline
from cds_service.gather.origin import Origin
from cds_service.gather.transport import Transport, make_session

TYPES = ("Patient", "Condition", "Observation")


class Waiting:
    """A clock that goes on only by sleeping, and remembers how long."""

    def __init__(self):
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)

    def clock(self):
        return float(sum(self.pauses))


@pytest.fixture
def server():
    with bulk_server() as running:
        yield running


@pytest.fixture
def waiting():
    return Waiting()


@pytest.fixture
def fetch(server, waiting, tmp_path):
    """Fetch the export into the same folder each time."""
    session = make_session()

    def fetched(
        path="Patient/$export",
        *,
        token="secret-token",
        access=None,
        hours=12.0,
        tell=None,
        aliases=(),
        fixed=False,
        folder="export",
        **more,
    ):
        def connect(seconds):
            transport = Transport(session, Deadline.after(min(seconds, 10)), 2**20)
            return FhirClient(Origin.of(server.base), transport, token, access=access, aliases=aliases)

        return fetch_export(
            ExportServer(connect, **more),
            path,
            tmp_path / folder,
            types=TYPES,
            fixed=fixed,
            patience=Patience(hours * 3600, waiting.sleep, waiting.clock),
            tell=tell or (lambda _line: None),
        )

    return fetched


@pytest.fixture
def kept(tmp_path):
    """What the folder holds: export.json, and the files by type."""

    def read():
        folder = tmp_path / "export"
        told = json.loads((folder / "export.json").read_text())
        return told, {one["type"]: (folder / one["file"]).read_bytes() for one in told["output"]}

    return read


def reasons(export):
    return dict(export.incomplete)
