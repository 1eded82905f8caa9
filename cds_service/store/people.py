"""Whom the worklist is about, and their charts."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import Connection, Row, select, update

from cds_service.store.database import insert_new
from cds_service.store.keys import key_of
from cds_service.store.own_text import clean, folded
from cds_service.store.worklist import Chart, Person
from cds_service.store.worklist_schema import charts, people


def key_of_person(source: str, reference: str) -> str:
    """Return the key that a person is found by."""
    return key_of("person", source, reference)


def hold(connection: Connection, new: Person) -> tuple[str, Person]:
    """Return our id of a person and how they are described, held until the end of the transaction; new if need be.

    Held, so that of two who come with one id the second is compared with the first, and not with nobody.
    """
    key = key_of_person(new.source, new.reference)
    # "No key": the weaker lock, which rows that name the person do not wait for.
    found = select(people).where(people.c.key == key).with_for_update(key_share=True)
    row = connection.execute(found).first()
    if row is None:
        insert_new(connection, people, {"patient": secrets.token_hex(16), "key": key, **_columns(new)})
        row = connection.execute(found).one()
    return row.patient, person(row)


def known(connection: Connection, source: str, reference: str) -> Person | None:
    """Return a person as they were described last; None for who is not known."""
    row = connection.execute(select(people).where(people.c.key == key_of_person(source, reference))).first()
    return person(row) if row else None


def describe(connection: Connection, patient: str, person: Person) -> None:
    """Take name, birth date, gender and number over, where they changed."""
    columns = _columns(person)
    row = connection.execute(select(*(people.c[name] for name in columns)).where(people.c.patient == patient)).one()
    if row._asdict() != {**columns, "names": list(columns["names"])}:
        connection.execute(update(people).where(people.c.patient == patient).values(**columns))


def keep_chart(connection: Connection, patient: str, chart: Chart) -> None:
    """Keep a chart; one of the same fingerprint stays."""
    insert_new(connection, charts, {"patient": patient, "fingerprint": chart.fingerprint, "body": chart.body})


def chart(connection: Connection, patient: str, fingerprint: str) -> bytes | None:
    """Return a chart's body."""
    query = select(charts.c.body).where(charts.c.patient == patient, charts.c.fingerprint == fingerprint)
    body: bytes | None = connection.execute(query).scalar()
    return body


def person(row: Row[tuple[Any, ...]]) -> Person:
    """Read a person out of a row that has the columns of ``people``."""
    return Person(row.source, row.reference, tuple(row.names), row.birth_date, row.gender, row.number)


def _columns(person: Person) -> dict[str, Any]:
    names = tuple(map(clean, person.names))
    return {
        "source": clean(person.source),
        "reference": clean(person.reference),
        "names": names,
        "birth_date": clean(person.birth_date),
        "gender": clean(person.gender),
        "number": clean(person.number),
        "search": "\n".join(map(folded, names)),
    }
