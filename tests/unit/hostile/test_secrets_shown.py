# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task says and leaves behind holds no secret, whatever the registry does with what it got.

The whole of a task, with Ansible's own output and its files, is looked at by the integration target ``secrets``.
"""

from __future__ import annotations

import pathlib
import traceback
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs._download import DownloadItem, download_blobs
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._secrets import Secrets
from ansible_collections.imageops.registry.plugins.module_utils._end._body import PIECE
from ansible_collections.imageops.registry.plugins.module_utils._layout._opening import open_layout
from ansible_collections.imageops.registry.plugins.module_utils._model._actions import DIRECTORY
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import RegistryError
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    CONFIG,
    DIGEST,
    LAYER,
    descriptor,
    image,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.hostile_server import (
    IDENTITY_TOKEN,
    PASSWORD,
    TOKEN,
    USER,
    Answer,
    HostileServer,
    Rule,
    Seen,
    redirect_to,
    secrets_in,
)
from ansible_collections.imageops.registry.tests.unit.support.promotions import image_item, promoted

Hostile = t.Callable[..., HostileServer]
SIGNED = "signature-of-the-tests"
LOGINS = {
    "basic": Credential(USER, PASSWORD),
    "bearer": Credential(USER, PASSWORD),
    "token option": Credential(token=TOKEN),
    "identity token": Credential(identity_token=IDENTITY_TOKEN),
}


def echo(status: int) -> Rule:
    """An error that quotes all that was sent, wherever an error has room for it."""

    def rule(seen: Seen) -> Answer:
        authorisation = dict(seen.headers).get("authorization", "")
        quoted = f"{authorisation} {PASSWORD} {TOKEN} {IDENTITY_TOKEN}".replace('"', "")
        errors = f'{{"errors":[{{"code":"{quoted}","message":"{quoted}","detail":{{"got":"{quoted}"}}}}]}}'
        headers = (
            ("Warning", quoted),
            ("WWW-Authenticate", f"{authorisation.rpartition(' ')[2].rstrip('=')} realm=x"),
            ("Location", f"http://{authorisation.rpartition(' ')[2].rstrip('=')}:x/"),
            ("Docker-Content-Digest", quoted),
        )
        return Answer(status, headers, (errors.encode(),))

    return rule


def registry(server: HostileServer, credential: Credential, secrets: Secrets | None = None) -> Registry:
    return Registry(transport(server.host, credential=credential, secrets=secrets, retries=0), writing=True)


def everything_said(error: BaseException) -> str:
    """With all that is chained to it, as Python prints it, and as a result has it."""
    facts = error.facts() if isinstance(error, RegistryError) else {}
    return "".join([*traceback.format_exception(type(error), error, error.__traceback__), repr(error), str(facts)])


def failing(client: Registry) -> t.Iterator[BaseException]:
    for call in (
        lambda: client.list_tags("a/b"),
        lambda: b"".join(client.get_blob("a/b", DIGEST)[0]),
        lambda: client.head_blob("a/b", DIGEST),
        lambda: client.get_manifest("a/b", "1"),
        lambda: client.list_referrers("a/b", DIGEST),
        lambda: client.put_upload(client.start_upload("a/b"), DIGEST, LAYER),
        lambda: client.delete_blob("a/b", DIGEST),
    ):
        with pytest.raises(RegistryError) as caught:
            call()
        yield caught.value


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 405, 418, 429, 500])
def test_a_registry_that_quotes_what_it_got_gets_it_into_no_message(hostile: Hostile, login: str, status: int) -> None:
    home = hostile(login="basic" if login == "basic" else "bearer")
    home.on(".*", ".*/(blobs|manifests|tags|referrers|uploads)/.*|/uploads/.*", echo(status))
    secrets = Secrets()
    client = registry(home, LOGINS[login], secrets)
    for error in failing(client):
        said = "".join([repr(error), str(error), str(t.cast(RegistryError, error).facts())])
        # User names and tokens of this test that were never sent are the server's own words.
        sent = [text for seen in home.seen for _name, text in seen.headers] + [LOGINS[login].password]
        leaked = [
            secret for secret in secrets_in(secrets.hidden_beside_names(said)) if any(secret in text for text in sent)
        ]
        assert not leaked


@pytest.mark.parametrize("how", ["basic 401", "basic 403", "token server 401", "token server 403", "bearer 403"])
@pytest.mark.parametrize("odd", ["empty", "line break"])
def test_what_is_odd_about_a_password_that_is_refused_is_said_and_the_password_is_not(
    hostile: Hostile, how: str, odd: str
) -> None:
    by, _space, status = how.rpartition(" ")
    home = hostile(login="" if by == "basic" and status == "403" else "basic" if by == "basic" else "bearer")
    if by == "token server":
        home.on("GET", "/token", lambda seen: Answer(int(status)))
    elif status == "403":
        home.on(".*", ".*/(blobs|manifests|tags|referrers|uploads)/.*|/uploads/.*", logged_in(Answer(403), by))
    password = "" if odd == "empty" else f"odd-{PASSWORD}\n"
    for error in failing(registry(home, Credential(USER, password))):
        said = str(error)
        assert ("The password is empty" if odd == "empty" else "The password ends in a line break") in said
        assert said.count("The password") == 1
        assert PASSWORD not in everything_said(error)


def logged_in(found: Answer, by: str) -> Rule:
    """That answer to those who log in, and to others the challenge of Basic, where ``by`` is that."""

    def rule(seen: Seen) -> Answer:
        challenge = Answer(401, (("WWW-Authenticate", 'Basic realm="tests"'),))
        return challenge if by == "basic" and "authorization" not in dict(seen.headers) else found

    return rule


@pytest.mark.parametrize("login", LOGINS)
def test_no_secret_is_in_what_is_chained_to_an_error(hostile: Hostile, login: str) -> None:
    home = hostile(login="basic" if login == "basic" else "bearer")
    home.on(".*", ".*/(blobs|manifests|tags|referrers|uploads)/.*", lambda seen: Answer(418, (), (b"x",), "9"))
    for error in failing(registry(home, LOGINS[login])):
        assert not secrets_in(everything_said(error))


@pytest.mark.parametrize("how", ["refused", "cut off", "no HTTP", "another status"])
def test_no_signed_url_is_in_what_is_chained_to_an_error(hostile: Hostile, how: str) -> None:
    home, storage = hostile(), hostile()
    url = f"{storage.url}/x?X-Amz-Signature={SIGNED}"
    if how == "refused":
        storage.close()
    length = {"cut off": "99", "no HTTP": "x"}.get(how, "")
    storage.on(".*", ".*", lambda seen: Answer(418 if how == "another status" else 200, (), (b"x",), length))
    home.on("GET|HEAD", ".*", lambda seen: Answer(307, (("Location", url),)))
    home.on("POST", ".*", lambda seen: Answer(202, (("Location", url),)))
    client = registry(home, LOGINS["basic"])
    for call in (
        lambda: b"".join(client.get_blob("a/b", DIGEST)[0]),
        lambda: client.get_manifest("a/b", "1"),
        lambda: client.put_upload(client.start_upload("a/b"), DIGEST, LAYER),
    ):
        try:
            call()
        except RegistryError as error:
            assert SIGNED not in everything_said(error)
        else:
            assert how in ("cut off", "no HTTP"), "nothing failed"


def test_nothing_secret_is_in_the_files_that_are_written(hostile: Hostile, tmp_path: pathlib.Path) -> None:
    home, storage = hostile(login="bearer"), hostile()
    for server in (home, storage):
        server.blobs.update({DIGEST: LAYER, descriptor(CONFIG)["digest"]: CONFIG})
        server.add(image(), "1")
    storage.always = (("Set-Cookie", "s=cookie-of-the-tests"),)
    home.on("GET", ".*/blobs/.*", redirect_to(storage.url))
    client = registry(home, LOGINS["bearer"])
    progress = Progress()
    layout = open_layout(str(tmp_path / "layout"), DIRECTORY, Counters(), writing=True, jobs=1, names={})
    result = promoted(client, layout, image_item("a/b", tag="1", tags=("1",)), progress=progress)
    layout.commit()
    layout.close()
    # One that breaks off, and stays for the next run.
    large = bytes(3 * PIECE)
    storage.on("GET", ".*", lambda seen: Answer(200, (), (large[: 2 * PIECE],), str(len(large))))
    item = DownloadItem("a/b", compute_digest(large), len(large), str(tmp_path / "layer"))
    download_blobs(client, [item], lambda old, new: None, check=False)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 5 and any(path.name.endswith(".part") for path in written)
    for path in written:
        assert not secrets_in(str(path)) and not secrets_in(path.read_bytes().decode("latin-1"))
    assert home.leaks and not secrets_in(f"{result} {progress.snapshot()} {client.counters.as_dict()}")
