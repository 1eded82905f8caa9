"""Readiness: the store takes a write, tried once in a while however often it is asked, and not more is told."""

from dataclasses import replace

import pytest
from door_fakes import services
from sqlalchemy import func, select

from cds_service.errors import UnavailableError
from cds_service.store.schema import used_tokens
from cds_service.web import create_app, health

READY = {"status": "ready", "store": "ok", "rules": "current"}
NOT_READY = {"status": "not-ready", "store": "cannot-write", "rules": "current"}


class Store:
    def __init__(self):
        self.down, self.tried = False, 0

    def try_out(self, _now):
        self.tried += 1
        if self.down:
            raise UnavailableError("The store is down for now.")


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def client(store):
    return create_app(replace(services()[0], store=store)).test_client()


def asked(client):
    answer = client.get("/readyz")
    return answer.status_code, answer.get_json()


def test_it_is_ready_as_long_as_the_store_takes_a_write(client, store, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: clock[0])
    assert asked(client) == (200, READY)
    store.down = True
    clock[0] += 1
    assert asked(client) == (503, NOT_READY)
    assert client.get("/livez").get_json() == {"status": "ok"}
    store.down = False
    clock[0] += 1
    assert asked(client) == (200, READY)


def test_it_is_not_tried_for_each_who_asks(client, store):
    for _ in range(50):
        assert asked(client) == (200, READY)
    assert store.tried <= 2


def test_trying_leaves_nothing_behind():
    built, _ = services()
    for _ in range(3):
        built.store.try_out(built.now())
    with built.store._engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(used_tokens)).scalar() == 0
