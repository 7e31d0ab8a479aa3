# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked about blobs, and in which order; that they arrive is tested in test__transfer.py."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_group import BlobGroup
from ansible_collections.imageops.registry.plugins.module_utils._blobs._missing_repositories import MissingRepositories
from ansible_collections.imageops.registry.plugins.module_utils._blobs._placement import BlobPlacement
from ansible_collections.imageops.registry.plugins.module_utils._blobs._transfer import ContentSource
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    ContentMismatch,
    RegistryError,
    UnexpectedAnswer,
)
from ansible_collections.imageops.registry.plugins.module_utils._registry._registry import Registry
from ansible_collections.imageops.registry.plugins.module_utils._run._parallel import StepGraph
from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress
from ansible_collections.imageops.registry.tests.unit.support.documents import transport
from ansible_collections.imageops.registry.tests.unit.support.scripted_server import ScriptedServer

CONTENT = {compute_digest(bytes(size)): bytes(size) for size in (1, 2, 3)}
SMALL, MIDDLE, LARGE = CONTENT
UNKNOWN = json.dumps({"errors": [{"code": "NAME_UNKNOWN", "message": "no such repository"}]}).encode()


def head(digest: str, repository: str = "a") -> str:
    return f"/v2/{repository}/blobs/{digest}"


def own_mount(digest: str) -> str:
    return f"/v2/a/blobs/uploads/?mount={digest.replace(':', '%3A')}&from=a"


def put(digest: str, session: str) -> str:
    return f"{session}&digest={digest.replace(':', '%3A')}"


def expect_upload(server: ScriptedServer, digest: str) -> None:
    server.expect("POST", "/v2/a/blobs/uploads/", 202, headers={"Location": "/u?s=1"})
    server.expect("PUT", put(digest, "/u?s=1"), 201)


def place(
    server: ScriptedServer,
    *,
    check: bool = False,
    mount_from: tuple[str, ...] = (),
    replace: t.Iterable[str] = (),
    **options: t.Any,
) -> list[t.Any]:
    destination = Registry(transport(server.host, retries=0, jobs=1), writing=True)
    graph = StepGraph()
    blobs = tuple((digest, len(content)) for digest, content in CONTENT.items())
    group = BlobGroup("a", "", mount_from, blobs, frozenset(replace))
    placement = BlobPlacement(
        destination,
        lambda group, digest: ContentSource(CONTENT[digest]),
        check=check,
        progress=Progress(),
        **options,
    )
    steps = placement.add_to(graph, [group])
    graph.run(1)
    return [type(step.outcome) if isinstance(step.outcome, RegistryError) else step.outcome.action for step in steps]


def test_in_a_repository_that_is_not_there_only_the_largest_is_looked_for(server: ScriptedServer) -> None:
    server.expect("HEAD", head(LARGE), 404).expect("GET", "/v2/a/tags/list?n=1", 404, UNKNOWN)
    expect_upload(server, LARGE)
    server.expect("POST", own_mount(MIDDLE), 202, headers={"Location": "/u?s=2"}).expect(
        "PUT", put(MIDDLE, "/u?s=2"), 201
    )
    # What a run left there that was cut off is found by the way.
    server.expect("POST", own_mount(SMALL), 201)
    assert place(server) == ["exists", "upload", "upload"]


def test_where_a_mount_from_the_repository_itself_fails_it_is_not_tried_again(server: ScriptedServer) -> None:
    server.expect("HEAD", head(LARGE), 404).expect("GET", "/v2/a/tags/list?n=1", 404, UNKNOWN)
    expect_upload(server, LARGE)
    server.expect("POST", own_mount(MIDDLE), 404)
    server.expect("HEAD", head(MIDDLE), 404)
    expect_upload(server, MIDDLE)
    server.expect("HEAD", head(SMALL), 200, CONTENT[SMALL])
    assert place(server) == ["exists", "upload", "upload"]


def test_a_repository_that_is_there_is_looked_through(server: ScriptedServer) -> None:
    server.expect("HEAD", head(LARGE), 404).expect("GET", "/v2/a/tags/list?n=1", 200, b'{"tags": ["1"]}')
    expect_upload(server, LARGE)
    server.expect("HEAD", head(MIDDLE), 200, CONTENT[MIDDLE]).expect("HEAD", head(SMALL), 200, CONTENT[SMALL])
    assert place(server) == ["exists", "exists", "upload"]


def test_a_repository_that_has_the_largest_is_there(server: ScriptedServer) -> None:
    for digest in (LARGE, MIDDLE, SMALL):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    assert place(server) == ["exists", "exists", "exists"]


def test_what_is_presumed_missing_is_not_looked_for_but_in_check_mode(server: ScriptedServer) -> None:
    for digest in (LARGE, MIDDLE):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    server.expect("POST", own_mount(SMALL), 202, headers={"Location": "/u?s=1"}).expect(
        "PUT", put(SMALL, "/u?s=1"), 201
    )
    assert place(server, presumed_missing={("a", SMALL)}) == ["upload", "exists", "exists"]
    for digest in (LARGE, MIDDLE, SMALL):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    assert place(server, check=True, presumed_missing={("a", SMALL)}) == ["exists", "exists", "exists"]


def test_what_is_damaged_is_sent_without_a_look_and_not_mounted(server: ScriptedServer) -> None:
    for digest in (LARGE, MIDDLE):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    expect_upload(server, SMALL)
    server.expect("HEAD", head(SMALL), 200, CONTENT[SMALL]).expect("GET", head(SMALL), 200, CONTENT[SMALL])
    assert place(server, replace={SMALL}, mount_from=("b",)) == ["upload", "exists", "exists"]
    for digest in (LARGE, MIDDLE):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    assert place(server, check=True, replace={SMALL}, mount_from=("b",)) == ["upload", "exists", "exists"]


def test_a_registry_that_keeps_its_damaged_copy_is_found_out(server: ScriptedServer) -> None:
    for digest in (LARGE, MIDDLE):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    expect_upload(server, SMALL)
    server.expect("HEAD", head(SMALL), 200, CONTENT[SMALL]).expect("GET", head(SMALL), 200, b"?")
    assert place(server, replace={SMALL}) == [ContentMismatch, "exists", "exists"]


def two_new(server: ScriptedServer) -> tuple[Registry, MissingRepositories]:
    """A registry that has neither of two repositories, and what is presumed after the first, b, was looked into."""
    server.expect("GET", "/v2/b/tags/list?n=1", 404, UNKNOWN)
    destination = Registry(transport(server.host, retries=0, jobs=1), writing=True)
    missing = MissingRepositories(destination)
    missing.consider(["a", "b"])
    assert missing.look("b", lambda: None) is None
    return destination, missing


def place_by(
    destination: Registry,
    missing: MissingRepositories,
    *,
    check: bool = False,
    sizes: t.Mapping[str, int] | None = None,
) -> list[t.Any]:
    graph = StepGraph()
    blobs = tuple((digest, (sizes or {}).get(digest, len(content))) for digest, content in CONTENT.items())
    placement = BlobPlacement(
        destination,
        lambda group, digest: ContentSource(CONTENT[digest]),
        check=check,
        progress=Progress(),
        missing=missing,
    )
    steps = placement.add_to(graph, [BlobGroup("a", "", (), blobs)])
    graph.run(1)
    return [type(step.outcome) if isinstance(step.outcome, RegistryError) else step.outcome.action for step in steps]


def expect_own_upload(server: ScriptedServer, digest: str, session: str) -> None:
    server.expect("POST", own_mount(digest), 202, headers={"Location": session})
    server.expect("PUT", put(digest, session), 201)


def test_in_a_repository_that_is_presumed_to_be_missing_nothing_small_is_looked_for(server: ScriptedServer) -> None:
    destination, missing = two_new(server)
    for number, digest in enumerate((LARGE, MIDDLE, SMALL)):
        expect_own_upload(server, digest, f"/u?s={number}")
    assert place_by(destination, missing) == ["upload"] * 3


def test_what_is_there_after_all_is_not_sent_and_nothing_is_presumed_any_more(server: ScriptedServer) -> None:
    destination, missing = two_new(server)
    server.expect("POST", own_mount(LARGE), 201)
    # From now on, the registry is asked.
    server.expect("GET", "/v2/a/tags/list?n=1", 200, b'{"tags": ["1"]}')
    server.expect("HEAD", head(MIDDLE), 200, CONTENT[MIDDLE]).expect("HEAD", head(SMALL), 200, CONTENT[SMALL])
    assert place_by(destination, missing) == ["exists"] * 3
    assert not missing.presumes("a")


def test_what_is_large_is_looked_for_wherever_it_goes(server: ScriptedServer) -> None:
    destination, missing = two_new(server)
    server.expect("HEAD", head(LARGE), 200, headers={"Content-Length": str(2 * 1024**2)})
    expect_own_upload(server, MIDDLE, "/u?s=1")
    expect_own_upload(server, SMALL, "/u?s=2")
    assert place_by(destination, missing, sizes={LARGE: 2 * 1024**2}) == ["upload", "upload", "exists"]


def test_what_is_large_is_looked_for_although_the_largest_is_not_there(server: ScriptedServer) -> None:
    destination, missing = two_new(server)
    sizes = {LARGE: 3 * 1024**2, MIDDLE: 2 * 1024**2}
    # Of the repository itself it is asked whether it is there: to send so much in vain takes longer.
    server.expect("HEAD", head(LARGE), 404).expect("GET", "/v2/a/tags/list?n=1", 200, b'{"tags": ["1"]}')
    server.expect("POST", "/v2/a/blobs/uploads/", 500)
    server.expect("HEAD", head(MIDDLE), 200, headers={"Content-Length": str(sizes[MIDDLE])})
    server.expect("HEAD", head(SMALL), 200, CONTENT[SMALL])
    assert place_by(destination, missing, sizes=sizes) == ["exists", "exists", UnexpectedAnswer]
    assert not missing.presumes("a")


def test_check_mode_looks_at_all_whatever_is_presumed(server: ScriptedServer) -> None:
    destination, missing = two_new(server)
    for digest in (LARGE, MIDDLE, SMALL):
        server.expect("HEAD", head(digest), 200, CONTENT[digest])
    assert place_by(destination, missing, check=True) == ["exists"] * 3
