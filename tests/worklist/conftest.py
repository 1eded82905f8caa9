"""A service with a worklist and nobody on it, and people at browsers."""

from __future__ import annotations

import pytest
from worklist_desk import AS_OF, FORMULA, HOSTILE, NOW, PATIENTS, RULES, Person, patient_of, story, take

from cds_service.bootstrap import build
from cds_service.settings import load_settings
from cds_service.web import create_app


@pytest.fixture
def services():
    built = build(
        load_settings(mode="open", time_zone="Asia/Shanghai"), clock=lambda: AS_OF, now=lambda: NOW, rules=RULES
    )
    yield built
    built.store.close()


@pytest.fixture
def app(services):
    made = create_app(services)
    made.extensions["desk"] = services.store.worklist
    return made


@pytest.fixture
def li(app):
    return Person(app, "Dr Li")


@pytest.fixture
def candidate(services):
    return take(services, story("candidate"))


@pytest.fixture
def many(services):
    """All stories, and their entries."""
    found = {folder.name: take(services, story(folder.name)) for folder in sorted(PATIENTS.iterdir())}
    return {name: entry for name, entry in found.items() if entry}


@pytest.fixture
def hostile(services):
    bundle = story("candidate")
    person = patient_of(bundle)
    person["name"] = [{"text": HOSTILE, "family": HOSTILE}, {"text": FORMULA}]
    person["gender"] = "=1+1"
    return take(services, bundle)
