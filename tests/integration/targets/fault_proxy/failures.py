# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A row for each fault by which a network or a registry fails, or gives wrong content."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import http.client
import json
import secrets
import time
from collections.abc import Callable

import requests
from probe import ABSENT, BY_DIGEST, DIGEST, IMAGE, KIB, MANIFEST, REPOSITORY, TAGS, UPLOADS, Client
from runs import REGISTRIES, check, seed

from fault_proxy import FaultProxy
from faults.base import MANIFEST_TYPES

LAYER = max(IMAGE["blobs"], key=lambda blob: blob["size"])
BLOB = f"/v2/{REPOSITORY}/blobs/{LAYER['digest']}"


def breaks(client: Client, method: str, target: str, error: type[Exception] = requests.ConnectionError, **options):
    """The connection ends in place of an answer, or within one."""
    try:
        answer = client.ask(method, target, **options)
    except (error, requests.exceptions.ChunkedEncodingError):
        return
    check(False, f"{method} {target} is answered: {answer.status_code}")


def whole_blob(client: Client) -> bytes:
    content = client.ask("GET", BLOB, 200).content
    check(content_digest(content) == LAYER["digest"], "the bytes of the blob")
    return content


def content_digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def refused(client: Client) -> None:
    for _time in range(2):
        breaks(client, "HEAD", MANIFEST)
    client.ask("HEAD", MANIFEST, 200)
    logged = [(seen["method"], seen["path"], seen["status"]) for seen in client.proxy.requests]
    check(logged == [("-", "-", 0)] * 2 + [("HEAD", MANIFEST, 200)], f"the log says {logged}")
    client.proxy.switch("refused")
    for _time in range(3):
        breaks(Client(client.proxy), "HEAD", MANIFEST)


def reset(client: Client) -> None:
    for _time in range(2):
        breaks(client, "GET", MANIFEST)
    client.ask("GET", MANIFEST, 200)
    client.proxy.switch("reset=each")
    for target in (MANIFEST, TAGS):
        breaks(client, "GET", target)
        client.ask("GET", target, 200)
    content = secrets.token_bytes(300 * KIB)
    breaks(client, "POST", UPLOADS)
    location = client.session()
    breaks(client, "PUT", f"{location}&digest={content_digest(content)}", data=content)
    client.finish(client.session(), content, content, 201)


def lost_answers(client: Client) -> None:
    content = secrets.token_bytes(300 * KIB)
    breaks(client, "POST", UPLOADS)
    breaks(client, "PUT", f"{client.session()}&digest={content_digest(content)}", data=content)
    client.ask("HEAD", f"/v2/{REPOSITORY}/blobs/{content_digest(content)}", 200)
    client.finish(client.session(), content, content, 201)


def lost_tag_answer(client: Client) -> None:
    name = f"lost-{secrets.token_hex(4)}"
    manifest = client.ask("GET", BY_DIGEST, 200)
    headers = {"Content-Type": manifest.headers["Content-Type"]}
    breaks(client, "PUT", f"/v2/{REPOSITORY}/manifests/{name}", data=manifest.content, headers=headers)
    found = client.ask("HEAD", f"/v2/{REPOSITORY}/manifests/{name}", 200)
    check(found.headers[DIGEST] == IMAGE["digest"], "the tag")
    client.tag(name, 201)


def silent_close(client: Client) -> None:
    connection = http.client.HTTPConnection(client.proxy.address, timeout=30)
    connection.request("GET", MANIFEST, headers={"Accept": MANIFEST_TYPES})
    answer = connection.getresponse()
    answer.read()
    check(answer.status == 200 and answer.headers["Connection"] is None, "the end is announced")
    # A client that keeps it would find out at its next request, or not before that has gone out.
    check(connection.sock is not None and connection.sock.recv(1) == b"", "the connection stays open")
    connection.close()
    client.ask("GET", MANIFEST, 200)


def stall(client: Client) -> None:
    for method, target in (("HEAD", MANIFEST), ("GET", BLOB), ("GET", MANIFEST)):
        for slow in (True, False):
            started = time.monotonic()
            client.ask(method, target, 200)
            # No upper limit: the machine may be slow.
            check(not slow or time.monotonic() - started >= 1, f"{method} {target} does not stall")
    client.proxy.switch("stall=10")
    answer = requests.get(f"http://{client.proxy.address}{BLOB}", stream=True, timeout=1)
    received = 0
    try:
        for piece in answer.iter_content(KIB):
            received += len(piece)
    except requests.RequestException:
        pass
    check(0 < received < LAYER["size"], f"{received} bytes came before it stalled")


def cut_download(client: Client) -> None:
    whole = b""
    while len(whole) < LAYER["size"]:
        status = 206 if whole else 200
        headers = {"Range": f"bytes={len(whole)}-"} if whole else {}
        answer = client.ask("GET", BLOB, status, headers=headers, stream=True)
        before = len(whole)
        try:
            # What comes with the reset is lost to whoever waits for more.
            for piece in answer.iter_content(50):
                whole += piece
        except requests.RequestException:
            check(len(whole) > before, "nothing came")
    check(content_digest(whole) == LAYER["digest"], "the bytes of the blob")
    name = next(fault for seen in client.proxy.requests for fault in seen["faults"])
    client.proxy.switch(f"{name}=1000:1")
    breaks(client, "GET", BLOB)
    whole_blob(client)


def cut_upload(client: Client) -> None:
    content = secrets.token_bytes(300 * KIB)
    location = client.session()
    breaks(client, "PUT", f"{location}&digest={content_digest(content)}", data=content)
    client.finish(client.session(), content, content, 201)
    content = secrets.token_bytes(300 * KIB)
    breaks(client, "PATCH", client.session(), data=iter([content[: 100 * KIB], content[100 * KIB :]]))
    # Sent in chunks of HTTP, without a length.
    answer = client.ask("PATCH", client.session(), 202, data=iter([content[: 100 * KIB], content[100 * KIB :]]))
    check(answer.headers["Range"] == f"0-{len(content) - 1}", f"the range is {answer.headers['Range']}")
    client.finish(answer.headers["Location"], b"", content, 201)


def status(client: Client) -> None:
    for method, target in (("HEAD", MANIFEST), ("GET", BLOB), ("GET", TAGS)):
        client.ask(method, target, 502)
        client.ask(method, target, 200)
    client.ask("POST", UPLOADS, 502)
    content = secrets.token_bytes(300 * KIB)
    for code in (502, 201):
        client.finish(client.session(), content, content, code)
    for code in (502, 202):
        client.patch(client.session(), content, 0, code)
    client.proxy.switch("status=429")
    check(client.codes("GET", MANIFEST, 429) == ["TOOMANYREQUESTS"], "the code")


def status_early(client: Client) -> None:
    content = secrets.token_bytes(100)
    client.ask("POST", UPLOADS, 503)
    check(client.finish(client.session(), content, content, 503).headers["Connection"] == "close", "it goes on")
    client.finish(client.session(), content, content, 201)


def status_always(client: Client) -> None:
    for _time in range(2):
        client.ask("GET", MANIFEST, 500)


def retry_after(client: Client) -> None:
    check(client.ask("GET", MANIFEST, 429).headers["Retry-After"] == "7", "the seconds")
    client.ask("GET", MANIFEST, 200)
    found = {}
    for form in ("date", "past", "absurd", "absurd-date", "words", "none"):
        client.proxy.switch(f"retry-after={form}")
        found[form] = client.ask("GET", MANIFEST, 429).headers.get("Retry-After", "")
    then = {form: email.utils.parsedate_to_datetime(found[form]).timestamp() for form in ("date", "past")}
    check(then["past"] < time.time() - 1000 and then["date"] > then["past"], f"the dates are {found}")
    check(int(found["absurd"]) > 10**8 and "9999" in found["absurd-date"], f"{found} is not absurd")
    check((found["words"], found["none"]) == ("soon", ""), f"{found}")


def quota(client: Client) -> None:
    for _time in range(2):
        check(client.ask("GET", MANIFEST, 429).headers["Retry-After"] == "3600", "the hour")


def expired_token(client: Client) -> None:
    entry = REGISTRIES["faulty-token"]
    image = seed("faulty-token", "single", "proxy", images=1)[0]
    with FaultProxy(f"http://{entry['inner_address']}", "expired-token=2") as proxy:
        other = Client(proxy)
        target = f"/v2/{image['repository']}/manifests/{image['tag']}"
        for token in ("one", "two"):
            bearer = {"Authorization": f"Bearer {token}"}
            answers = [other.ask("GET", target, 401, headers=bearer) for _time in range(4)]
            check('error="invalid_token"' in answers[-1].headers["WWW-Authenticate"], "the challenge")
            check(f'realm="{entry["realm"]}"' in answers[-1].headers["WWW-Authenticate"], "the realm")
        check([bool(seen["faults"]) for seen in proxy.requests] == [False, False, True, True] * 2, "the log")
        client.proxy.requests.extend(proxy.requests)


def token_status(client: Client) -> None:
    entry = REGISTRIES["faulty-token"]
    image = seed("faulty-token", "single", "proxy", images=1)[0]
    with FaultProxy(f"http://{entry['inner_address']}", "token-status=500") as proxy:
        other = Client(proxy)
        target = f"/v2/{image['repository']}/manifests/{image['tag']}"
        challenge = other.ask("GET", target, 401).headers["WWW-Authenticate"]
        realm = challenge.partition('realm="')[2].partition('"')[0]
        check(realm.startswith(f"http://{proxy.address}/"), f"the realm is {realm}")
        query = f"{realm}?service={entry['service']}&scope=repository:{image['repository']}:pull"
        login = (entry["username"], entry["password"])
        other.ask("GET", query, 500, auth=login)
        token = other.ask("GET", query, 200, auth=login).json()["token"]
        other.ask("GET", target, 200, headers={"Authorization": f"Bearer {token}"})
        client.proxy.requests.extend(proxy.requests)


def session_gone(client: Client) -> None:
    content = secrets.token_bytes(300 * KIB)
    location = client.session()
    answer = client.finish(location, content, content, 404)
    check(answer.json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN", "the code")
    client.finish(location, content, content, 404)
    location = client.patch(client.session(), content, 0, 202).headers["Location"]
    client.finish(location, b"", content, 201)


def blob_forgotten(client: Client) -> None:
    content = client.ask("GET", BLOB, 200).content
    client.tag("remembered", 201)
    client.ask("HEAD", BLOB, 200)
    for argument in ("named", "unnamed"):
        client.proxy.switch(f"blob-forgotten={argument}")
        client.ask("HEAD", BLOB, 200)
        error = client.tag("remembered", 400).json()["errors"][0]
        check(error["code"] == "MANIFEST_BLOB_UNKNOWN", f"the error is {error}")
        check((LAYER["digest"] in json.dumps(error)) == (argument == "named"), f"the error is {error}")
        client.finish(client.session(), content, content, 201)
        client.ask("HEAD", BLOB, 200)
        client.tag("remembered", 201)


def disk_full(client: Client) -> None:
    content = whole_blob(client)
    client.proxy.switch(f"disk-full={len(content)}")
    client.finish(client.session(), content, content, 201)
    error = client.ask("POST", UPLOADS, 500).json()["errors"][0]
    check(error["code"] == "UNKNOWN" and '"Err": 28' in json.dumps(error["detail"]), f"the error is {error}")
    client.ask("HEAD", BLOB, 200)


def no_range(client: Client) -> None:
    answer = client.ask("GET", BLOB, 200, headers={"Range": "bytes=100-"})
    check(len(answer.content) == LAYER["size"], f"{len(answer.content)} bytes")


def wrong_range(client: Client) -> None:
    whole = whole_blob(client)
    answer = client.ask("GET", BLOB, 206, headers={"Range": "bytes=100-"})
    check(answer.headers["Content-Range"].startswith("bytes 101-") and answer.content == whole[100:], "the header")
    client.proxy.switch("wrong-range=body")
    answer = client.ask("GET", BLOB, 206, headers={"Range": "bytes=100-"})
    check(answer.headers["Content-Range"].startswith("bytes 100-"), "the header")
    check(answer.content == whole[101:] + b"\0", "the body")


def wrong_bytes(client: Client) -> None:
    client.proxy.switch("")
    whole = whole_blob(client)
    client.proxy.switch("wrong-bytes")
    other = client.ask("GET", BLOB, 200).content
    check(other[:-1] == whole[:-1] and other[-1:] != whole[-1:], "the bytes")


def wrong_size(client: Client) -> None:
    for argument, more in (("more", 1), ("less", -1)):
        client.proxy.switch(f"wrong-size={argument}")
        said = int(client.ask("HEAD", BLOB, 200).headers["Content-Length"])
        got = len(client.ask("GET", BLOB, 200).content)
        check(said == got == LAYER["size"] + more, f"{said} bytes are said, and {got} are there")


def wrong_manifest(client: Client) -> None:
    for target in (MANIFEST, BY_DIGEST):
        answer = client.ask("GET", target, 200)
        check(answer.headers[DIGEST] == IMAGE["digest"], "the digest")
        check(content_digest(answer.content) != IMAGE["digest"] and answer.content.endswith(b"\n"), "the bytes")


def content_encoding(client: Client) -> None:
    for target, digest in ((BY_DIGEST, IMAGE["digest"]), (BLOB, LAYER["digest"])):
        answer = client.ask("GET", target, 200, headers={"Accept-Encoding": "identity"}, stream=True)
        check(answer.headers["Content-Encoding"] == "gzip", "the header")
        packed = answer.raw.read(decode_content=False)
        check(content_digest(gzip.decompress(packed)) == digest, "the bytes")


def large_manifest(client: Client) -> None:
    answer = client.ask("GET", MANIFEST, 200)
    check(len(answer.content) == 4 * KIB * KIB + 1 and bool(answer.json()["layers"]), "the manifest")
    head = client.ask("HEAD", MANIFEST, 200)
    check(content_digest(answer.content) == answer.headers[DIGEST] == head.headers[DIGEST], "the digest")
    check(int(head.headers["Content-Length"]) == len(answer.content), "the length")
    again = client.ask("GET", f"/v2/{REPOSITORY}/manifests/{head.headers[DIGEST]}", 200)
    check(again.content == answer.content, "the manifest by its digest")


def endless_body(client: Client) -> None:
    for target in (MANIFEST, BLOB, TAGS):
        answer = client.ask("GET", target, 200, stream=True)
        received = 0
        for piece in answer.iter_content(64 * KIB):
            received += len(piece)
            if received > 8 * KIB * KIB:
                break
        check(received > 8 * KIB * KIB, f"{target} ends after {received} bytes")
        answer.close()
    client.proxy.switch("endless-body=tags")
    client.ask("GET", MANIFEST, 200)
    client.ask("GET", ABSENT, 404)


def no_registry(client: Client) -> None:
    for method, target in (("GET", "/v2/"), ("GET", MANIFEST), ("DELETE", ABSENT), ("POST", UPLOADS)):
        check(client.ask(method, target, 404).text == "404 page not found\n", f"the text of {method} {target}")
    client.proxy.switch("no-registry=html")
    for method, target in (("GET", "/v2/"), ("GET", MANIFEST), ("DELETE", ABSENT)):
        check(client.ask(method, target, 200).text.startswith("<!DOCTYPE"), f"{method} {target} is not in HTML")


ROWS: dict[str, Callable[[Client], None]] = {
    "refused=2": refused,
    "reset=2": reset,
    "lost-answers": lost_answers,
    "lost-tag-answer": lost_tag_answer,
    "silent-close": silent_close,
    "stall=1": stall,
    "cut-download=1000": cut_download,
    "cut-download-clean=1000": cut_download,
    "cut-upload=100000": cut_upload,
    "status=502": status,
    "status-early=503": status_early,
    "status-always=500": status_always,
    "retry-after=7": retry_after,
    "quota": quota,
    "expired-token=2": expired_token,
    "token-status=500": token_status,
    "session-gone": session_gone,
    "blob-forgotten": blob_forgotten,
    "disk-full": disk_full,
    "no-range": no_range,
    "wrong-range": wrong_range,
    "wrong-bytes": wrong_bytes,
    "wrong-size": wrong_size,
    "wrong-manifest": wrong_manifest,
    "content-encoding": content_encoding,
    "large-manifest": large_manifest,
    "endless-body": endless_body,
    "no-registry": no_registry,
}
