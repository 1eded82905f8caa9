"""Times and days on the pages are those of the hospital's clocks; the store keeps UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from worklist_desk import LIST, RULES, Person, entry_of, story, take

from cds_service.bootstrap import Services, build
from cds_service.errors import ConfigError
from cds_service.settings import load_settings
from cds_service.store.worklist import Run
from cds_service.web import create_app

NIGHT = datetime(2026, 3, 1, 18, 30, 5, tzinfo=UTC)  # the morning after, in Shanghai


def service(zone: str | None, now: datetime = NIGHT) -> Services:
    return build(load_settings(mode="open", time_zone=zone), now=lambda: now, rules=RULES)


@pytest.fixture
def shanghai() -> Iterator[Services]:
    services = service("Asia/Shanghai")
    yield services
    services.store.close()


def test_today_is_the_hospitals_day(monkeypatch):
    days = {zone: service(zone).clock() for zone in ("Asia/Shanghai", "UTC", "Pacific/Honolulu")}
    assert days == {"Asia/Shanghai": date(2026, 3, 2), "UTC": date(2026, 3, 1), "Pacific/Honolulu": date(2026, 3, 1)}
    monkeypatch.setenv("CDS_TIME_ZONE", "Asia/Shanghai")
    assert load_settings().time_zone == "Asia/Shanghai"


@pytest.mark.parametrize("zone", ["CST8", "Asia", "Asia/Shangai", "../../etc/passwd", "/etc/localtime", ""])
def test_a_zone_that_is_none_stops_the_start_and_names_the_setting(zone):
    with pytest.raises(ConfigError, match=r"Setting time_zone: .* an IANA name such as Asia/Shanghai"):
        load_settings(mode="open", time_zone=zone)


@pytest.mark.parametrize(
    ("zone", "minute", "second", "day"),
    [
        ("Asia/Shanghai", "2 Mar 2026 02:30 UTC+08:00", "2026-03-02 02:30:05+08:00", "2 Mar 2026"),
        ("Pacific/Honolulu", "1 Mar 2026 08:30 UTC-10:00", "2026-03-01 08:30:05-10:00", "1 Mar 2026"),
        ("UTC", "1 Mar 2026 18:30 UTC", "2026-03-01 18:30:05+00:00", "1 Mar 2026"),
    ],
)
def test_every_page_tells_the_hospitals_time(shanghai, zone, minute, second, day):
    services = replace(shanghai, settings=load_settings(mode="open", time_zone=zone))
    entry, at = take(services, story("candidate"), as_of=date(2026, 3, 1)), services.now()
    person = Person(create_app(services), "Dr Li")
    path = f"/worklist/entries/{entry}"
    now = entry_of(services, entry)
    shown = {"version": now.version, "screening": now.latest.id}
    assert person.post(f"{path}/decision", state="contacted", **shown).status_code == 303
    services.store.worklist.note(entry, text="called", who="Dr Li", now=at)
    page, history = person.get(path).text, person.get(f"{path}/history").text
    assert f"<bdi>Dr Li</bdi> · {day}" in page  # when it was set to contacted
    assert f"{minute} · <bdi>Dr Li</bdi></span> called" in page
    assert f"{minute} · <bdi>Dr Li</bdi></span><br>called" in history
    assert second in person.get("/worklist/audit").text
    stale = person.post(f"{path}/decision", state="declined", **shown)
    assert stale.status_code == 409
    assert minute in stale.text
    run = Run("run", "NCT07235319", date(2026, 3, 1), NIGHT, "bundles", 1, {})
    services.store.worklist.keep_run(run)
    assert f"judged as of 1 Mar 2026, taken {day}." in person.get(f"{LIST}/funnel").text
    # Days of the record are as recorded, whatever the clock says.
    assert "Data as of 1 Mar 2026." in page
    kept = services.store.worklist.audit(limit=1)[0]
    assert kept.at == NIGHT
    assert kept.at.utcoffset() == UTC.utcoffset(None)


def test_an_export_tells_the_hospitals_time_with_its_offset(shanghai):
    take(shanghai, story("candidate"))
    person = Person(create_app(shanghai), "Dr Li")
    answer = person.post(f"{LIST}/export", format="csv", reason="board")
    assert "2026-03-02 02:30+08:00" in answer.get_data().decode("utf-8-sig")
    assert "2026-03-02-coded.csv" in answer.headers["Content-Disposition"]


def test_the_zone_is_the_machines_where_none_is_named(shanghai, monkeypatch):
    services = replace(shanghai, settings=load_settings(mode="open"))
    here = NIGHT.astimezone()
    assert services.local(NIGHT).utcoffset() == here.utcoffset()
    assert service(None).clock() == here.date()
