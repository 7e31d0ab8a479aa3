# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A row for each fault in how a registry moves, takes and deletes content."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

import requests
from probe import MANIFEST, REPOSITORY, Client
from runs import REGISTRIES, Failed, check, seed

from fault_proxy import FaultProxy


def _uploaded(client: Client) -> str:
    """The path of a blob that was just uploaded."""
    content = secrets.token_bytes(3000)
    client.finish(client.session(), content, content, 201)
    return f"/v2/{REPOSITORY}/blobs/sha256:{hashlib.sha256(content).hexdigest()}"


def delete_pending(client: Client) -> None:
    blob = _uploaded(client)
    client.ask("DELETE", blob, 202)
    client.ask("HEAD", blob, 200)
    end = time.monotonic() + 30
    while client.ask("HEAD", blob).status_code != 404:
        check(time.monotonic() < end, "the delete is not carried out")
        time.sleep(0.2)
    client.proxy.switch("delete-pending=kept")
    client.ask("DELETE", MANIFEST, 202)
    client.ask("HEAD", MANIFEST, 200)
    client.proxy.switch("delete-pending=unseen")
    client.ask("HEAD", MANIFEST, 200)
    client.ask("DELETE", MANIFEST, 202)
    client.ask("HEAD", MANIFEST, 400)


def range_refused(client: Client) -> None:
    blob = _uploaded(client)
    for status in (416, 400, 403):
        client.proxy.switch(f"range-refused={status}")
        client.ask("GET", blob, status, headers={"Range": "bytes=1000-"})
        client.ask("GET", blob, 206 if status == 416 else status, headers={"Range": "bytes=1000-2999"})
        client.ask("GET", blob, 200)


def range_per_chunk(client: Client) -> None:
    content = secrets.token_bytes(3000)
    location = client.patch(client.session(), content[:2000], 0, 202).headers["Location"]
    answer = client.patch(location, content[2000:], 2000, 202)
    check(answer.headers["Range"] == "0-999", f"the range is {answer.headers['Range']}")
    location = answer.headers["Location"]
    check(client.ask("GET", location, 204).headers["Range"] == "0-2999", "the range of the session")
    client.finish(location, b"", content, 201)


def session_stuck(client: Client) -> None:
    content = secrets.token_bytes(3000)
    location = client.session()
    try:
        client.patch(location, content, 0)
    except requests.ConnectionError:
        pass
    else:
        raise Failed("the first chunk is answered")
    answer = client.ask("GET", location, 204)
    check("Range" not in answer.headers, "the session says its Range")
    for _time in range(2):
        client.patch(answer.headers["Location"], content, 0, 500)
    location = client.patch(client.session(), content, 0, 202).headers["Location"]
    client.finish(location, b"", content, 201)


def port_lost(client: Client) -> None:
    check(client.session().startswith("http://localhost/v2/"), "the port is there")


def relative_realm(client: Client) -> None:
    entry = REGISTRIES["faulty-token"]
    image = seed("faulty-token", "single", "proxy", images=1)[0]
    with FaultProxy(f"http://{entry['inner_address']}", "relative-realm") as proxy:
        other = Client(proxy)
        target = f"/v2/{image['repository']}/manifests/{image['tag']}"
        challenge = other.ask("GET", target, 401).headers["WWW-Authenticate"]
        realm = challenge.partition('realm="')[2].partition('"')[0]
        check(realm.startswith(f"/v2/{image['repository']}/"), f"the realm is {realm}")
        query = f"{realm}?service={entry['service']}&scope=repository:{image['repository']}:pull"
        token = other.ask("GET", query, 200, auth=(entry["username"], entry["password"])).json()["token"]
        other.ask("GET", target, 200, headers={"Authorization": f"Bearer {token}"})
        client.proxy.requests.extend(proxy.requests)


ROWS: dict[str, Callable[[Client], None]] = {
    "delete-pending": delete_pending,
    "range-refused": range_refused,
    "range-per-chunk": range_per_chunk,
    "session-stuck": session_stuck,
    "port-lost": port_lost,
    "relative-realm": relative_realm,
}
