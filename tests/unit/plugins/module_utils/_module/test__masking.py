# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._model._actions import WORDS
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    InvalidInput,
    LocalFileError,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._shown import shown_options
from ansible_collections.imageops.registry.plugins.module_utils._module import _masking
from ansible_collections.imageops.registry.plugins.module_utils._module._connection import ONE_END
from ansible_collections.imageops.registry.plugins.module_utils._module._masking import (
    options_with_paths,
    without_no_log,
)
from ansible_collections.imageops.registry.plugins.module_utils._module._results import failure
from ansible_collections.imageops.registry.plugins.module_utils._module._task import Task
from ansible_collections.imageops.registry.plugins.modules import blob_download
from ansible_collections.imageops.registry.tests.unit.support.module_stand_in import Module, ended, raising
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

DIGEST = "sha256:" + "a" * 64


OLD_CORE = None
"""ansible-core before 2.22 has no function that registers a secret."""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that a newer ansible-core is told."""
    found: list[str] = []
    monkeypatch.setattr(_masking, "register_secret", found.append)
    return found


@pytest.fixture
def old_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_masking, "register_secret", OLD_CORE)


def auth_file(folder: pathlib.Path, password: str) -> str:
    pair = base64.b64encode(f"ci:{password}".encode()).decode()
    (folder / "auth.json").write_text(json.dumps({"auths": {"r.example": {"auth": pair}}}))
    return os.fspath(folder / "auth.json")


PAIR = "Y2k6c2hvcnQ="
"""What is sent for the user ci with the password short."""


@pytest.mark.parametrize(
    ("password", "masked"),
    [
        ("short", [PAIR]),
        ("a-long-enough-password", ["a-long-enough-password"]),
        ("pa&ss/wo1", ["pa&ss/wo1"]),
        # What would be found in results and logs that have nothing to do with it.
        ("unchanged", []),
        ("staging-1", []),
        ("12345678", []),
        (DIGEST, []),
        ("application/vnd.oci.image.manifest.v1+json", []),
        ("VALUE_SPECIFIED", []),
    ],
)
def test_a_newer_core_is_told_what_is_no_word(
    registered: list[str], tmp_path: pathlib.Path, password: str, masked: list[str]
) -> None:
    module = Module(auth_file=auth_file(tmp_path, password), source={"token": "tok"})
    task = module.task
    task.registry()._transport.credential_for("a/b")
    task.source()
    pair = base64.b64encode(f"ci:{password}".encode()).decode()
    assert [secret for secret in registered if secret != pair or masked == [PAIR]] == masked
    assert pair in registered and "tok" not in registered
    assert module.no_log_values == set()


def test_a_newer_core_needs_no_check(registered: list[str]) -> None:
    Module(username="ci", password="1", repository="v1").task.check_secrets("1")


def test_an_older_core_is_told_what_is_long_enough(old_core: None, tmp_path: pathlib.Path) -> None:
    module = Module(auth_file=auth_file(tmp_path, "short"), source={"token": "a-long-enough-token"})
    task = module.task
    task.registry()._transport.credential_for("a/b")
    task.source()
    assert module.no_log_values == {"a-long-enough-token"}


@pytest.mark.parametrize("name", ["a-secret-of-a-repository", "application/vnd.oci.image.manifest.v1+json", DIGEST])
def test_an_older_core_is_not_told_what_is_a_name_of_the_task(
    old_core: None, tmp_path: pathlib.Path, name: str
) -> None:
    module = Module(auth_file=auth_file(tmp_path, name), repository=f"team/{name}")
    module.task.registry()._transport.credential_for("a/b")
    assert module.no_log_values == {base64.b64encode(f"ci:{name}".encode()).decode()}


HIDDEN_TOKENS = ("requested-access", "MANIFEST_UNKNOWN", "bearer-token-of-some-length", "*" * 20)
"""Long enough to be tokens: hidden where the registry quotes them, and nowhere else."""
TOKENS = (
    *("a", "changed", "sha256", "errors", "denied", DIGEST, "application/vnd.oci.image.manifest.v1+json"),
    *("team/a-long-repository", *HIDDEN_TOKENS),
)


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize("token", TOKENS)
def test_a_token_that_was_obtained_may_be_anything_and_touches_nothing_but_itself(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, token: str, newer: bool
) -> None:
    registered: list[str] = []
    monkeypatch.setattr(_masking, "register_secret", registered.append if newer else OLD_CORE)
    repository = "team/a-long-repository"
    server.expect(
        "GET", f"/v2/{repository}/tags/list", 401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/t"'}
    )
    server.expect("GET", "/t?scope=repository%3Ateam%2Fa-long-repository%3Apull", 200, {"token": token})
    said = f"requested access is denied: a {token} is no token"
    body = {"errors": [{"code": "DENIED", "message": said, "detail": {"sent": token}}]}
    server.expect("GET", f"/v2/{repository}/tags/list", 403, body)
    module = Module(registry=server.host, plain_http=True, repository=repository)
    task = module.task
    result = {"digest": DIGEST, "media_type": token, "changed": False, "annotations": {"a": token}}

    def work(task: Task) -> dict[str, t.Any]:
        registry = task.registry()
        with pytest.raises(AccessDenied) as caught:
            list(registry.list_tags(repository))
        return {**result, "failures": [failure(caught.value, repository=repository)]}

    end = ended(work, module)
    assert not registered and not module.no_log_values
    assert {name: end.result.get(name) for name in result} == result, end.result
    message = end.result["msg"]
    assert repository in message and server.host in message and "DENIED: requested access is denied: a " in message
    assert (f"a {token} is" in message) == (token not in HIDDEN_TOKENS)
    assert end.result["failures"][0]["error"]["errors"][0]["code"] == "DENIED"
    task.close()


@pytest.mark.parametrize("option", ["password", "token", "source.password", "source.token"])
@pytest.mark.parametrize(
    ("secret", "given", "values"),
    [
        ("team", {"repository": "team/app"}, ()),
        ("app", {"images": [{"repository": "team/app", "tag": None}]}, ()),
        ("aaaa", {}, (["x", {"digest": DIGEST}],)),
        ("512", {"blobs": [{"size": 15120}]}, ()),
        ("example", {}, ()),
        ("mount", {}, ()),
        ("sha", {}, (DIGEST,)),
        ("tru", {}, ()),
        ("123456789", {}, ()),
        ("eyJ", {"content_base64": "eyJhIjoxfQ=="}, ()),
    ],
)
def test_a_secret_that_an_older_core_would_cut_out_of_the_result_is_refused(
    old_core: None, option: str, secret: str, given: dict[str, t.Any], values: tuple[t.Any, ...]
) -> None:
    end, _dot, name = option.rpartition(".")
    login = {"username": "u", "password": secret} if name == "password" else {"token": secret}
    module = Module(source=login, **given) if end else Module(**login, **given)
    with pytest.raises(InvalidInput, match=f"the value of {option} also occurs") as caught:
        module.task.check_secrets(*values)
    said = f"{caught.value} {caught.value.facts()}"
    assert f"Use a longer {name}, or give the credential in an auth_file" in said
    assert f"it belongs to promote_{'source' if end else 'destination'}" in said
    # Some are words that the sentence has itself.
    assert secret in ("sha", "app", "mount", "example", "tru", "team") or secret not in said


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_secret_that_is_a_word_of_results_is_refused(old_core: None, word: str) -> None:
    with pytest.raises(InvalidInput, match="the value of password also occurs"):
        Module(username="u", password=word).task.check_secrets()


@pytest.mark.parametrize("secret", ["zzz", "1234567890", "Mount", "a-password"])
def test_a_secret_that_occurs_nowhere_is_accepted(old_core: None, secret: str) -> None:
    module = Module(username=secret, password=secret, repository="team/app", source={"token": secret}, tag="1.0")
    module.task.check_secrets({"zzz": "a key is never cut"}, DIGEST, 12, None, True)


def test_a_secret_is_refused_before_the_work_begins(old_core: None) -> None:
    module = Module(username="u", password="app", repository="team/app")
    module.no_log_values.add("app")
    end = ended(raising(AssertionError("work began")), module)
    assert end.failed and "The value of password" in end.result["msg"]
    # Ansible would cut it out of the sentence, and adds the options unless others are given.
    assert not module.no_log_values and end.result["invocation"] == {"module_args": {}}
    assert end.result["transfer"]["requests"] == 0


@pytest.mark.parametrize("values", [({"tag": "1.4-ci"},), ()])
def test_a_passphrase_that_an_older_core_would_cut_out_of_the_result_is_refused(
    old_core: None, values: tuple[t.Any, ...]
) -> None:
    record = {"path": "/records/ci", "sign_with": "/keys/ci.key", "sign_passphrase": "ci"}
    module = Module(record=record if not values else {**record, "path": None})
    with pytest.raises(InvalidInput, match=r"the value of record\.sign_passphrase also occurs") as caught:
        module.task.check_secrets(*values)
    assert str(caught.value).endswith("Use a longer sign_passphrase.")


def test_a_passphrase_that_occurs_in_nothing_that_is_returned_is_accepted(old_core: None) -> None:
    record = {"path": "/records", "sign_with": "/keys/zzz.key", "sign_passphrase": "zzz"}
    Module(record=record, repository="team/app").task.check_secrets(DIGEST)


@pytest.mark.parametrize("key", ["PEM", "base64"])
def test_a_private_key_that_is_given_as_text_is_hidden(registered: list[str], key: str) -> None:
    text = PEM if key == "PEM" else "MC4CAQAwBQYDK2VwBCIEI" + 43 * "A"
    assert Module(record={"sign_with": text}).task and registered == [text]


def test_the_path_of_a_private_key_is_shown(registered: list[str]) -> None:
    assert Module(record={"sign_with": "/keys/release.key"}).task and registered == []


def test_what_is_logged_has_no_secret_in_dictionaries_and_lists_of_them() -> None:
    spec = {"source": {"options": {"password": {"no_log": True}, "token": {"no_log": True}}}, "plain": {}}
    ends = {"password": "a'b", "token": None, "registry": "r"}
    shown = {"password": "********", "token": None, "registry": "r"}
    given = {"source": ends, "plain": {"password": "not an option"}, "unknown": 7}
    assert without_no_log(given, spec) == {**given, "source": shown}
    assert without_no_log({"source": [ends, "text"]}, spec) == {"source": [shown, "text"]}


PEM = "-----BEGIN PRIVATE KEY-----\nSup3rS3cret\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("name", ["path", "src", "dest", "ca_path", "sign_with"])
def test_the_content_of_a_file_is_not_shown_among_options(name: str) -> None:
    assert shown_options({name: PEM}, options_with_paths(ONE_END)) == {name: "********"}


def test_the_second_half_of_a_login_in_the_place_of_a_port_is_not_shown_among_options() -> None:
    given = {"registry": "main:Sup3rS3cret", "source": {"registry": "main:Sup3rS3cret/a"}, "tag": "a:b"}
    assert shown_options(given, ()) == {
        "registry": "main:********",
        "source": {"registry": "main:********/a"},
        "tag": "a:b",
    }
    for fine in ("r.example:5000", "[::1]:5000", "[::1]", "https://r.example:5000"):
        assert shown_options({"registry": fine}, ()) == {"registry": fine}


def test_the_content_of_a_file_in_the_place_of_a_download_is_not_shown(tmp_path: pathlib.Path) -> None:
    task = t.cast(t.Any, type("Task", (), {"params": {"dest": f"{tmp_path}/{PEM}"}, "check_mode": False}))
    with pytest.raises(LocalFileError, match="^dest: the path of a file is wanted") as caught:
        blob_download.work(task)
    assert "Sup3rS3cret" not in str(caught.value)
    assert not list(tmp_path.iterdir())
