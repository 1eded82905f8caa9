"""Our own keys: made for their owner's eyes, published without private parts, used when the world has them."""

import base64
import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from door_fakes import services
from joserfc import jwk, jwt

from cds_service.cli import main
from cds_service.errors import ConfigError
from cds_service.trust.own_keys import (
    GRACE,
    MAX_AGE_SECONDS,
    new_key,
    public_key_set,
    read_keys,
    retire,
    sign,
    signing_key,
    thumbprint,
)
from cds_service.trust.public_keys import ALGORITHMS, read_key_set
from cds_service.web import create_app

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "made"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key(folder, algorithm):
    made = new_key(folder, algorithm, NOW)
    (path,) = folder.iterdir()
    assert path.name == f"{made.kid}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (read,) = read_keys(folder)
    assert (read.kid, read.algorithm, read.made) == (made.kid, algorithm, NOW)
    (shown,) = public_key_set(folder)["keys"]
    assert not PRIVATE & set(shown)
    assert (shown["kid"], shown["alg"], shown["use"]) == (made.kid, algorithm, "sig")
    # Another library has the same name for it, and our own reader takes it.
    assert jwk.import_key({key: value for key, value in shown.items() if key != "kid"}).thumbprint() == made.kid
    assert list(read_key_set({"keys": [shown]})) == [(made.kid, algorithm)]
    private = json.loads(path.read_text())
    assert private["d"] not in repr(made) + json.dumps(shown)
    if algorithm == "RS384":
        assert len(base64.urlsafe_b64decode(shown["n"] + "==")) == 3072 // 8


def test_the_example_of_rfc_7638():
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    example = {"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(example) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_kid_is_never_an_option(folder, monkeypatch):
    names = iter(["-a", "-b", "c-"])
    monkeypatch.setattr("cds_service.trust.own_keys.thumbprint", lambda _jwk: next(names))
    assert new_key(folder, "ES384", NOW).kid == "c-"
    assert [path.name for path in folder.iterdir()] == ["c-.json"]


def test_rotation_with_two_live_keys(folder):
    old = new_key(folder, "ES384", NOW - timedelta(days=90))
    new_key(folder, "RS384", NOW - timedelta(days=90))
    new = new_key(folder, "ES384", NOW)

    def signs(when):
        return signing_key(read_keys(folder), "ES384", when).kid

    assert {shown["kid"] for shown in public_key_set(folder)["keys"]} >= {old.kid, new.kid}
    assert signs(NOW) == signs(NOW + GRACE - timedelta(seconds=1)) == old.kid
    assert signs(NOW + GRACE) == new.kid
    with pytest.raises(ConfigError, match="still signs"):
        retire(folder, old.kid, NOW)
    retire(folder, old.kid, NOW + GRACE)
    assert old.kid not in {shown["kid"] for shown in public_key_set(folder)["keys"]}
    with pytest.raises(ConfigError, match="still signs"):
        retire(folder, new.kid, NOW + GRACE)
    retire(folder, new.kid, NOW + GRACE, compromised=True)
    assert signing_key(read_keys(folder), "ES384", NOW) is None
    with pytest.raises(ConfigError, match="no such key"):
        retire(folder, "../secret", NOW)


def test_fetchers_have_had_time_when_a_new_key_signs():
    assert timedelta(seconds=MAX_AGE_SECONDS) * 10 <= GRACE


def test_the_only_key_signs_at_once(folder):
    only = new_key(folder, "ES384", NOW)
    assert signing_key(read_keys(folder), "ES384", NOW).kid == only.kid


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signs_what_another_library_verifies(folder, algorithm):
    key = new_key(folder, algorithm, NOW)
    text = sign(read_keys(folder), algorithm, {"iss": "us", "aud": "https://ehr.example/token"}, NOW)
    published = jwk.KeySet.import_key_set(public_key_set(folder))
    decoded = jwt.decode(text, published, algorithms=[algorithm])
    assert decoded.header == {"alg": algorithm, "typ": "JWT", "kid": key.kid}
    assert decoded.claims == {"iss": "us", "aud": "https://ehr.example/token"}
    with pytest.raises(ConfigError, match="keys new"):
        sign(read_keys(folder), ({*ALGORITHMS} - {algorithm}).pop(), {}, NOW)


def broken(folder, change):
    path = folder / f"{new_key(folder, 'ES384', NOW).kid}.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return path.stem


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.pop("d"),
        lambda values: values.pop("made"),
        lambda values: values.update(made="2026-03-01T12:00:00"),
        lambda values: values.update(made=5),
        lambda values: values.update(alg="HS384"),
        lambda values: values.update(kid="../x"),
        lambda values: values.pop("kty"),
        lambda values: values.update(x="AA"),
        lambda values: values.clear(),
    ],
)
def test_a_file_that_is_no_key_of_ours_is_told_by_name(folder, change):
    kid = broken(folder, change)
    with pytest.raises(ConfigError, match="not a key that") as error:
        read_keys(folder)
    assert kid in str(error.value)


def test_a_key_that_every_user_can_read_is_refused(folder):
    path = folder / f"{new_key(folder, 'ES384', NOW).kid}.json"
    path.chmod(0o640)  # a group of the container's may be needed
    assert read_keys(folder)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_keys(folder)


def test_a_folder_that_is_not_there(folder, tmp_path):
    with pytest.raises(ConfigError, match="keys"):
        read_keys(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="keys"):
        new_key(tmp_path / "file", "ES384", NOW)
    with pytest.raises(ConfigError, match="keys"):
        services(keys=folder)


def test_half_written_files_are_not_read(folder):
    new_key(folder, "ES384", NOW)
    (folder / "x.new").write_text("{")
    assert len(read_keys(folder)) == 1


# --- over the web ---------------------------------------------------------------------------------------------


def test_published_at_the_well_known_address(folder):
    new_key(folder, "ES384", NOW)
    client = create_app(services(keys=folder)[0]).test_client()
    first = client.get("/.well-known/jwks.json")
    assert (first.status_code, first.mimetype) == (200, "application/json")
    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert first.get_json() == public_key_set(folder)
    assert not PRIVATE & set(first.get_json()["keys"][0])
    new_key(folder, "RS384", NOW)
    assert len(client.get("/.well-known/jwks.json").get_json()["keys"]) == 2


def test_without_a_folder_there_is_nothing_to_publish():
    answer = create_app(services()[0]).test_client().get("/.well-known/jwks.json")
    assert (answer.status_code, answer.get_json()["resourceType"]) == (404, "OperationOutcome")


# --- the command ------------------------------------------------------------------------------------------------


def run(folder, *arguments):
    return CliRunner().invoke(main, ["keys", *arguments], env={"CDS_KEYS": str(folder)} if folder else {})


def test_the_command(folder):
    assert run(folder, "new").exit_code == 0
    listed = run(folder, "list").output
    assert [line.split()[0] for line in listed.splitlines()] == ["ES384", "RS384"]
    assert listed.count("signs") == 2
    run(folder, "new")
    lines = run(folder, "list").output.splitlines()
    assert [line.split("UTC  ")[1].split(",")[0] for line in lines] == ["signs", "signs", "published", "published"]
    kid = lines[0].split()[1]
    refused = run(folder, "retire", kid)
    assert (refused.exit_code, "still signs" in refused.stderr) == (12, True)
    assert run(folder, "retire", kid, "--compromised").output == "Retired.\n"
    assert kid not in run(folder, "list").output
    private = [json.loads(path.read_text())["d"] for path in folder.iterdir()]
    assert not any(secret in listed for secret in private)


def test_the_command_needs_a_folder(folder):
    for arguments in (["new"], ["list"], ["retire", "x"]):
        refused = run(None, *arguments)
        assert (refused.exit_code, "CDS_KEYS" in refused.stderr) == (12, True)
    folder.mkdir()
    assert "keys new" in run(folder, "list").output
