# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    NotFound,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_MANIFEST,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    LOGIN,
    errors,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    BLOB,
    CONTENT,
    DENIED,
    MANIFEST_DIGEST,
    ONE,
    TAGS,
    found_in,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer


def pushed_to(server: ScriptedServer, **options: t.Any) -> Registry:
    return Registry(transport(server.host, **options), writing=False, pushed_to=True)


def test_a_manifest_that_only_head_denies_is_there(server: ScriptedServer) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 200, CONTENT, {"Content-Type": OCI_MANIFEST})
    found = registry(server).head_manifest("a/b", "1")
    assert found is not None and found.digest == MANIFEST_DIGEST


@pytest.mark.parametrize("body", [errors("MANIFEST_UNKNOWN"), errors("NAME_UNKNOWN"), errors("NOT_FOUND")])
def test_a_denial_that_says_that_nothing_is_there_is_believed(server: ScriptedServer, body: dict[str, t.Any]) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, body).expect("GET", ONE, 403, body)
    client = registry(server)
    assert client.head_manifest("a/b", "1") is None
    assert isinstance(client.denial_of("a/b", "1"), AccessDenied)
    with pytest.raises(NotFound, match=f"Cannot read {server.host}/a/b:1: "):
        client.get_manifest("a/b", "1")


@pytest.mark.parametrize("tags", [(200, {"tags": ["2"]}), (404, errors("NAME_UNKNOWN"))])
@pytest.mark.parametrize("connect", [registry, pushed_to])
def test_a_tag_that_is_denied_and_not_in_the_list_is_not_there(
    server: ScriptedServer, tags: tuple[int, t.Any], connect: t.Callable[..., Registry]
) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, DENIED).expect("GET", TAGS, *tags)
    client = connect(server)
    assert client.head_manifest("a/b", "1") is None
    assert not client.is_unsure("a/b", "1")
    # Only a list of tags without it proves that it isn't there.
    assert (client.denial_of("a/b", "1") is None) == (tags[0] == 200)
    assert client.denial_of("a/b", "2") is None


@pytest.mark.parametrize(("body", "hidden"), [(DENIED, True), (errors("MANIFEST_UNKNOWN"), False), (b"", False)])
def test_a_tag_that_is_not_found_in_the_words_of_a_denial_is_not_there_and_may_be_hidden(
    server: ScriptedServer, body: t.Any, hidden: bool
) -> None:
    server.expect("HEAD", ONE, 404).expect("GET", ONE, 404, body)
    client = registry(server)
    assert client.head_manifest("a/b", "1", Purpose.GUARD) is None
    assert (client.denial_of("a/b", "1") is not None) == hidden


@pytest.mark.parametrize("connect", [registry, pushed_to])
def test_a_tag_that_is_denied_and_in_the_list_is_an_error(
    server: ScriptedServer, connect: t.Callable[..., Registry]
) -> None:
    server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, DENIED).expect("GET", TAGS, 200, {"tags": ["1"]})
    with pytest.raises(AccessDenied, match=f"Cannot read {server.host}/a/b:1: DENIED"):
        connect(server).head_manifest("a/b", "1")


def test_where_everything_is_denied_only_who_pushes_may_take_it_for_absent(server: ScriptedServer) -> None:
    for status in (403, 405):
        server.expect("HEAD", ONE, 403).expect("GET", ONE, 403, DENIED).expect("GET", TAGS, status, DENIED)
    with pytest.raises(AccessDenied):
        registry(server).head_manifest("a/b", "1")
    client = pushed_to(server)
    assert client.head_manifest("a/b", "1") is None
    assert client.is_unsure("a/b", "1") and not client.is_unsure("a/b", "2")


def test_blobs_and_referrers_that_are_denied_are_absent_to_who_pushes(server: ScriptedServer) -> None:
    referrers = f"/v2/a/b/referrers/{DIGEST}"
    server.expect("HEAD", BLOB, 403).expect("GET", BLOB, 403, DENIED).expect("GET", referrers, 403, DENIED)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(DIGEST)}", 403, DENIED).expect("GET", TAGS, 403, DENIED)
    client = pushed_to(server)
    assert client.head_blob("a/b", DIGEST) is None
    assert found_in(client.list_referrers("a/b", DIGEST)) == []


def test_blobs_and_referrers_that_are_denied_are_an_error_to_who_reads(server: ScriptedServer) -> None:
    server.expect("HEAD", BLOB, 403).expect("GET", BLOB, 403, DENIED)
    server.expect("GET", f"/v2/a/b/referrers/{DIGEST}", 403, DENIED)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(DIGEST)}", 403, DENIED).expect("GET", TAGS, 403, DENIED)
    client = registry(server)
    with pytest.raises(AccessDenied, match="Cannot look for blob"):
        client.head_blob("a/b", DIGEST)
    with pytest.raises(AccessDenied, match="Cannot list the referrers"):
        client.list_referrers("a/b", DIGEST)


def insufficient(server: ScriptedServer, credential: Credential) -> None:
    """A token server that grants nothing, and a registry that therefore answers 401."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token",error="insufficient_scope"'}
    token = "/token?scope=repository%3Aa%2Fb%3Apull" + ("" if credential.is_anonymous else "&account=ci")
    server.expect("HEAD", ONE, 401, headers=challenge).expect("GET", token, 200, {"token": "one"})
    server.expect("HEAD", ONE, 401, headers=challenge)


def test_an_account_that_is_granted_nothing_sees_nothing_where_it_pushes_to(server: ScriptedServer) -> None:
    insufficient(server, LOGIN)
    assert pushed_to(server, credential=LOGIN).head_manifest("a/b", "1") is None


@pytest.mark.parametrize(("connect", "credential"), [(registry, LOGIN), (registry, ANONYMOUS), (pushed_to, ANONYMOUS)])
def test_who_is_not_logged_in_or_only_reads_is_told(
    server: ScriptedServer, connect: t.Callable[..., Registry], credential: Credential
) -> None:
    insufficient(server, credential)
    refused = "anonymous access does not include" if credential.is_anonymous else "the account is not granted"
    with pytest.raises(AccessDenied, match=f": {refused} repository:a/b:pull"):
        if connect is registry:
            registry(server, writing=False, credential=credential).head_manifest("a/b", "1")
        else:
            pushed_to(server, credential=credential).head_manifest("a/b", "1")


def test_an_account_that_is_denied_one_repository_by_basic_sees_nothing_there_where_it_pushes_to(
    server: ScriptedServer,
) -> None:
    basic = {"WWW-Authenticate": 'Basic realm="x"'}
    server.expect("HEAD", ONE, 401, headers=basic).expect("HEAD", ONE, 401, headers=basic).expect("GET", "/v2/")
    client = pushed_to(server, credential=LOGIN)
    assert client.head_manifest("a/b", "1") is None
    assert client.is_unsure("a/b", "1")


@pytest.mark.parametrize("connect", [registry, pushed_to])
def test_what_the_token_server_does_not_grant_is_never_taken_for_absence(
    server: ScriptedServer, connect: t.Callable[..., Registry]
) -> None:
    # A wrong password looks like that, too (olareg).
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'}
    scope = "pull%2Cpush" if connect is registry else "pull"
    server.expect("HEAD", ONE, 401, headers=challenge)
    server.expect("GET", f"/token?scope=repository%3Aa%2Fb%3A{scope}&account=ci", 403, DENIED)
    with pytest.raises(
        AccessDenied, match=r"Cannot look for .*a/b:1: the token server does not grant .*Check username"
    ):
        connect(server, credential=LOGIN).head_manifest("a/b", "1")


def test_a_password_that_is_refused_is_never_taken_for_absence(server: ScriptedServer) -> None:
    basic = {"WWW-Authenticate": 'Basic realm="x"'}
    server.expect("HEAD", ONE, 401, headers=basic).expect("HEAD", ONE, 401, headers=basic)
    server.expect("GET", "/v2/", 401, headers=basic)
    with pytest.raises(AuthenticationFailed):
        pushed_to(server, credential=LOGIN).head_manifest("a/b", "1")
