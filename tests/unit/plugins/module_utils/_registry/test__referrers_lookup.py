# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._referrers import Referrers, referrers_tag
from ansible_collections.imageops.registry.plugins.module_utils._http._notices import Notices
from ansible_collections.imageops.registry.plugins.module_utils._images._referrers import referrers_of
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    InvalidInput,
    NotFound,
    ProtocolViolation,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.tests.unit.support.documents import (
    DIGEST,
    DIGEST_512,
    LOGIN,
    OTHER_DIGEST,
    descriptor,
    encoded,
    errors,
    index,
    transport,
)
from ansible_collections.imageops.registry.tests.unit.support.registry_client import (
    CONTENT,
    DENIED,
    INDEX_TYPE,
    MANIFEST_DIGEST,
    ONE,
    REFERRERS,
    described,
    found_in,
    registry,
)
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

Serve = t.Callable[..., ScriptedServer]
TAGGED = "/v2/a/b/manifests/" + MANIFEST_DIGEST.replace(":", "-")
SIGNATURE = descriptor(b"signature", OCI_MANIFEST, artifactType="a/signature", annotations={"k": "v"})
SBOM = descriptor(b"sbom", OCI_MANIFEST, artifactType="a/sbom")


def test_referrers_of_the_api(server: ScriptedServer) -> None:
    server.expect(
        "GET", REFERRERS, 200, encoded(index(SIGNATURE)), {**INDEX_TYPE, "Link": f'<{REFERRERS}?n=2>; rel="next"'}
    )
    server.expect("GET", REFERRERS + "?n=2", 200, encoded(index(SBOM, SIGNATURE)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by) == (["a/signature", "a/sbom"], "api")
    assert found.descriptors[0].annotations == {"k": "v"}
    assert server.requests[0].header("Accept") == OCI_INDEX


OTHER_REFERRERS = f"/v2/a/b/referrers/{OTHER_DIGEST}"


def test_an_api_that_lists_nothing_is_not_believed(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by, found.proven) == (["a/signature"], "tag_schema", True)


@pytest.mark.parametrize("status", [404, 403])
def test_an_api_that_lists_nothing_and_no_list_under_the_tag_prove_nothing(server: ScriptedServer, status: int) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, status)
    if status == 403:
        server.expect("GET", "/v2/a/b/tags/list", 200, {"tags": ["1"]})
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


def unread_in(found: Referrers) -> str:
    """Of an empty list of the API, the operation that failed: whoever rests on nothing being there has to know."""
    assert found.unread is not None
    assert found._replace(unread=None) == Referrers((), "api", proven=False)
    return found.unread.operation.split()[0]


def test_an_api_that_lists_nothing_is_no_error_where_the_tag_is_denied(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, 403, DENIED)
    server.expect("GET", "/v2/a/b/tags/list", 403, DENIED)
    assert unread_in(registry(server).list_referrers("a/b", MANIFEST_DIGEST)) == "read"


@pytest.mark.parametrize("status", [200, 404, 403])
def test_where_the_api_is_denied_for_what_is_said_to_be_absent_the_tag_is_read(
    server: ScriptedServer, status: int
) -> None:
    unknown = errors("MANIFEST_UNKNOWN")
    server.expect("GET", REFERRERS, 403, unknown)
    server.expect("GET", TAGGED, status, encoded(index(SIGNATURE)) if status == 200 else unknown, INDEX_TYPE)
    server.expect("GET", REFERRERS, 200, encoded(index(SBOM)), INDEX_TYPE)
    client = registry(server)
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == (["a/signature"] if status == 200 else [])
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == ["a/sbom"]


BROKEN_LIST = b'{"schemaVersion":2,"manifests":[],"manifests":[]}'


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, errors("TAG_INVALID")),
        (401, errors("UNAUTHORIZED")),
        (405, b""),
        (412, b""),
        (429, b""),
        (500, b""),
        (503, b""),
        (200, BROKEN_LIST),
        (200, b"<html>"),
    ],
)
def test_an_api_that_lists_nothing_is_no_error_where_the_tag_can_not_be_read(
    server: ScriptedServer, status: int, answer: t.Any
) -> None:
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, status, answer, INDEX_TYPE)
    assert unread_in(registry(server).list_referrers("a/b", MANIFEST_DIGEST)) == "read"


def test_a_list_of_referrers_of_a_withdrawn_type_is_no_error_where_the_api_answers(server: ScriptedServer) -> None:
    foreign = {"Content-Type": "application/vnd.oci.artifact.manifest.v1+json"}
    server.expect("GET", REFERRERS, 200, index(), INDEX_TYPE).expect("GET", TAGGED, 200, b"{}", foreign)
    assert unread_in(registry(server).list_referrers("a/b", MANIFEST_DIGEST)) == "read"


def test_an_api_that_has_listed_something_is_believed(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", OTHER_REFERRERS, 200, index(), INDEX_TYPE)
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    assert client.list_referrers("a/b", OTHER_DIGEST) == Referrers((), "api")


def test_whether_there_is_an_api_costs_one_request(server: ScriptedServer) -> None:
    server.expect("GET", f"/v2/a/b/referrers/sha256:{'0' * 64}", 200, index(), INDEX_TYPE)
    assert registry(server).has_referrers_api("a/b")


def test_an_account_that_is_denied_the_api_and_nothing_else_finds_the_list_under_the_tag(
    server: ScriptedServer,
) -> None:
    server.expect("GET", REFERRERS, 403, DENIED)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", "/v2/a/b/manifests/" + referrers_tag(OTHER_DIGEST), 404)
    client = registry(server)
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == ["a/signature"]
    assert client.list_referrers("a/b", OTHER_DIGEST) == Referrers((), "")


@pytest.mark.parametrize("body", [DENIED, errors("MANIFEST_UNKNOWN"), b""])
def test_that_the_api_was_denied_is_kept_with_every_empty_list(server: ScriptedServer, body: t.Any) -> None:
    server.expect("GET", REFERRERS, 403, body).expect("GET", TAGGED, 404)
    if body == errors("MANIFEST_UNKNOWN"):
        # That is said of the digest, so the API is asked again.
        server.expect("GET", OTHER_REFERRERS, 403, body)
    server.expect("GET", "/v2/a/b/manifests/" + referrers_tag(OTHER_DIGEST), 404)
    client = registry(server)
    for digest in (MANIFEST_DIGEST, OTHER_DIGEST):
        found = client.list_referrers("a/b", digest)
        assert found_in(found) == [] and isinstance(found.unread, AccessDenied)
        assert found.unread.operation.startswith("list the referrers of ")


@pytest.mark.parametrize(
    ("status", "body"), [(404, DENIED), (404, errors("UNAUTHORIZED")), (400, DENIED), (412, b""), (451, b"")]
)
def test_no_api_in_the_words_of_a_denial_is_kept_with_every_empty_list(
    server: ScriptedServer, status: int, body: t.Any
) -> None:
    server.expect("GET", REFERRERS, status, body).expect("GET", TAGGED, 404)
    server.expect("GET", "/v2/a/b/manifests/" + referrers_tag(OTHER_DIGEST), 404)
    client = registry(server)
    for digest in (MANIFEST_DIGEST, OTHER_DIGEST):
        found = client.list_referrers("a/b", digest)
        assert found_in(found) == [] and found.unread is not None and found.unread.status == status


def test_a_list_under_a_tag_that_is_not_found_in_the_words_of_a_denial_may_be_there(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 404, DENIED)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert found_in(found) == [] and isinstance(found.unread, NotFound)


def test_a_list_under_a_tag_that_is_denied_in_a_repository_without_a_list_of_tags_may_be_there(
    server: ScriptedServer,
) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 403, DENIED)
    server.expect("GET", "/v2/a/b/tags/list", 404, errors("NAME_UNKNOWN"))
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert found_in(found) == [] and isinstance(found.unread, AccessDenied)


@pytest.mark.parametrize("scheme", ["", "Basic", "Bearer"])
def test_a_401_for_the_api_alone_means_that_there_is_none(server: ScriptedServer, scheme: str) -> None:
    """Harbor before 2.8; the answer has no challenge."""
    challenge = {"Basic": 'Basic realm="r"', "Bearer": f'Bearer realm="{server.url}/token"'}.get(scheme)
    if challenge:
        server.expect("HEAD", ONE, 401, headers={"WWW-Authenticate": challenge})
    if scheme == "Bearer":
        token = "/token?scope=repository%3Aa%2Fb%3Apull&account=ci"
        server.expect("GET", token, 200, {"token": "one"})
    server.expect("HEAD", ONE, 200, CONTENT, described())
    server.expect("GET", REFERRERS, 401, errors("UNAUTHORIZED"))
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    client = Registry(transport(server.host, retries=0, **({"credential": LOGIN} if scheme else {})), writing=False)
    assert client.head_manifest("a/b", "1") is not None
    found = client.list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by) == (["a/signature"], "tag_schema")


def test_an_api_that_has_answered_and_denies_a_digest_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", OTHER_REFERRERS, 403, DENIED)
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    with pytest.raises(AccessDenied, match="Cannot list the referrers"):
        client.list_referrers("a/b", OTHER_DIGEST)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {}, b"404 page not found"),
        (404, {}, errors("MANIFEST_UNKNOWN")),
        (405, {}, b""),
        (406, {}, b""),
        (400, {}, b""),
        (501, {}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>"),
        (200, {"Content-Type": "application/json"}, b"{}"),
    ],
)
def test_referrers_come_from_the_tag_where_there_is_no_api(
    server: ScriptedServer, status: int, headers: dict[str, str], body: t.Any
) -> None:
    server.expect("GET", REFERRERS, status, body, headers)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE, SBOM)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by) == (["a/signature", "a/sbom"], "tag_schema")


def test_no_api_and_no_tag_means_no_referrers(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 404)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "")


def test_a_later_page_that_fails_is_an_error(server: ScriptedServer) -> None:
    server.expect(
        "GET", REFERRERS, 200, encoded(index(SIGNATURE)), {**INDEX_TYPE, "Link": f'<{REFERRERS}?n=2>; rel="next"'}
    )
    server.expect("GET", REFERRERS + "?n=2", 404)
    with pytest.raises(NotFound, match="Cannot list the referrers"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_an_api_that_has_answered_is_not_given_up(server: ScriptedServer) -> None:
    other = "sha256:" + "0" * 64
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", f"/v2/a/b/referrers/{other}", 404, errors("MANIFEST_UNKNOWN"))
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    assert client.list_referrers("a/b", other) == Referrers((), "api")
    assert found_in(client.list_referrers("a/b", MANIFEST_DIGEST)) == ["a/signature"]


def test_an_api_that_fails_for_a_digest_is_an_error(server: ScriptedServer) -> None:
    other = "sha256:" + "0" * 64
    server.expect("GET", REFERRERS, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", f"/v2/a/b/referrers/{other}", 404, b"404 page not found")
    client = registry(server)
    client.list_referrers("a/b", MANIFEST_DIGEST)
    with pytest.raises(NotFound):
        client.list_referrers("a/b", other)


def test_a_list_of_referrers_that_can_not_be_read_is_an_error(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 200, BROKEN_LIST, INDEX_TYPE)
    with pytest.raises(InvalidInput):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_referrers_without_an_end_are_refused(server: ScriptedServer) -> None:
    entries = [{**SIGNATURE, "digest": f"sha256:{number:064x}"} for number in range(9000)]
    server.expect(
        "GET", REFERRERS, 200, encoded(index(*entries)), {**INDEX_TYPE, "Link": f'<{REFERRERS}?n=2>; rel="next"'}
    )
    server.expect("GET", REFERRERS + "?n=2", 200, encoded(index(*entries)), INDEX_TYPE)
    with pytest.raises(ProtocolViolation, match="more than 10000 referrers"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_a_tag_that_resolves_to_the_subject_lists_no_referrers(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 404).expect("GET", TAGGED, 200, CONTENT, described())
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "")


def test_a_tag_that_resolves_to_a_subject_that_is_an_index_lists_no_referrers(server: ScriptedServer) -> None:
    content = encoded(index(descriptor(b"child", OCI_MANIFEST)))
    digest = compute_digest(content)
    server.expect("GET", f"/v2/a/b/referrers/{digest}", 404)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(digest)}", 200, content, described(content, OCI_INDEX))
    assert registry(server).list_referrers("a/b", digest) == Referrers((), "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, AccessDenied), (503, UnexpectedAnswer), (429, RegistryError)],
)
def test_referrers_that_may_not_be_read_are_an_error(
    server: ScriptedServer, status: int, kind: type[RegistryError]
) -> None:
    server.expect("GET", REFERRERS, status)
    if status == 403:
        server.expect("GET", TAGGED, 403).expect("GET", "/v2/a/b/tags/list", 403)
    with pytest.raises(kind, match="Cannot list the referrers"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_referrers_behind_a_login_are_an_error(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 401)
    with pytest.raises(AuthenticationFailed, match=f"Cannot log in to {server.host}: .*answer 401"):
        registry(server).list_referrers("a/b", MANIFEST_DIGEST)


def test_a_referrers_list_may_be_null(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, encoded(dict(index(), manifests=None)), INDEX_TYPE)
    server.expect("GET", TAGGED, 404)
    assert registry(server).list_referrers("a/b", MANIFEST_DIGEST) == Referrers((), "api", proven=False)


NO_DIGEST = {**SBOM, "digest": "sha256:../../x"}
BARE = {"digest": SBOM["digest"], "size": -1, "mediaType": ""}


@pytest.mark.parametrize("by", ["api", "tag_schema"])
def test_an_entry_of_a_list_needs_no_more_than_a_digest(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    content = encoded(index(NO_DIGEST, "?", BARE, SIGNATURE))
    if by == "tag_schema":
        server.expect("GET", REFERRERS, 404)
    server.expect("GET", REFERRERS if by == "api" else TAGGED, 200, content, INDEX_TYPE)
    notices = Notices()
    client = Registry(transport(server.host, retries=0), writing=True)
    monkeypatch.setattr(client._transport, "remark", notices.remark)
    found = client.list_referrers("a/b", MANIFEST_DIGEST)
    assert found.found_by == by
    assert found.descriptors[0] == Descriptor("", SBOM["digest"], 0)
    assert found_in(found) == ["", "a/signature"]
    assert notices.sentence() == (
        f"The list of referrers of {server.host}/a/b@{MANIFEST_DIGEST} has entries without a valid digest (2), which "
        "were left out"
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html><title>Login</title>", b"[]", b"{", errors("UNKNOWN"), {"manifests": {}}, {}]
)
def test_an_answer_that_is_no_list_means_that_there_is_no_api(server: ScriptedServer, body: t.Any) -> None:
    server.expect("GET", REFERRERS, 200, body, INDEX_TYPE)
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert (found_in(found), found.found_by, found.doubt) == (["a/signature"], "tag_schema", None)


@pytest.mark.parametrize("media_type", ["text/html", OCI_INDEX])
def test_a_page_in_place_of_a_list_leaves_it_open_what_there_is(server: ScriptedServer, media_type: str) -> None:
    for _time in range(2):
        server.expect("GET", REFERRERS, 200, b"<html><title>Login</title>", {"Content-Type": media_type})
        server.expect("GET", TAGGED, 404)
    client = registry(server)
    for _time in range(2):
        found = client.list_referrers("a/b", MANIFEST_DIGEST)
        assert (found.descriptors, found.found_by) == ((), "")
        assert "the page 'Login' in HTML was answered" in str(found.doubt)
    (answer,) = referrers_of(t.cast(t.Any, Doubtful(found)), [("a/b", DIGEST_512)])
    assert answer is found.doubt


def test_a_page_in_place_of_a_list_is_no_api_where_clients_keep_lists(server: ScriptedServer) -> None:
    server.expect("GET", REFERRERS, 200, b"<html><title>Login</title>", {"Content-Type": "text/html"})
    server.expect("GET", TAGGED, 200, encoded(index(SIGNATURE)), INDEX_TYPE)
    server.expect("GET", f"/v2/a/b/manifests/{referrers_tag(DIGEST_512)}", 404)
    client = registry(server)
    assert client.list_referrers("a/b", MANIFEST_DIGEST).found_by == "tag_schema"
    # What is asked for next has no list of its own, and isn't in doubt.
    found = client.list_referrers("a/b", DIGEST_512)
    assert (found.descriptors, found.doubt) == ((), None)


class Doubtful:
    """Answers every question for referrers the same."""

    jobs = 1

    def __init__(self, answer: Referrers) -> None:
        self._answer = answer

    def list_referrers(self, repository: str, digest: str) -> Referrers:
        return self._answer


def test_a_page_of_another_host_in_place_of_a_list_leaves_it_open_what_there_is(serve: Serve) -> None:
    server, other = serve(), serve()
    server.expect("GET", REFERRERS, 302, headers={"Location": f"{other.url}/login"}).expect("GET", TAGGED, 404)
    other.expect("GET", "/login", 200, b"<html><title>Login</title>", {"Content-Type": "text/html"})
    found = registry(server).list_referrers("a/b", MANIFEST_DIGEST)
    assert "the page 'Login' in HTML was answered" in str(found.doubt)


@pytest.mark.parametrize("tagged", [True, False])
def test_a_login_that_is_wanted_for_referrers_alone_leaves_it_open_what_there_is(
    server: ScriptedServer, tagged: bool
) -> None:
    server.expect("HEAD", ONE, 200, CONTENT, described())
    server.expect("GET", REFERRERS, 401, headers={"WWW-Authenticate": 'Basic realm="r"'})
    server.expect("GET", TAGGED, 200 if tagged else 404, encoded(index(SIGNATURE)) if tagged else b"", INDEX_TYPE)
    client = registry(server)
    assert client.head_manifest("a/b", "1") is not None
    found = client.list_referrers("a/b", MANIFEST_DIGEST)
    assert found_in(found) == (["a/signature"] if tagged else [])
    assert tagged or isinstance(found.doubt, AuthenticationFailed)


@pytest.mark.parametrize("status", [200, 404, 401, 403])
def test_whether_there_is_an_api_does_not_depend_on_a_tag(server: ScriptedServer, status: int) -> None:
    server.expect("GET", f"/v2/a/b/referrers/sha256:{'0' * 64}", status, b"")
    assert not registry(server).has_referrers_api("a/b")


def test_the_referrers_tag_cuts_a_sha512_digest_to_what_a_tag_can_hold() -> None:
    assert referrers_tag(DIGEST) == DIGEST.replace(":", "-")
    assert referrers_tag(DIGEST_512) == "sha512-" + DIGEST_512[7:71]
