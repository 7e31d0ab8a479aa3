# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault proxy of the harness: that what it doesn't change passes, and that every fault does what it says."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import failures
import media_types
import moves
import requests
from probe import ABSENT, BY_DIGEST, DIGEST, ENTRY, IMAGE, KIB, MANIFEST, REPOSITORY, TAGS, UPLOADS, Client
from runs import CONFIG, REGISTRIES, Failed, check, harness, main, mark, requests_since, seed, state_at

from fault_proxy import FaultProxy
from faults import FAULTS
from faults.base import MANIFEST_TYPES

REFERRER = seed("faulty", "referrer", "proxy")


def nothing(client: Client) -> None:
    manifest = client.ask("GET", MANIFEST, 200)
    check(manifest.headers[DIGEST] == IMAGE["digest"], "the digest of the manifest")
    blob = IMAGE["blobs"][0]
    head = client.ask("HEAD", f"/v2/{REPOSITORY}/blobs/{blob['digest']}", 200)
    check(int(head.headers["Content-Length"]) == blob["size"], "the length that HEAD says")
    part = client.ask("GET", f"/v2/{REPOSITORY}/blobs/{blob['digest']}", 206, headers={"Range": "bytes=1-4"})
    check(len(part.content) == 4, "a range")
    content = secrets.token_bytes(300 * KIB)
    location = client.session()
    check(location.startswith(f"http://{client.proxy.address}/"), f"the session is elsewhere: {location}")
    client.finish(location, content, content, 201)
    seen = client.proxy.requests[-1]
    check((seen["method"], seen["status"], seen["faults"]) == ("PUT", 201, []), f"the log says {seen}")


def delay(client: Client) -> None:
    # No upper limit: the machine may be slow.
    started = time.monotonic()
    client.ask("HEAD", MANIFEST, 200)
    check(time.monotonic() - started >= 4 * 0.02, "two round trips of 40 ms took less")


def no_digest_header(client: Client) -> None:
    check(DIGEST not in client.ask("HEAD", MANIFEST, 200).headers, "the digest is told")
    client.ask("HEAD", ABSENT, 404)


def absent_is_denied(client: Client) -> None:
    check(client.codes("GET", ABSENT, 403) == ["DENIED"], "the code")
    client.ask("HEAD", ABSENT, 403)
    client.ask("GET", MANIFEST, 200)
    client.proxy.switch("absent-is-denied=401")
    check("WWW-Authenticate" in client.ask("GET", ABSENT, 401).headers, "a 401 without a challenge")


def html_errors(client: Client) -> None:
    answer = client.ask("GET", ABSENT, 404)
    check(answer.text.startswith("<!DOCTYPE") and "html" in answer.headers["Content-Type"], "no page in HTML")


def html_pages(client: Client) -> None:
    for target in (MANIFEST, TAGS, ABSENT):
        check(client.ask("GET", target, 200).text.startswith("<!DOCTYPE"), f"{target} is not in HTML")


def head_absent(client: Client) -> None:
    blob = f"/v2/{REPOSITORY}/blobs/{IMAGE['blobs'][0]['digest']}"
    for choice, statuses in (("", (404, 404)), ("=manifest", (404, 200)), ("=blob", (200, 404))):
        client.proxy.switch(f"head-absent{choice}")
        for target, status in zip((MANIFEST, blob), statuses):
            client.ask("HEAD", target, status)
            client.ask("GET", target, 200)


def head_refused(client: Client) -> None:
    client.ask("HEAD", MANIFEST, 501)
    client.ask("GET", MANIFEST, 200)


def signed_for_get(client: Client) -> None:
    blob = f"/v2/{REPOSITORY}/blobs/{IMAGE['blobs'][0]['digest']}"
    location = client.ask("HEAD", blob, 307).headers["Location"]
    check(location.startswith("http://127.0.0.1:"), f"it leads to {location}")
    check("Code" not in client.ask("HEAD", location, 403).headers, "a code in the head")
    check(DIGEST not in client.ask("GET", location, 200).headers, "the storage knows the digest")
    client.proxy.switch("signed-for-get=lost")
    client.ask("GET", client.ask("GET", blob, 307).headers["Location"], 404)


def repository_must_exist(client: Client) -> None:
    check(client.codes("POST", "/v2/proxy/new/blobs/uploads/", 404) == ["NAME_UNKNOWN"], "the code")
    client.session()
    client.proxy.switch("repository-must-exist=403")
    check(client.codes("POST", "/v2/proxy/new/blobs/uploads/", 403) == ["DENIED"], "the code")


def mount_refused(client: Client) -> None:
    mount = f"/v2/proxy/other/blobs/uploads/?mount={IMAGE['blobs'][0]['digest']}&from={REPOSITORY}"
    client.ask("POST", mount, 401)
    client.proxy.switch("mount-refused=500")
    client.ask("POST", mount, 500)
    client.proxy.switch("mount-refused=202")
    client.ask("POST", mount, 202)
    client.proxy.switch("")
    client.ask("POST", mount, 201)


def range_stands_still(client: Client) -> None:
    content = secrets.token_bytes(96 * KIB)
    parts = [content[begin : begin + 32 * KIB] for begin in range(0, len(content), 32 * KIB)]
    for argument, status in (("taken", 201), ("silent", 201), ("dropped", 400)):
        client.proxy.switch(f"range-stands-still={argument}")
        location = client.session()
        for number, part in enumerate(parts):
            answer = client.patch(location, part, number * 32 * KIB, 201)
            check(answer.headers["Range"] == f"0-{32 * KIB - 1}", f"the range is {answer.headers['Range']}")
            location = answer.headers["Location"]
        received = 96 * KIB if argument == "taken" else 32 * KIB
        said = client.ask("GET", location, 204).headers["Range"]
        check(said == f"0-{received - 1}", f"the range of the session is {said}")
        client.finish(location, b"", content, status)


def chunk_minimum(client: Client) -> None:
    answer = client.ask("POST", UPLOADS, 202)
    check(answer.headers["OCI-Chunk-Min-Length"] == "1000", "the minimum is not told")
    content = secrets.token_bytes(3000)
    location = client.patch(answer.headers["Location"], content[:1000], 0, 202).headers["Location"]
    location = client.patch(location, content[1000:1999], 1000, 202).headers["Location"]
    check(client.patch(location, content[1999:], 1999, 400).json()["errors"][0]["code"] == "SIZE_INVALID", "the code")


def chunk_maximum(client: Client) -> None:
    content = secrets.token_bytes(3000)
    client.patch(client.session(), content, 0, 416)
    client.finish(client.session(), content, content, 201)


def no_chunks(client: Client) -> None:
    content = secrets.token_bytes(3000)
    client.patch(client.session(), content, 0, 405)
    client.finish(client.session(), content, content, 201)


def body_limit(client: Client) -> None:
    content = secrets.token_bytes(3000)
    check("413" in client.finish(client.session(), content, content, 413).text, "the page")
    location = client.session()
    for begin in range(0, 3000, 1000):
        location = client.patch(location, content[begin : begin + 1000], begin, 202).headers["Location"]
    client.finish(location, b"", content, 201)


def immutable_tags(client: Client) -> None:
    expected = {"ecr": 400, "harbor": 412, "gar": 400, "quay": 409, "acr": 405, "artifactory": 403}
    for form, status in expected.items():
        client.proxy.switch(f"immutable-tags={form}")
        client.tag(IMAGE["tag"], status)
        client.tag(f"new-{secrets.token_hex(4)}", 201)


def opaque_pages(client: Client) -> None:
    for form in ("relative", "absolute", "query"):
        client.proxy.switch("")
        whole = client.ask("GET", TAGS, 200).json()["tags"]
        client.proxy.switch(f"opaque-pages={form}")
        found: list[str] = []
        target = TAGS
        while target:
            answer = client.ask("GET", target, 200)
            found += answer.json()["tags"]
            target = ""
            if "Link" in answer.headers:
                link = answer.headers["Link"].partition(">")[0].lstrip("<")
                target = requests.compat.urljoin(answer.url, link)
        check(len(whole) > 4 and found == whole, f"{found} are listed, not {whole}")
        client.ask("GET", TAGS + "?next_page=guessed", 400)


def endless_pages(client: Client) -> None:
    links = [client.ask("GET", TAGS, 200).headers["Link"] for _time in range(2)]
    check(links[0] != links[1], "the same link twice")
    client.proxy.switch("endless-pages=same")
    links = [client.ask("GET", TAGS, 200).headers["Link"] for _time in range(2)]
    check(links[0] == links[1], "two links")


def null_tags(client: Client) -> None:
    check(client.ask("GET", "/v2/proxy/none/tags/list", 200).json()["tags"] is None, "there are tags")
    check(bool(client.ask("GET", TAGS, 200).json()["tags"]), "there are no tags")


def deletes_off(client: Client) -> None:
    check(client.codes("DELETE", BY_DIGEST, 405) == ["UNSUPPORTED"], "the code")
    client.proxy.switch("deletes-off=403")
    client.ask("DELETE", f"/v2/{REPOSITORY}/blobs/{IMAGE['blobs'][0]['digest']}", 403)
    client.proxy.switch("")
    client.ask("GET", BY_DIGEST, 200)


def delete_untagged_only(client: Client) -> None:
    check(client.codes("DELETE", BY_DIGEST, 400) == ["GOOGLE_MANIFEST_DANGLING_TAG"], "the code")
    client.ask("GET", BY_DIGEST, 200)


def tag_refused(client: Client) -> None:
    for status in (201, 403, 201):
        client.tag(f"new-{secrets.token_hex(4)}", status)


def tag_taken(client: Client) -> None:
    client.proxy.switch("")
    client.tag("taken", 201)
    client.proxy.switch("tag-taken")
    name = f"new-{secrets.token_hex(4)}"
    client.tag(name, 429)
    client.ask("GET", f"/v2/{REPOSITORY}/manifests/{name}", 200)
    client.tag(name, 201)


def referrers_api(client: Client) -> None:
    artifact = next(entry for entry in REFERRER if entry["kind"] == "referrer")
    content = client.ask("GET", f"/v2/{artifact['repository']}/manifests/{artifact['digest']}", 200).content
    subject = json.loads(content)["subject"]["digest"]
    path = f"/v2/{artifact['repository']}/referrers/{subject}"
    answer = client.ask("GET", path, 200)
    entry = next(found for found in answer.json()["manifests"] if found["digest"] == artifact["digest"])
    check(entry["size"] == len(content) and answer.headers["Content-Type"].endswith("index.v1+json"), f"{entry}")
    filtered = client.ask("GET", f"{path}?artifactType=none/such", 200)
    check(filtered.json()["manifests"] == [] and "OCI-Filters-Applied" in filtered.headers, "not filtered")
    target = f"/v2/{artifact['repository']}/manifests/{artifact['digest']}"
    pushed = client.ask("PUT", target, 201, data=content, headers={"Content-Type": json.loads(content)["mediaType"]})
    check(pushed.headers["OCI-Subject"] == subject, "no OCI-Subject")
    client.proxy.switch("referrers-api=unfiltered")
    check(bool(client.ask("GET", f"{path}?artifactType=none/such", 200).json()["manifests"]), "filtered")
    client.proxy.switch("")
    client.ask("GET", path, 404)


def referrer_lists(client: Client) -> tuple[str, bytes, str, str]:
    """An artifact: its repository, its bytes, and where it and the list of its subject are."""
    artifact = next(entry for entry in REFERRER if entry["kind"] == "referrer")
    target = f"/v2/{artifact['repository']}/manifests/{artifact['digest']}"
    content = client.ask("GET", target, 200).content
    subject = json.loads(content)["subject"]["digest"]
    return subject, content, target, f"/v2/{artifact['repository']}/referrers/{subject}"


def push_referrer(client: Client, target: str, content: bytes) -> str:
    """Push it again. Returns what the answer says of its subject."""
    answer = client.ask("PUT", target, 201, data=content, headers={"Content-Type": json.loads(content)["mediaType"]})
    return str(answer.headers.get("OCI-Subject", ""))


def referrers_empty(client: Client) -> None:
    subject, content, target, path = referrer_lists(client)
    check(client.ask("GET", path, 200).json()["manifests"] == [], "something is listed")
    check(push_referrer(client, target, content) == "", "OCI-Subject")
    client.proxy.switch("referrers-empty=promised")
    check(push_referrer(client, target, content) == subject, "no OCI-Subject")


def referrers_promised(client: Client) -> None:
    subject, content, target, path = referrer_lists(client)
    check(push_referrer(client, target, content) == subject, "no OCI-Subject")
    client.ask("GET", path, 404)


def referrers_lost(client: Client) -> None:
    _subject, content, target, path = referrer_lists(client)
    digest = target.rpartition("/")[2]

    def is_listed() -> bool:
        return digest in [entry["digest"] for entry in client.ask("GET", path, 200).json()["manifests"]]

    expectations = {"once": [False, True], "seeded": [True, True], "first": [False, False], "racing": [True, True]}
    for choice, expected in expectations.items():
        client.proxy.switch(f"referrers-lost={choice}+referrers-api")
        found = []
        for _time in range(2):
            push_referrer(client, target, content)
            found.append(is_listed())
        check(found == expected, f"{choice}: {found}")


def referrers_mistyped(client: Client) -> None:
    _subject, content, _target, path = referrer_lists(client)
    client.proxy.switch("referrers-mistyped+referrers-api")
    own = json.loads(content)["artifactType"]
    types = {entry["artifactType"] for entry in client.ask("GET", path, 200).json()["manifests"]}
    check(types == {"application/vnd.oci.empty.v1+json"}, f"the types are {types}")
    filtered = client.ask("GET", f"{path}?artifactType={own}", 200)
    check(filtered.json()["manifests"] == [] and "OCI-Filters-Applied" in filtered.headers, "not filtered")
    client.proxy.switch("referrers-mistyped=none+referrers-api")
    check("artifactType" not in client.ask("GET", path, 200).text, "there are types")


def referrers_denied(client: Client) -> None:
    _subject, _content, _target, path = referrer_lists(client)
    check("WWW-Authenticate" not in client.ask("GET", path, 401).headers, "a challenge")
    client.proxy.switch("referrers-denied=403")
    check(client.codes("GET", path, 403) == ["DENIED"], "the code")


def referrers_tag_refused(client: Client) -> None:
    subject, _content, _target, _path = referrer_lists(client)
    repository = next(entry["repository"] for entry in REFERRER if entry["kind"] == "referrer")
    tag = f"/v2/{repository}/manifests/{subject.replace(':', '-')}"
    check(client.codes("GET", tag, 400) == ["TAG_INVALID"], "the code")
    client.proxy.switch("referrers-tag-refused=412")
    client.ask("HEAD", tag, 412)


def referrers_malformed(client: Client) -> None:
    _subject, _content, _target, path = referrer_lists(client)
    check(client.ask("GET", path, 200).content == b"", "a body")
    client.proxy.switch("referrers-malformed=page")
    check("Log in" in client.ask("GET", path, 200).text, "no page")
    client.proxy.switch("referrers-malformed=entry+referrers-api")
    entries = client.ask("GET", path, 200).json()["manifests"]
    check(len(entries) > 1 and list(entries[0]) == ["digest"], f"the entries are {entries}")


def referrers_failing(client: Client) -> None:
    _subject, content, target, path = referrer_lists(client)
    check(client.codes("GET", path, 500) == ["UNKNOWN"], "the code")
    push_referrer(client, target, content)
    client.ask("GET", path, 200)


def referrers_late(client: Client) -> None:
    _subject, content, target, path = referrer_lists(client)
    digest = target.rpartition("/")[2]
    check(digest in client.ask("GET", path, 200).text, "it is not listed before")
    push_referrer(client, target, content)
    check(digest not in client.ask("GET", path, 200).text, "it is listed at once")


# In this order: the lists need the tags that were made before.
ROWS: dict[str, Callable[[Client], None]] = {
    "": nothing,
    "delay=20": delay,
    "no-digest-header": no_digest_header,
    "absent-is-denied": absent_is_denied,
    "html-errors": html_errors,
    "html-pages": html_pages,
    "head-absent": head_absent,
    "head-refused=501": head_refused,
    "signed-for-get": signed_for_get,
    "repository-must-exist": repository_must_exist,
    "mount-refused": mount_refused,
    "range-stands-still": range_stands_still,
    "chunk-minimum=1000": chunk_minimum,
    "chunk-maximum=1000": chunk_maximum,
    "no-chunks": no_chunks,
    "body-limit=1000": body_limit,
    "immutable-tags": immutable_tags,
    "opaque-pages": opaque_pages,
    "endless-pages": endless_pages,
    "null-tags": null_tags,
    "deletes-off": deletes_off,
    "delete-untagged-only": delete_untagged_only,
    "tag-refused=2": tag_refused,
    "tag-taken": tag_taken,
    "referrers-api": referrers_api,
    **media_types.ROWS,
    "referrers-empty": referrers_empty,
    "referrers-promised": referrers_promised,
    "referrers-lost+referrers-api": referrers_lost,
    "referrers-mistyped+referrers-api": referrers_mistyped,
    "referrers-denied": referrers_denied,
    "referrers-tag-refused": referrers_tag_refused,
    "referrers-malformed+referrers-api": referrers_malformed,
    "referrers-failing+referrers-api": referrers_failing,
    "referrers-late+referrers-api": referrers_late,
    **failures.ROWS,
    **moves.ROWS,
}


def every_fault() -> None:
    names = [_first_of(faults) for faults in ROWS]
    check(sorted(names) == ["", *sorted(FAULTS)], f"without a row: {set(FAULTS) - set(names)}")
    with FaultProxy(f"http://{ENTRY['inner_address']}", storage=ENTRY["storage"]) as proxy:
        for faults, row in ROWS.items():
            proxy.switch(faults)
            del proxy.requests[:]
            row(Client(proxy))
            names = {part.partition("=")[0] for part in faults.split("+")}
            acted = {fault for seen in proxy.requests for fault in seen["faults"]}
            check(names <= {"", "delay"} or acted == names, f"{faults}: the log names {acted}")


def _first_of(faults: str) -> str:
    """The name of the fault that a row is about; others may stand behind it."""
    return faults.partition("+")[0].partition("=")[0]


def several_faults() -> None:
    with FaultProxy(f"http://{ENTRY['inner_address']}", "html-errors+immutable-tags=harbor") as proxy:
        check("<h1>412" in Client(proxy).tag(IMAGE["tag"], 412).text, "the faults do not go together")


def flat_memory() -> None:
    """A blob passes in pieces: the registry has its first bytes before the client has sent its last."""
    begun, size = threading.Event(), 1024 * KIB

    def pieces() -> Iterator[bytes]:
        yield bytes(size // 2)
        check(begun.wait(20), "nothing passed before the whole was there")
        yield bytes(size // 2)

    class Body:
        def __len__(self) -> int:
            return size

        def __iter__(self) -> Iterator[bytes]:
            return pieces()

    with FaultProxy(f"http://{ENTRY['inner_address']}") as proxy:
        client = Client(proxy)
        location = client.session()
        upstream = proxy._server.upstream
        pass_on = upstream.exchange

        def watched(method, target, headers, body):
            def first(pieces: Iterator[bytes]) -> Iterator[bytes]:
                for piece in pieces:
                    yield piece
                    begun.set()

            original = body.pieces
            body.pieces = lambda: first(original())
            return pass_on(method, target, headers, body)

        upstream.exchange = watched
        whole = bytes(size)
        client.finish(location, Body(), whole, 201)


def switched_at_run_time() -> None:
    """The proxies that run for all targets: with TLS and tokens, switched by a command."""
    entry = REGISTRIES["faulty-token"]
    state = CONFIG["registries_state"]
    image = seed("faulty-token", "single", "proxy", images=1)[0]
    url = f"https://{entry['address']}/v2/{image['repository']}/manifests/"
    moment = mark()
    with requests.Session() as session:
        session.trust_env = False
        session.verify = CONFIG["registries_ca"]
        session.headers["Accept"] = MANIFEST_TYPES
        challenge = session.get(url + "absent", timeout=30).headers["WWW-Authenticate"]
        check(f'realm="{entry["realm"]}"' in challenge, f"the challenge is {challenge}")
        query = {"service": entry["service"], "scope": f"repository:{image['repository']}:pull,push"}
        login = (entry["username"], entry["password"])
        token = session.get(entry["realm"], params=query, auth=login, timeout=30).json()["token"]
        session.headers["Authorization"] = f"Bearer {token}"
        place = session.post(url.replace("manifests", "blobs/uploads"), timeout=30).headers["Location"]
        check(place.startswith(f"https://{entry['address']}/v2/"), f"the session is at {place}")
        statuses = []
        own = "--repository", image["repository"]
        for faults in (["absent-is-denied"], [], [*own, "absent-is-denied=401"]):
            harness("faults", "--state", state, "--registry", "faulty-token", *faults)
            answer = session.get(url + "absent", timeout=30)
            statuses.append(answer.status_code)
        harness("faults", "--state", state, "--registry", "faulty-token")
    check(statuses == [403, 404, 401], f"the statuses are {statuses}")
    check('error="insufficient_scope"' in answer.headers["WWW-Authenticate"], "the challenge")
    seen = requests_since(moment, "faulty-token", "proxy")
    expected = [[], [], ["absent-is-denied"], [], ["absent-is-denied"]]
    check([request["faults"] for request in seen] == expected, f"the log says {seen}")
    check(len(requests_since(moment, "faulty-token")) == 6, "the registry has seen other requests")


def mistakes() -> None:
    state = str(state_at().directory)
    listed = harness("faults")
    check(all(name in listed for name in FAULTS), f"not all faults are listed:\n{listed}")
    table = Path(CONFIG["registries_script"]).with_name("README.md").read_text(encoding="utf-8")
    for fault in FAULTS.values():
        row = f"| `{fault.name}` | {fault.argument} | {fault.summary} |"
        check(row in table, f"the harness's README lacks the row: {row}")
    for arguments, sentence in (
        (["--state", state, "--registry", "faulty", "no-such"], "Unknown fault 'no-such'"),
        (["--state", state, "--registry", "faulty", "null-tags=1"], "takes no argument"),
        (["--state", state, "--registry", "dev", "null-tags"], "was started without the option faults"),
        (["--registry", "faulty"], "Both --state and --registry"),
    ):
        try:
            harness("faults", *arguments)
        except Failed as error:
            said = str(error)
        else:
            said = "nothing"
        check(sentence in said, f"{arguments}: {said}")


if __name__ == "__main__":
    main([every_fault, several_faults, flat_memory, switched_at_run_time, mistakes])
