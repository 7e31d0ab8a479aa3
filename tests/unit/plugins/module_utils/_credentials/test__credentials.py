# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import pathlib
import threading
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials import _credentials
from ansible_collections.imageops.registry.plugins.module_utils._credentials._auth_files import Place
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credentials import (
    Credentials,
    credentials_from_options,
    no_credentials,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import CredentialError

SECRET = "hard-to-guess"
LOGIN = Credential("ci", SECRET)


def auth_file(path: pathlib.Path, **users: str) -> str:
    """A file with a user for each registry and namespace; every password is the same."""
    pairs = {key: base64.b64encode(f"{user}:{SECRET}".encode()).decode() for key, user in users.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {key: {"auth": pair} for key, pair in pairs.items()}}))
    return str(path)


def from_options(registry: str = "r", **options: t.Any) -> Credentials:
    defaults: dict[str, t.Any] = {"username": None, "password": None, "token": None, "auth_file": None, "search": True}
    return credentials_from_options(registry, **{"on_secret": lambda secret: None, **defaults, **options})


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_options_come_first_then_their_file_then_those_of_podman_and_docker(home: pathlib.Path) -> None:
    own = auth_file(home / "own.json", r="own")
    auth_file(home / ".config/containers/auth.json", r="podman")
    auth_file(home / ".docker/config.json", r="docker", other="docker")
    assert from_options(username="ci", password=SECRET, auth_file=own).find("a") == LOGIN
    assert from_options(token="tok", auth_file=own).find("a") == Credential(token="tok")
    assert from_options(auth_file=own).find("a").username == "own"
    assert from_options().find("a").username == "podman"
    assert from_options("other").find("a").username == "docker"
    assert from_options("other", auth_file=own).find("a").is_anonymous
    assert from_options(search=False).find("a") == ANONYMOUS


def test_only_what_the_options_hold_is_known_without_looking(home: pathlib.Path) -> None:
    assert from_options(token="tok").given == Credential(token="tok")
    assert from_options(search=False).given == no_credentials().given == ANONYMOUS
    assert from_options().given is None
    assert from_options(auth_file=auth_file(home / "own.json")).given is None


def test_files_are_read_when_a_login_is_needed_and_once(home: pathlib.Path) -> None:
    credentials = from_options()
    path = auth_file(home / ".docker/config.json", **{"r": "host", "r/a": "namespace"})
    assert credentials.find("a/b").username == "namespace"
    pathlib.Path(path).unlink()
    assert credentials.find("c").username == credentials.find("").username == "host"


def test_a_broken_file_is_an_error_each_time_but_not_after_one_that_has_it(home: pathlib.Path) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{")
    credentials = from_options()
    for _time in range(2):
        with pytest.raises(CredentialError, match=r"\.docker/config\.json is not valid JSON"):
            credentials.find("a")
    auth_file(home / ".config/containers/auth.json", r="podman")
    assert from_options().find("a").username == "podman"


def test_an_auth_file_that_is_named_must_be_there_before_anything_is_sent(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CredentialError, match="^auth_file: the auth file .* cannot be read: No such file"):
        from_options(auth_file=str(tmp_path / "absent"))


def test_anonymous_access_knows_where_was_looked(home: pathlib.Path) -> None:
    advice = from_options("r:5000").find("a").advice
    assert advice.startswith("No credential for r:5000 is in ") and f"{home}/.docker/config.json" in advice
    own = auth_file(home / "own.json")
    assert f"No credential for r is in {own}: log in" in from_options(auth_file=own).find("a").advice


def pair(username: str, password: str) -> str:
    """As HTTP Basic carries it, and a registry may quote it."""
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def test_a_secret_is_reported_when_it_is_found_and_once(home: pathlib.Path) -> None:
    auth_file(home / ".docker/config.json", **{"r/a": "one", "r/b": "two"})
    secrets: list[str] = []
    credentials = from_options(on_secret=secrets.append)
    assert not secrets
    for repository in ("a", "a", "b", "c"):
        credentials.find(repository)
    assert secrets == [SECRET, pair("one", SECRET), SECRET, pair("two", SECRET)]
    from_options(token="tok", on_secret=secrets.append)
    from_options(username="ci", password="pass", on_secret=secrets.append)
    assert secrets[4:] == ["tok", "pass", pair("ci", "pass")]


class Helper:
    """Stands in for the program: its answer, and what it was asked."""

    def __init__(self, answer: Credential | CredentialError | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def __call__(self, name: str, server: str, named_by: str) -> Credential | None:
        self.asked.append((name, server))
        if isinstance(self.answer, CredentialError):
            raise self.answer
        return self.answer


@pytest.fixture
def helped(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., tuple[Helper, Credentials]]:
    def make(answer: Credential | CredentialError | None) -> tuple[Helper, Credentials]:
        helper = Helper(answer)
        monkeypatch.setattr(_credentials, "ask_helper", helper)
        (tmp_path / "auth.json").write_text('{"credsStore": "x"}')
        return helper, Credentials("docker.io", [Place(str(tmp_path / "auth.json"))])

    return make


@pytest.mark.parametrize("answer", [LOGIN, None, CredentialError("broken")])
def test_a_helper_is_asked_once_for_all_repositories_and_threads(
    helped: t.Callable[..., tuple[Helper, Credentials]], answer: Credential | CredentialError | None
) -> None:
    helper, credentials = helped(answer)
    found: list[object] = []

    def find(repository: str) -> None:
        try:
            found.append(credentials.find(repository).username)
        except CredentialError as error:
            found.append(str(error.within(f"read {repository}")))

    threads = [threading.Thread(target=find, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert helper.asked == [("x", "https://index.docker.io/v1/")]
    if isinstance(answer, CredentialError):
        assert sorted(map(str, found)) == [f"Cannot read {name}: broken." for name in "abcdefgh"]
    else:
        assert found == ["ci" if answer else ""] * 8


def test_a_colon_in_the_user_name_is_refused() -> None:
    with pytest.raises(CredentialError, match="^username: .*':'"):
        from_options(username="a:b", password="x")


@pytest.mark.parametrize("option", ["username", "password"])
def test_half_a_character_is_refused_before_anything_is_sent(option: str) -> None:
    with pytest.raises(CredentialError, match="an invalid Unicode character"):
        from_options(**{"username": "ci", "password": "pass", option: "a\udcff"})


@pytest.mark.parametrize("token", ["abc\n", "a b", "a\r\nX-Evil: 1", "t\u00f6k", "\u20ac"])
def test_a_token_that_http_cannot_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(CredentialError, match="^token: ") as caught:
        from_options(token=token)
    assert token.strip() not in str(caught.value)


@pytest.mark.parametrize(
    "credential",
    [LOGIN, Credential(token=SECRET), Credential("", SECRET), Credential(identity_token=SECRET, source="the file")],
)
def test_no_secret_is_in_a_credential_printed(credential: Credential) -> None:
    shown = [repr(credential), str(credential), f"{credential}", f"{[credential]}", "%s" % (credential,)]
    assert not [text for text in shown if SECRET in text or "ci" in text]
    assert not credential.is_anonymous and SECRET in credential.secrets
    pairs = (pair(credential.username, SECRET),) if credential.password else ()
    assert set(credential.secrets) == {SECRET, *pairs}


@pytest.mark.parametrize(
    ("credential", "flaw"),
    [
        (Credential("ci", ""), "The password is empty"),
        (Credential("", SECRET), "The user name is empty"),
        (Credential("ci", f"{SECRET}\n"), "The password ends in a line break"),
        (Credential("ci", f"{SECRET}\r\n"), "The password ends in a line break"),
        (Credential("ci\n", SECRET), "The user name ends in a line break"),
        (Credential("ci", f" {SECRET}"), "The password begins or ends with white space"),
        (Credential("ci", f"\ufeff{SECRET}"), "The password begins with a byte order mark"),
        (Credential(identity_token=f"{SECRET}\n"), "The identity token ends in a line break"),
    ],
)
def test_what_is_conspicuous_about_a_credential_is_said_without_showing_it(credential: Credential, flaw: str) -> None:
    assert credential.flaw.startswith(flaw) and SECRET not in credential.flaw
    assert credential.hint("Usual") == f"{credential.flaw}. Usual"
    assert credential._replace(advice="Better").hint("Usual") == f"{credential.flaw}. Better"


@pytest.mark.parametrize(
    "credential", [ANONYMOUS, LOGIN, Credential("ci", "a b"), Credential(token="x"), Credential(identity_token="x")]
)
def test_nothing_is_said_about_a_usual_credential(credential: Credential) -> None:
    assert credential.flaw == ""
    assert credential.hint("Usual") == "Usual"


def test_an_anonymous_credential_says_so() -> None:
    assert ANONYMOUS.is_anonymous and ANONYMOUS.secrets == ()
    assert repr(ANONYMOUS) == "Credential(anonymous)" and str(ANONYMOUS) == "anonymous access"
