# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts, headers and documents that others write, whatever they are: read, or refused by an error of the one family.

Drawn by hypothesis, each time the same ones, from what is nearly right. A parser that hangs ends the whole run.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import tarfile
import tempfile
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest
from ansible_collections.imageops.registry.plugins.module_utils._credentials._auth_files import AuthFile, Place
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential import ANONYMOUS, Credential
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credential_helper import (
    _read as read_helper,
)
from ansible_collections.imageops.registry.plugins.module_utils._credentials._credentials import Credentials
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_session import UploadSession
from ansible_collections.imageops.registry.plugins.module_utils._http._auth import Authenticator
from ansible_collections.imageops.registry.plugins.module_utils._http._challenges import parse_challenges
from ansible_collections.imageops.registry.plugins.module_utils._http._endpoint import Endpoint
from ansible_collections.imageops.registry.plugins.module_utils._http._response import Response, retry_after
from ansible_collections.imageops.registry.plugins.module_utils._http._scopes import Scopes
from ansible_collections.imageops.registry.plugins.module_utils._http._token_server import Answer
from ansible_collections.imageops.registry.plugins.module_utils._http._transport import Transport
from ansible_collections.imageops.registry.plugins.module_utils._http._url import (
    is_local_address,
    origin_of,
    resolve,
    with_digest,
    without_query,
)
from ansible_collections.imageops.registry.plugins.module_utils._images._inspection import (
    describe_content,
    labels_of,
    platforms_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._layout._index import LayoutIndex, check_layout
from ansible_collections.imageops.registry.plugins.module_utils._layout._names import (
    CONTAINERD_NAME,
    REF_NAME,
    read_names,
)
from ansible_collections.imageops.registry.plugins.module_utils._layout._tar import read_members
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import (
    algorithm_of,
    check_digest,
    is_digest,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import RegistryError
from ansible_collections.imageops.registry.plugins.module_utils._model._manifest import (
    OCI_INDEX,
    Descriptor,
    Manifest,
    blobs_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._platform import check_platform
from ansible_collections.imageops.registry.plugins.module_utils._model._reference import (
    check_registry,
    check_repository,
    check_tag,
    parse_reference,
)
from ansible_collections.imageops.registry.plugins.module_utils._model._selection import sorted_tags
from ansible_collections.imageops.registry.plugins.module_utils._model._semver import Range, parse_version
from ansible_collections.imageops.registry.plugins.module_utils._registry import _pages
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST, image, index
from hypothesis.configuration import set_hypothesis_home_dir

SETTINGS = hypothesis.settings(
    max_examples=80,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    suppress_health_check=(hypothesis.HealthCheck.too_slow,),
)
FEWER = hypothesis.settings(SETTINGS, max_examples=40)
"""Of documents, which take longer to be drawn."""
BASE = "https://registry.test:5000"

Call = t.Callable[[], object]


def outcome(call: Call) -> object:
    """What it returns, or the error of the family that it raises, whose words must be one line."""
    try:
        return call()
    except RegistryError as error:
        assert "\n" not in str(error) and error.reason
        return error


# What is drawn -------------------------------------------------------------------------------------------------------

ODD = ["", "\x00", "\r\n", "\ud800", "\u202e", "\u0130", "\u00b9", "\u0663", " ", "%", "%2e", "..", "\\", "\x1b["]


def near(*parts: str) -> st.SearchStrategy[str]:
    """Texts of these parts, of odd characters, and of all bytes."""
    return st.one_of(
        st.lists(st.sampled_from(parts), max_size=6).map("".join),
        st.lists(st.sampled_from([*parts * 20, *ODD * 3, *map(chr, range(256))]), max_size=10).map("".join),
    )


REFERENCES = near(
    "docker.io", "localhost", ":5000", "[::1]", "/", "//", "team", "app", ":", "1.4", "@", DIGEST, "sha512:"
)
DIGESTS = near("sha256:", "sha512:", "sha1:", "a" * 64, "a" * 63, "F" * 64, ":", "+", DIGEST)
CHALLENGES = near(
    *("Bearer ", "Basic ", "Negotiate ", "realm=", '"', ",", "=", "scope=", "service=", "\\", BASE, "/token"),
    *("repository:a/b:pull,push", "registry:catalog:*", "abc==", "error="),
)
LINKS = near(
    "<", ">", ";", ' rel="next"', "rel=next", ",", '"', "/v2/a/b/tags/list?last=1", BASE, "http://", "@", "#", "?"
)
URLS = near(
    "http://", "https://", "ftp:", "//", "/", "registry.test", ":5000", ":0", ":x", "@", "[", "]", "?", "#", "a=%2F"
)
HOSTS = near("127.0.0.1", "::1", "::ffff:", "169.254.", "0x7f", "1", ".", "localhost", "64:ff9b::", "fe80::1%eth0")
RANGES = near("bytes ", "bytes=", "0-", "9-17", "/18", "*", "-", "0", "9" * 20, "5-17/18")
WAITS = near(
    *("5", "0", "-1", "1e9", "9" * 30, "nan", "Fri, ", "31 Dec 1999 ", "23:59:59 ", "GMT", "+9999", "-0000"),
    *("01 Jan 0001 00:00:00 -2359", "Mon, 01 Jan 99999 00:00:00 GMT"),
)
VERSIONS = near("v", "1", ".", "2.3", "-rc.1", "+build", ">=", "<", "^", "~", " - ", "||", "x", "*", "9" * 30)

SCALARS = st.sampled_from(
    [None, True, False, 0, 1, 2, 18, -1, 2**53, 2**70, 0.5, float("inf"), float("nan"), "", "a", "1", "\ud800", "\x00"]
    + [DIGEST, OTHER_DIGEST, "sha256:../../x", OCI_INDEX, "a/b", "token", "../x", "a" * 300, "\u00e9", "a\r\nb"]
)
KEYS = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "digest",
    "size",
    "urls",
]
KEYS += ["platform", "os", "architecture", "variant", "artifactType", "Layers", "fsLayers", "errors", "code", "message"]
KEYS += [
    "detail",
    "auths",
    "credHelpers",
    "credsStore",
    "auth",
    "username",
    "password",
    "identitytoken",
    "tags",
    "token",
]
KEYS += ["registrytoken", "expires_in", "access_token", "refresh_token", "registry.test:5000", "registry.test:5000/a"]
KEYS += ["repositories", "imageLayoutVersion", "config", "Labels", "Username", "Secret", REF_NAME, CONTAINERD_NAME]
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)),
    max_leaves=6,
)


def places(document: t.Any) -> t.Iterator[tuple[t.Any, t.Any]]:
    """Where something in a document can be replaced: its container and key."""
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in list(keys):
        yield document, key
        yield from places(document[key])


@st.composite
def bodies(draw: st.DrawFn, *models: t.Any) -> bytes:
    """JSON that is like one of the models but for a few places, or like nothing; or bytes that are no JSON."""
    document = json.loads(json.dumps(draw(st.sampled_from([*models, None]))))
    if document is None:
        document = draw(JSON)
    else:
        for _change in range(draw(st.integers(0, 2))):
            found = list(places(document))
            if found:
                container, key = draw(st.sampled_from(found))
                container[key] = draw(JSON)
    content = json.dumps(document).encode()
    how = draw(st.integers(0, 9))
    if how == 0:
        cut = draw(st.integers(0, len(content)))
        return content[:cut] + draw(st.binary(max_size=5)) + content[cut:]
    return draw(st.sampled_from([b"[" * 5000, b'{"a":' * 5000, b"\xef\xbb\xbf{}", b""])) if how == 1 else content


# Grammar -------------------------------------------------------------------------------------------------------------


@SETTINGS
@hypothesis.given(st.one_of(REFERENCES, SCALARS))
def test_references(text: t.Any) -> None:
    for check in (check_registry, check_repository, check_tag, check_platform):
        found = outcome(functools.partial(check, text))
        # YAML makes a number of some tags.
        assert isinstance(found, RegistryError) or found == str(text)
        if isinstance(text, str) and found == text:
            assert not set(text) & set("\r\n \\?#%@\x00") and ".." not in text.split("/")
    reference = outcome(lambda: parse_reference(text))
    if not isinstance(reference, RegistryError):
        assert parse_reference(str(reference)) == reference


@SETTINGS
@hypothesis.given(st.one_of(DIGESTS, SCALARS))
def test_digests(text: t.Any) -> None:
    found = outcome(lambda: check_digest(text))
    assert is_digest(text) is (found == text)
    if found == text:
        assert algorithm_of(text) in ("sha256", "sha512") and text.partition(":")[2].isalnum()


@SETTINGS
@hypothesis.given(VERSIONS, st.lists(VERSIONS, max_size=4))
def test_versions(text: str, tags: list[str]) -> None:
    found = outcome(lambda: Range(text))
    for tag in tags:
        version = parse_version(tag)
        if version is not None and isinstance(found, Range):
            assert (version in found) in (True, False)
    assert set(sorted_tags(tags)) == set(tags)


# Headers -------------------------------------------------------------------------------------------------------------


@SETTINGS
@hypothesis.given(st.lists(CHALLENGES, max_size=3), st.sampled_from(["password", "identity token", "nothing"]))
def test_challenges(headers: list[str], login: str) -> None:
    challenges = parse_challenges(headers)
    asked: list[str] = []

    def fetch(url: str, sent: t.Mapping[str, str], body: bytes | None) -> Answer:
        asked.append(url)
        return Answer(200, b'{"token": "x"}')

    credential = {"password": Credential("ci", "word"), "identity token": Credential(identity_token="x")}
    given = credential.get(login, ANONYMOUS)
    authenticator = Authenticator("registry.test", True, fetch)
    found = outcome(lambda: authenticator.learn(challenges, given))
    outcome(lambda: authenticator.header(given, Scopes.repository("a/b", "pull")))
    assert isinstance(found, (Scopes, RegistryError))
    for url in asked:
        assert origin_of(url.replace("#", "")).scheme == "https"
        assert login == "nothing" or origin_of(url).host == "registry.test"


@SETTINGS
@hypothesis.given(near("repository:", "a/b:", "pull", ",", "push", ":", "*", " "))
def test_scopes(text: str) -> None:
    found = Scopes.parse(text)
    assert Scopes.parse(str(found)) == found and found.covers(found)
    assert isinstance(found.main_repository, str)


@SETTINGS
@hypothesis.given(st.lists(LINKS, max_size=3))
def test_links(headers: list[str]) -> None:
    target = _pages._next_link(headers)
    found = outcome(lambda: resolve(f"{BASE}/v2/a/b/tags/list", target))
    assert isinstance(found, RegistryError) or origin_of(str(found)).scheme in ("http", "https")


@SETTINGS
@hypothesis.given(URLS, URLS)
def test_urls(base: str, location: str) -> None:
    outcome(lambda: origin_of(base))
    found = outcome(lambda: resolve(BASE + "/v2/", location))
    if isinstance(found, str):
        origin = origin_of(found)
        assert origin.scheme in ("http", "https") and origin.host and "@" not in found.partition("://")[2].split("/")[0]
        assert "?" not in without_query(found)
        assert with_digest(found, DIGEST).startswith(found)


@SETTINGS
@hypothesis.given(HOSTS)
def test_hosts(host: str) -> None:
    assert is_local_address(host) in (True, False)


@SETTINGS
@hypothesis.given(WAITS)
def test_waits(text: str) -> None:
    found = retry_after(text)
    assert found is None or found >= 0


class Headers(dict[str, str]):
    """As urllib3 has them."""

    def getlist(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


class Raw:
    """Stands in for an answer of urllib3."""

    def __init__(self, status: int, headers: t.Mapping[str, str]) -> None:
        self.status = status
        self.headers = Headers(headers)

    def close(self) -> None:
        """Nothing is open."""

    release_conn = close


class Replies(Transport):
    """A transport that gives one answer to everything."""

    def __init__(self) -> None:
        super().__init__(Endpoint("registry.test:5000", credentials=Credentials("r", (), given=ANONYMOUS)), Counters())
        self.answer: tuple[int, t.Mapping[str, str], bytes] = (200, {}, b"")

    def exchange(self, method: str, url: str, *arguments: t.Any, **options: t.Any) -> Response:
        status, headers, body = self.answer
        return Response(method, url if "://" in url else self.base + url, Raw(status, headers), body)

    def leads_astray(self, url: str) -> bool:
        return False


REPLIES = Replies()


def registry_that_answers(status: int, headers: t.Mapping[str, str], body: bytes) -> Registry:
    REPLIES.answer = (status, headers, body)
    return Registry(REPLIES, writing=True)


@FEWER
@hypothesis.given(
    st.sampled_from([200, 202, 206, 404, 416]),
    st.fixed_dictionaries(
        {},
        optional={
            "Content-Range": RANGES,
            "Range": RANGES,
            "Location": URLS,
            "Content-Length": RANGES,
            "OCI-Chunk-Min-Length": RANGES,
            "Docker-Content-Digest": DIGESTS,
            "Content-Type": near("application/", "json", ";", OCI_INDEX),
            "OCI-Subject": DIGESTS,
        },
    ),
)
def test_headers_of_answers(status: int, headers: dict[str, str]) -> None:
    registry = registry_that_answers(status, headers, b"{}")
    found = outcome(lambda: registry.get_blob("a/b", DIGEST, 9))
    if isinstance(found, tuple):
        assert found[1] in (0, 9)
    session = outcome(lambda: registry.start_upload("a/b"))
    if isinstance(session, UploadSession):
        assert session.received >= 0 and session.minimum_chunk >= 0
        assert origin_of(session.location).scheme == "https"
        outcome(lambda: registry.patch_upload(t.cast(UploadSession, session), b"abc"))
        outcome(lambda: registry.get_upload(t.cast(UploadSession, session)))
    size = outcome(lambda: registry.head_blob("a/b", DIGEST))
    assert size is None or isinstance(size, (int, RegistryError))
    described = outcome(lambda: registry.head_manifest("a/b", "1"))
    assert isinstance(described, (Descriptor, RegistryError)) or described is None
    assert not isinstance(described, Descriptor) or is_digest(described.digest)


# Documents -----------------------------------------------------------------------------------------------------------

ENTRY = {"mediaType": OCI_INDEX, "digest": DIGEST, "size": 18, "platform": {"os": "linux", "architecture": "arm64"}}
NAMED = {**ENTRY, "annotations": {REF_NAME: "team/app:1", CONTAINERD_NAME: "docker.io/team/app:1"}}


@FEWER
@hypothesis.given(
    bodies(image(), image(subject=ENTRY), index(ENTRY), index(NAMED, ENTRY)), st.sampled_from(["", OCI_INDEX])
)
def test_manifests(content: bytes, content_type: str) -> None:
    found = outcome(lambda: Manifest.parse(content, content_type))
    describe_content(content)
    if isinstance(found, Manifest):
        assert found.content == content
        outcome(lambda: found.subject)
        outcome(lambda: found.config)
        assert found.artifact_type is not None and isinstance(found.annotations, dict)
        for part in (*found.children(), *found.layers(), *blobs_of([found])):
            assert is_digest(part.digest) and part.size >= 0
            read_names(part.annotations)
        platforms_of(found, {})


@FEWER
@hypothesis.given(JSON)
def test_configs(document: t.Any) -> None:
    if isinstance(document, dict):
        assert isinstance(labels_of(document), dict)
        platforms_of(Manifest.parse(json.dumps(image()).encode()), document)


LISTS = ({"tags": ["1", "latest"], "repositories": ["a/b"]}, index(ENTRY), {"tags": None, "repositories": None})


@FEWER
@hypothesis.given(
    st.sampled_from([200, 400, 401, 403, 404, 500]), bodies({"errors": [{"code": "X", "detail": {}}]}, *LISTS)
)
def test_lists_and_errors(status: int, body: bytes) -> None:
    response = Response("GET", BASE + "/v2/?secret", Raw(status, {}), body)
    error = response.error()
    assert "secret" not in str(error) and "\n" not in str(error) and isinstance(error.facts(), dict)
    assert response.is_temporary() in (True, False)
    registry = registry_that_answers(status, {"Content-Type": OCI_INDEX}, body)
    for call in (
        lambda: registry.list_tags("a/b"),
        registry.list_repositories,
        lambda: registry.list_referrers("a/b", DIGEST),
    ):
        outcome(call)


@FEWER
@hypothesis.given(
    bodies({"token": "abc", "expires_in": 300, "refresh_token": "x"}), st.sampled_from([200, 401, 403, 500])
)
def test_answers_of_token_servers(body: bytes, status: int) -> None:
    for credential in (Credential("ci", "word"), Credential(identity_token="x")):
        authenticator = Authenticator("registry.test", True, lambda url, headers, sent: Answer(status, body))
        authenticator.learn(parse_challenges(['Bearer realm="https://registry.test/token"']), credential)
        found = outcome(lambda: authenticator.header(credential, Scopes.repository("a/b", "pull")))  # noqa: B023
        assert isinstance(found, RegistryError) or not set(str(found)) & set("\r\n")


AUTH = base64.b64encode(b"ci:word").decode()
AUTH_FILES = (
    {"auths": {"registry.test:5000": {"auth": AUTH}, "registry.test:5000/a": {"username": "ci", "password": "x"}}},
    {"auths": {"registry.test:5000": {"auth": "\u00e9"}}},
    {"auths": {"registry.test:5000": {"identitytoken": "x"}}, "credsStore": "pass"},
    {"auths": {}, "credHelpers": {"registry.test:5000": "../x"}},
    {"registry.test:5000": {"auth": AUTH}},
)


@FEWER
@hypothesis.given(bodies(*AUTH_FILES), st.booleans())
def test_auth_files(content: bytes, legacy: bool) -> None:
    hypothesis.assume(b"\x00" not in content)
    os.environb[b"AUTH_OF_THE_TESTS"] = content
    place = Place("", "AUTH_OF_THE_TESTS", is_text=True, is_legacy=legacy)
    found = outcome(place.read)
    assert isinstance(found, (AuthFile, RegistryError))
    if isinstance(found, AuthFile):
        credential = outcome(functools.partial(found.find, "registry.test:5000", "a/b", lambda helper: None))
        if isinstance(credential, Credential):
            assert credential.is_text and all(isinstance(secret, str) for secret in credential.secrets)
    outcome(lambda: read_helper(content, "a helper", Credential()))


@FEWER
@hypothesis.given(bodies(index(NAMED), index(NAMED, ENTRY), {"imageLayoutVersion": "1.0.0"}), REFERENCES, REFERENCES)
def test_layouts(content: bytes, repository: str, tag: str) -> None:
    outcome(lambda: check_layout(content, "path"))
    found = outcome(lambda: LayoutIndex(content, "path"))
    if isinstance(found, LayoutIndex):
        for call in (lambda: found.find(repository, tag), lambda: found.named(tag), found.unnamed, found.encoded):
            outcome(call)
        for entry in found.entries:
            assert is_digest(entry.digest)
    for name in read_names({REF_NAME: tag, CONTAINERD_NAME: repository}):
        assert ".." not in name.repository.split("/") and not set(name.tag) & set("/\\")


def archive(names: list[str], kind: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as written:
        for name in names:
            member = tarfile.TarInfo(name.encode("utf-8", "replace").decode("utf-8"))
            member.type, member.size, member.linkname = kind, 5 if kind == tarfile.REGTYPE else 0, "../../etc/passwd"
            written.addfile(member, io.BytesIO(b"12345"))
    return stream.getvalue()


NAMES = near("oci-layout", "index.json", "blobs/sha256/", "./", "/", "a" * 64, "a" * 200)


@FEWER
@hypothesis.given(
    st.lists(NAMES, max_size=3),
    st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]),
    st.lists(st.tuples(st.integers(0, 1535), st.integers(0, 255)), max_size=4),
    st.integers(0, 3000),
)
def test_archives(names: list[str], kind: bytes, changes: list[tuple[int, int]], length: int) -> None:
    content = bytearray(archive(names, kind))
    for place, value in changes:
        content[place] = value
    with tempfile.TemporaryFile() as file:
        file.write(content[:length] if length % 3 == 0 else content)
        file.seek(0)
        found = outcome(lambda: read_members(file, "path"))
    if isinstance(found, dict):
        for member in found.values():
            assert 0 <= member.offset <= len(content) and member.size >= 0


def test_what_is_drawn_is_right_now_and_then() -> None:
    """Parsers that only ever see what is wrong aren't tried."""
    good = {"manifest": 0, "auth file": 0, "reference": 0, "challenge": 0}

    @FEWER
    @hypothesis.given(bodies(image(), index(ENTRY)), bodies(*AUTH_FILES), REFERENCES, CHALLENGES)
    def count(manifest: bytes, auth_file: bytes, reference: str, challenge: str) -> None:
        good["manifest"] += isinstance(outcome(lambda: Manifest.parse(manifest)), Manifest)
        good["reference"] += not isinstance(outcome(lambda: parse_reference(reference)), RegistryError)
        good["challenge"] += bool(parse_challenges([challenge]))
        if b"\x00" not in auth_file:
            os.environb[b"AUTH_OF_THE_TESTS"] = auth_file
            place = Place("", "AUTH_OF_THE_TESTS", is_text=True)
            good["auth file"] += not isinstance(outcome(place.read), RegistryError)

    count()
    assert min(good.values()) >= 3, good


@pytest.fixture(autouse=True, scope="module")
def _no_files_of_hypothesis(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It would put what it knows of the code into the directory that the tests run in."""
    set_hypothesis_home_dir(tmp_path_factory.mktemp("hypothesis"))


@pytest.fixture(autouse=True)
def _clean_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_OF_THE_TESTS", "")
