# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials import _auth_files
from ansible_collections.imageops.registry.plugins.module_utils._credentials._auth_files import (
    AuthFile,
    Place,
    default_places,
    server_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import CredentialError

pytestmark = pytest.mark.usefixtures("no_collection")

SECRET = "hard-to-guess"
HELPED = Credential("helped", SECRET)


def packed(text: str = f"ci:{SECRET}") -> str:
    return base64.b64encode(text.encode()).decode()


def place(folder: pathlib.Path, document: t.Any, **options: t.Any) -> Place:
    path = folder / "auth.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return Place(str(path), **options)


def read(folder: pathlib.Path, document: t.Any) -> AuthFile:
    found = place(folder, document).read()
    assert found is not None
    return found


class Helpers:
    """Credential helpers by name, and which of them were asked."""

    def __init__(self, **answers: Credential | None) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __call__(self, name: str) -> Credential | None:
        self.asked.append(name)
        return self._answers[name]


def login(found: Credential | None) -> tuple[str, ...] | None:
    return None if found is None else (found.username, found.password, found.token, found.identity_token)


def user(file: AuthFile, registry: str, repository: str, helpers: Helpers | None = None) -> str:
    """The user name of what is found, empty for nothing."""
    found = file.find(registry, repository, helpers or Helpers())
    return found.username if found else ""


# Keys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "r.example:5000",
        "https://r.example:5000",
        "http://r.example:5000/v1/",
        "https://R.example:5000/v2/",
        "R.EXAMPLE:5000",
    ],
)
def test_every_form_of_a_key_is_found(tmp_path: pathlib.Path, key: str) -> None:
    file = read(tmp_path, {"auths": {"other": {"auth": packed("o:x")}, key: {"auth": packed()}}})
    assert user(file, "r.example:5000", "a/b") == user(file, "r.example:5000", "") == "ci"


@pytest.mark.parametrize("registry", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_the_names_of_docker_hub_share_an_entry(tmp_path: pathlib.Path, registry: str) -> None:
    file = read(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": packed()}}})
    assert user(file, registry, "library/a") == "ci"
    file = read(tmp_path, {"auths": {"docker.io/team": {"auth": packed()}}})
    assert (user(file, registry, "team/a"), user(file, registry, "other/a")) == ("ci", "")


@pytest.mark.parametrize(
    "key", ["r.example", "r.example:5001", "r.example:5000.evil", "xr.example:5000", "r.example:5000/team"]
)
def test_the_entry_of_another_registry_is_not_taken(tmp_path: pathlib.Path, key: str) -> None:
    file = read(tmp_path, {"auths": {key: {"auth": packed()}}})
    assert user(file, "r.example:5000", "other/app") == user(file, "r.example:5000", "") == ""


def test_the_entry_that_names_most_of_the_repository_counts(tmp_path: pathlib.Path) -> None:
    keys = ["r:5000", "r:5000/a", "r:5000/a/b", "r:5000/a/b/c/", "https://r:5000/v2/"]
    file = read(tmp_path, {"auths": {key: {"auth": packed(f"{key.count('/')}{key[-1]}:x")} for key in keys}})
    expected = {
        "a/b/c": "4/",
        "a/b/c/d": "4/",
        "a/b": "2b",
        "a/b/cd": "2b",
        "a/bc": "1a",
        "a": "1a",
        "b/a": "00",
        "ab": "00",
        "": "00",
    }
    assert {repository: user(file, "r:5000", repository) for repository in expected} == expected


def test_the_key_that_is_the_registry_to_the_letter_comes_before_other_forms(tmp_path: pathlib.Path) -> None:
    file = read(tmp_path, {"auths": {"https://r": {"auth": packed("old:x")}, "r": {"auth": packed("new:x")}}})
    assert user(file, "r", "a") == "new"


# Entries -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": packed("ci:a:b:c")}, ("ci", "a:b:c", "", "")),
        ({"auth": packed(f"ci:{SECRET}\0\0")}, ("ci", SECRET, "", "")),
        ({"auth": packed("ci:p\u00e4ss")}, ("ci", "p\u00e4ss", "", "")),
        ({"auth": packed()[:5] + "\n" + packed()[5:] + "\n"}, ("ci", SECRET, "", "")),
        ({"auth": f"  {packed()[:4]}\r\n\t{packed()[4:9]} {packed()[9:]}\r\n"}, ("ci", SECRET, "", "")),
        ({"auth": packed(f"ci:{SECRET}x").rstrip("=")}, ("ci", f"{SECRET}x", "", "")),
        ({"auth": packed("ci:\u00ff\u00fe?>~").replace("+", "-").replace("/", "_")}, ("ci", "\u00ff\u00fe?>~", "", "")),
        ({"auth": " \n", "username": "ci", "password": SECRET}, ("ci", SECRET, "", "")),
        ({"auth": packed("<token>:x")}, ("<token>", "x", "", "")),
        ({"username": "ci", "password": SECRET}, ("ci", SECRET, "", "")),
        ({"auth": "", "username": "ci", "password": SECRET}, ("ci", SECRET, "", "")),
        ({"auth": packed(), "username": "x", "password": "y"}, ("ci", SECRET, "", "")),
        ({"registrytoken": "tok", "auth": packed()}, ("", "", "tok", "")),
        ({"registrytoken": "tok\n"}, ("", "", "tok", "")),
        ({"identitytoken": "\nidt\r\n"}, ("", "", "", "idt")),
        ({"identitytoken": "idt", "auth": packed("00000000-0000-0000-0000-000000000000:")}, ("", "", "", "idt")),
    ],
)
def test_every_form_of_an_entry_is_read(tmp_path: pathlib.Path, entry: t.Any, expected: tuple[str, ...]) -> None:
    found = read(tmp_path, {"auths": {"r": entry}}).find("r", "a", Helpers())
    assert login(found) == expected
    assert found is not None and str(found) == f"the credential of the entry 'r' of the auth file {tmp_path}/auth.json"


@pytest.mark.parametrize(
    "entry",
    [
        {},
        None,
        [],
        "x",
        {"auth": packed(SECRET)},
        {"auth": f"{SECRET}!"},
        {"auth": packed()[:-3] + "\n!"},
        {"auth": packed()[:5]},
        {"auth": base64.b64encode(b"\xff:" + SECRET.encode()).decode()},
        {"auth": packed(f":{SECRET}")},
        {"auth": 7},
        {"username": "ci"},
        {"password": SECRET},
        {"username": "c:i", "password": SECRET},
        {"username": 7, "password": SECRET},
        {"registrytoken": f"{SECRET}\nX-Evil: 1"},
        {"username": "ci", "password": f"{SECRET}\ud800"},
        {"username": "\udc00", "password": SECRET},
        {"identitytoken": f"{SECRET}\ud800"},
    ],
)
def test_an_entry_without_a_usable_credential_is_an_error_that_names_file_and_key(
    tmp_path: pathlib.Path, entry: t.Any
) -> None:
    file = read(tmp_path, {"auths": {"https://r/v1/": entry}})
    with pytest.raises(CredentialError) as caught:
        file.find("r", "a", Helpers())
    assert str(tmp_path) in str(caught.value) and "https://r/v1/" in str(caught.value)
    assert SECRET not in str(caught.value) and packed() not in str(caught.value)
    assert user(file, "other", "a") == ""


# Helpers -------------------------------------------------------------------------------------------------------------


def test_the_helper_of_a_registry_hides_all_entries_even_if_it_has_nothing(tmp_path: pathlib.Path) -> None:
    document = {"auths": {"r": {"auth": packed()}, "r/a": {"auth": packed()}}, "credHelpers": {"r": "x"}}
    helpers = Helpers(x=HELPED, y=None)
    assert read(tmp_path, {**document, "credsStore": "y"}).find("r", "a", helpers) == HELPED
    assert read(tmp_path, {**document, "credHelpers": {"r": "y"}}).find("r", "a", helpers) is None
    assert helpers.asked == ["x", "y"]
    assert user(read(tmp_path, {**document, "credHelpers": {"other": "x"}}), "r", "a") == "ci"


@pytest.mark.parametrize("key", ["r/team", "r/a", "https://r", "r.evil"])
def test_a_helper_serves_the_registry_that_is_its_whole_key(tmp_path: pathlib.Path, key: str) -> None:
    file = read(tmp_path, {"auths": {"r": {"auth": packed()}}, "credHelpers": {key: "x"}})
    assert user(file, "r", "a", Helpers()) == "ci"


def test_an_empty_helper_switches_the_store_off(tmp_path: pathlib.Path) -> None:
    document = {"auths": {"r": {"auth": packed()}}, "credsStore": "x", "credHelpers": {"r": ""}}
    assert user(read(tmp_path, document), "r", "a", Helpers()) == "ci"


@pytest.mark.parametrize("key", ["docker.io", "https://index.docker.io/v1/"])
def test_the_helper_of_docker_hub_is_found(tmp_path: pathlib.Path, key: str) -> None:
    assert read(tmp_path, {"credHelpers": {key: "x"}}).find("docker.io", "a/b", Helpers(x=HELPED)) == HELPED
    assert server_of("registry-1.docker.io") == "https://index.docker.io/v1/" and server_of("r:5000") == "r:5000"


def test_the_store_comes_before_the_entry_of_the_registry_and_after_those_of_namespaces(tmp_path: pathlib.Path) -> None:
    entries = {"r": {"auth": packed("host:x")}, "r/a": {"auth": packed("namespace:x")}}
    full, empty = Helpers(x=HELPED), Helpers(x=None)
    file = read(tmp_path, {"auths": entries, "credsStore": "x"})
    assert [user(file, "r", name, full) for name in ("a/b", "c", "")] == ["namespace", "helped", "helped"]
    assert full.asked == ["x", "x"]
    assert [user(file, "r", name, empty) for name in ("a/b", "c")] == ["namespace", "host"]
    assert user(read(tmp_path, {"credsStore": "x"}), "r", "a", full) == "helped"


def test_the_empty_entry_beside_a_store_is_a_mark_only(tmp_path: pathlib.Path) -> None:
    file = read(tmp_path, {"auths": {"r": {}}, "credsStore": "x"})
    assert user(file, "r", "a", Helpers(x=HELPED)) == "helped"
    assert user(file, "r", "a", Helpers(x=None)) == ""


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        f'{{"auths": {{"r": {{"auth": "{SECRET}"'.encode(),
        f"{SECRET}".encode(),
        b"\xff" + SECRET.encode(),
        b"",
        b"[]",
        b"[" * 500000,
        b'{"auths": []}',
        b'{"auths": "x"}',
        b'{"credHelpers": ["x"]}',
        b'{"credHelpers": {"r": 7}}',
        b'{"credsStore": {"r": "x"}}',
        b" " * (1024 * 1024 + 1),
    ],
    ids=[
        "cut",
        "text",
        "binary",
        "empty",
        "list",
        "deep",
        "auths",
        "auths-text",
        "helpers",
        "helper",
        "store",
        "large",
    ],
)
@pytest.mark.parametrize("is_required", [True, False])
def test_a_broken_file_is_an_error_that_quotes_nothing_of_it(
    tmp_path: pathlib.Path, content: bytes, is_required: bool
) -> None:
    with pytest.raises(CredentialError) as caught:
        place(tmp_path, content, is_required=is_required).read()
    assert f"the auth file {tmp_path}/auth.json" in str(caught.value) and SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "document", [{}, {"auths": {}}, {"auths": None}, {"auths": {}, "credHelpers": None, "credsStore": None}]
)
def test_a_file_without_an_entry_has_nothing(tmp_path: pathlib.Path, document: t.Any) -> None:
    assert user(read(tmp_path, document), "r", "a") == ""


def test_a_file_that_must_be_there_and_is_not_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CredentialError, match="cannot be read: No such file"):
        Place(str(tmp_path / "absent"), is_required=True).read()
    with pytest.raises(CredentialError, match="cannot be read"):
        Place(str(tmp_path), is_required=True).read()
    with pytest.raises(CredentialError, match=r"absent \(REGISTRY_AUTH_FILE\) cannot be read.*A relative path"):
        Place("absent", "REGISTRY_AUTH_FILE", is_required=True).read()


CONTENT = json.dumps({"auths": {"r": {"auth": packed()}}})


@pytest.mark.parametrize("content", [CONTENT, f"\n{CONTENT}", base64.b64encode(CONTENT.encode()).decode()])
@pytest.mark.parametrize("variable", ["", "REGISTRY_AUTH_FILE"])
def test_the_content_of_a_file_in_place_of_its_path_is_not_shown(content: str, variable: str) -> None:
    with pytest.raises(CredentialError, match=f"^{variable}.*the path of a file is wanted.*content") as caught:
        Place(content, variable, is_required=True).read()
    assert packed() not in str(caught.value) and content[:20] not in str(caught.value)
    assert str(Place(content, "DOCKER_CONFIG")) == "******** (DOCKER_CONFIG)"


def test_a_file_that_is_looked_for_need_not_be_there_but_must_be_readable(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"{}")
    assert Place(str(tmp_path / "absent")).read() is None
    assert Place(str(tmp_path / "file" / "below")).read() is None
    with pytest.raises(CredentialError, match="cannot be read: Is a directory.*search_auth_files"):
        Place(str(tmp_path)).read()


def test_the_home_directory_is_expanded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place(tmp_path, {"credsStore": "x"})
    found = Place("~/auth.json").read()
    assert found is not None and found.store == "x" and found.name == f"the auth file {tmp_path}/auth.json"


def test_the_oldest_form_of_a_file_is_nothing_but_entries(tmp_path: pathlib.Path) -> None:
    found = place(tmp_path, {"r": {"auth": packed()}, "credsStore": "x"}, is_legacy=True).read()
    assert found is not None and user(found, "r", "a") == "ci"


# Places --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(_auth_files, "RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path


def test_the_places_are_those_of_podman_and_then_dockers(home: pathlib.Path) -> None:
    assert [str(found) for found in default_places()] == [
        f"{home}/run/{os.getuid()}/auth.json",
        f"{home}/.config/containers/auth.json",
        f"{home}/.docker/config.json",
        f"{home}/.dockercfg",
    ]
    assert [found.is_legacy for found in default_places()] == [False, False, False, True]


def test_the_environment_moves_the_places(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/x/run")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x/config")
    monkeypatch.setenv("DOCKER_CONFIG", "/x/docker")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {"r": {"auth": packed()}}}))
    assert [str(found) for found in default_places()] == [
        "/x/run/containers/auth.json",
        "/x/config/containers/auth.json",
        "the environment variable DOCKER_AUTH_CONFIG",
        "/x/docker/config.json",
        f"{home}/.dockercfg",
    ]
    found = default_places()[2].read()
    assert found is not None and user(found, "r", "a") == "ci"


def test_a_broken_text_in_the_environment_is_an_error(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", SECRET)
    with pytest.raises(
        CredentialError, match="the environment variable DOCKER_AUTH_CONFIG is not valid JSON"
    ) as caught:
        default_places()[2].read()
    assert SECRET not in str(caught.value)


def test_without_linux_there_is_no_runtime_directory(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert [str(found) for found in default_places()][:2] == [
        f"{home}/.config/containers/auth.json",
        f"{home}/.docker/config.json",
    ]


def test_a_file_that_the_environment_names_is_the_only_one(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/x/auth.json")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "{}")
    (found,) = default_places()
    assert str(found) == "/x/auth.json (REGISTRY_AUTH_FILE)" and found.is_required
