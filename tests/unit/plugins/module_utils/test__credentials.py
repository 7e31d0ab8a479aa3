# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials import (
    ANONYMOUS,
    Credential,
    credential_from_file,
    credential_from_options,
)
from ansible_collections.imageops.registry.plugins.module_utils._errors import CredentialError

SECRET = "hard-to-guess"
LOGIN = Credential("ci", SECRET)


def packed(text: str = f"ci:{SECRET}") -> str:
    return base64.b64encode(text.encode()).decode()


def auth_file(folder: pathlib.Path, document: t.Any) -> str:
    path = folder / "auth.json"
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return str(path)


def test_options_are_taken_before_the_auth_file(tmp_path: pathlib.Path) -> None:
    path = auth_file(tmp_path, {"auths": {"r:5000": {"auth": packed("other:x")}}})
    assert credential_from_options("ci", SECRET, None, path, "r:5000") == LOGIN
    assert credential_from_options(None, None, "tok", path, "r:5000") == Credential(token="tok")
    assert credential_from_options(None, None, None, path, "r:5000") == Credential("other", "x")
    assert credential_from_options("", "", "", "", "r:5000") is ANONYMOUS


def test_a_colon_in_the_user_name_is_refused() -> None:
    with pytest.raises(CredentialError, match="':'"):
        credential_from_options("a:b", "x", None, None, "r")


@pytest.mark.parametrize("token", ["abc\n", "a b", "a\r\nX-Evil: 1", "t\u00f6k", "\u20ac"])
def test_a_token_that_http_cannot_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(CredentialError, match="token") as caught:
        credential_from_options(None, None, token, None, "r")
    assert token.strip() not in str(caught.value)


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
    path = auth_file(tmp_path, {"auths": {"other": {"auth": packed("o:x")}, key: {"auth": packed()}}})
    assert credential_from_file(path, "r.example:5000") == LOGIN


@pytest.mark.parametrize("registry", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_the_names_of_docker_hub_share_an_entry(tmp_path: pathlib.Path, registry: str) -> None:
    path = auth_file(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": packed()}}})
    assert credential_from_file(path, registry) == LOGIN


@pytest.mark.parametrize(
    "key", ["r.example", "r.example:5001", "r.example:5000.evil", "xr.example:5000", "r.example:5000/team"]
)
def test_the_entry_of_another_registry_is_not_taken(tmp_path: pathlib.Path, key: str) -> None:
    path = auth_file(tmp_path, {"auths": {key: {"auth": packed()}}})
    assert credential_from_file(path, "r.example:5000").is_anonymous


@pytest.mark.parametrize("document", [{}, {"auths": {}}])
def test_a_file_without_an_entry_is_anonymous(tmp_path: pathlib.Path, document: t.Any) -> None:
    path = auth_file(tmp_path, document)
    found = credential_from_file(path, "r")
    assert found.is_anonymous and found.advice.startswith(f"The auth file {path} has no entry for r: ")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": packed("ci:a:b:c")}, Credential("ci", "a:b:c")),
        ({"auth": packed(f"ci:{SECRET}\0\0")}, LOGIN),
        ({"auth": packed("ci:p\u00e4ss")}, Credential("ci", "p\u00e4ss")),
        ({"username": "ci", "password": SECRET}, LOGIN),
        ({"auth": "", "username": "ci", "password": SECRET}, LOGIN),
        ({"auth": packed(), "username": "x", "password": "y"}, LOGIN),
        ({"registrytoken": "tok", "auth": packed()}, Credential(token="tok")),
    ],
)
def test_every_form_of_an_entry_is_read(tmp_path: pathlib.Path, entry: t.Any, expected: Credential) -> None:
    assert credential_from_file(auth_file(tmp_path, {"auths": {"r": entry}}), "r") == expected


@pytest.mark.parametrize(
    "entry",
    [
        {},
        None,
        [],
        "x",
        {"auth": packed(SECRET)},
        {"auth": f"{SECRET}!"},
        {"auth": base64.b64encode(b"\xff:" + SECRET.encode()).decode()},
        {"auth": packed(f":{SECRET}")},
        {"auth": 7},
        {"username": "ci"},
        {"password": SECRET},
        {"identitytoken": SECRET},
        {"username": 7, "password": SECRET},
    ],
)
def test_an_entry_without_a_usable_credential_is_an_error_that_names_file_and_key(
    tmp_path: pathlib.Path, entry: t.Any
) -> None:
    path = auth_file(tmp_path, {"auths": {"https://r/v1/": entry}})
    with pytest.raises(CredentialError) as caught:
        credential_from_file(path, "r")
    assert path in str(caught.value) and "https://r/v1/" in str(caught.value)
    assert SECRET not in str(caught.value) and packed() not in str(caught.value)


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
        b" " * (1024 * 1024 + 1),
    ],
    ids=["cut", "text", "binary", "empty", "list", "deep", "auths-list", "auths-text", "large"],
)
def test_a_broken_file_is_an_error_that_quotes_nothing_of_it(tmp_path: pathlib.Path, content: bytes) -> None:
    path = auth_file(tmp_path, content)
    with pytest.raises(CredentialError) as caught:
        credential_from_file(path, "r")
    assert path in str(caught.value) and SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_missing_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CredentialError, match="can't be read: No such file"):
        credential_from_file(str(tmp_path / "absent"), "r")
    with pytest.raises(CredentialError, match="can't be read"):
        credential_from_file(str(tmp_path), "r")


def test_the_home_directory_is_expanded(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    auth_file(tmp_path, {"auths": {"r": {"auth": packed()}}})
    assert credential_from_file("~/auth.json", "r") == LOGIN


@pytest.mark.parametrize("more", [{"credHelpers": {"r": "x"}}, {"credsStore": "x"}])
def test_a_credential_helper_is_an_error_that_says_so(tmp_path: pathlib.Path, more: t.Any) -> None:
    path = auth_file(tmp_path, {"auths": {"r": {"auth": packed()}}, **more})
    with pytest.raises(CredentialError, match="credential helper"):
        credential_from_file(path, "r")


def test_a_helper_of_another_registry_does_not_matter(tmp_path: pathlib.Path) -> None:
    path = auth_file(tmp_path, {"auths": {"r": {"auth": packed()}}, "credHelpers": {"other": "x"}})
    assert credential_from_file(path, "r") == LOGIN


@pytest.mark.parametrize("credential", [LOGIN, Credential(token=SECRET), Credential("", SECRET)])
def test_no_secret_is_in_a_credential_printed(credential: Credential) -> None:
    shown = [repr(credential), str(credential), f"{credential}", f"{[credential]}", "%s" % (credential,)]
    assert not [text for text in shown if SECRET in text or "ci" in text]
    assert not credential.is_anonymous


def test_an_anonymous_credential_says_so() -> None:
    assert ANONYMOUS.is_anonymous
    assert repr(ANONYMOUS) == "Credential(anonymous)"
