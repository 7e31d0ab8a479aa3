# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Push made-up images with the harness's own small client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urljoin

import requests

from catalogue import Item, Options, plan
from errors import HarnessError
from fleet import client_certificate
from images import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Blob, Manifest
from specification import USER_AGENT
from state import State

_ACCEPT = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}"
_TIMEOUT = (5, 600)


def seed(state: State, name: str, kinds: Sequence[str], options: Options) -> list[dict[str, Any]]:
    """Push all images of the kinds; what the registry already has stays as it is."""
    with Pusher(state.registry(name), str(state.ca_path)) as pusher:
        return [pusher.push(item) for kind in kinds for item in plan(kind, options)]


class Pusher:
    """Pushes to one registry as its main account."""

    def __init__(self, entry: dict[str, Any], ca_path: str) -> None:
        self._entry = entry
        self._base = f"{entry['scheme']}://{entry['address']}"
        self._home: dict[str, str] = {}  # digest: a repository that holds it
        self._tokens: dict[str, tuple[float, str]] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_path
        self._session.cert = client_certificate(entry)
        self._session.headers["User-Agent"] = USER_AGENT
        if entry["login"] == "htpasswd":
            self._session.auth = _login(entry)

    def __enter__(self) -> Pusher:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def push(self, item: Item) -> dict[str, Any]:
        skipped = self._digest(item.repository, item.tag) == item.manifest.digest
        if not skipped:
            self.push_manifest(item.repository, item.manifest, item.tag)
        blobs = {blob.digest: blob.size for manifest in _walk(item.manifest) for blob in manifest.blobs}
        for digest in blobs:
            self._home.setdefault(digest, item.repository)
        return {
            "kind": item.kind,
            "repository": item.repository,
            "tag": item.tag,
            "digest": item.manifest.digest,
            "media_type": item.manifest.media_type,
            "manifests": list(dict.fromkeys(manifest.digest for manifest in _walk(item.manifest)))[1:],
            "blobs": [{"digest": digest, "size": size} for digest, size in blobs.items()],
            "pushed": not skipped,
        }

    def push_manifest(self, repository: str, manifest: Manifest, reference: str) -> None:
        """Push a manifest under a tag or its digest, what it refers to first."""
        for child in manifest.manifests:
            if self._digest(repository, child.digest) is None:
                self.push_manifest(repository, child, child.digest)
        for blob in manifest.blobs:
            self._push_blob(repository, blob)
        path = f"/v2/{repository}/manifests/{reference}"
        headers = {"Content-Type": manifest.media_type}
        answer = self._send("PUT", path, repository, (201,), data=manifest.body, headers=headers)
        if answer.headers.get("Docker-Content-Digest", manifest.digest) != manifest.digest:
            raise HarnessError(f"{path}: the registry stored other bytes than were sent.")

    def _push_blob(self, repository: str, blob: Blob) -> None:
        path = f"/v2/{repository}/blobs/{blob.digest}"
        if self._send("HEAD", path, repository, (200, 404)).status_code == 200:
            return
        uploads = f"/v2/{repository}/blobs/uploads/"
        home = self._home.get(blob.digest)
        if home and home != repository:
            uploads += f"?mount={quote(blob.digest, safe='')}&from={quote(home, safe='')}"
        opened = self._send("POST", uploads, repository, (201, 202), mount_from=home)
        if opened.status_code == 201:
            return
        location = urljoin(opened.url, opened.headers["Location"])
        target = f"{location}{'&' if '?' in location else '?'}digest={quote(blob.digest, safe='')}"
        headers = {"Content-Type": "application/octet-stream"}
        self._send("PUT", target, repository, (201,), data=_Body(blob), headers=headers)

    def _digest(self, repository: str, reference: str) -> str | None:
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self._send("HEAD", path, repository, (200, 404), headers={"Accept": _ACCEPT})
        return answer.headers.get("Docker-Content-Digest") if answer.status_code == 200 else None

    def _send(
        self,
        method: str,
        target: str,
        repository: str,
        expected: tuple[int, ...],
        mount_from: str | None = None,
        headers: dict[str, str] | None = None,
        data: Any = None,
    ) -> requests.Response:
        url = target if "://" in target else self._base + target
        headers = dict(headers or {})
        if self._entry["login"] == "token":
            headers["Authorization"] = f"Bearer {self._token(repository, mount_from)}"
        try:
            answer = self._session.request(
                method, url, headers=headers, data=data, timeout=_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise HarnessError(f"{method} {url.partition('?')[0]} failed: {type(error).__name__}.") from error
        if answer.status_code not in expected:
            raise HarnessError(
                f"{method} {url.partition('?')[0]} answered {answer.status_code}: {answer.text[:300].strip()}"
            )
        return answer

    def _token(self, repository: str, mount_from: str | None) -> str:
        scopes = [f"repository:{repository}:pull,push"]
        if mount_from and mount_from != repository:
            scopes.append(f"repository:{mount_from}:pull")
        key = " ".join(scopes)
        renew_at, token = self._tokens.get(key, (0.0, ""))
        if time.monotonic() < renew_at:
            return token
        asked = time.monotonic()
        answer = self._ask_token_server(scopes)
        if answer.status_code != 200:
            raise HarnessError(f"The token server answered {answer.status_code}.")
        value: str = answer.json()["token"]
        self._tokens[key] = (asked + self._entry["token_seconds"] / 2, value)
        return value

    def _ask_token_server(self, scopes: list[str]) -> requests.Response:
        realm, service = self._entry["realm"], self._entry["service"]
        if self._entry["specification"]["token_post_only"]:
            form = {"grant_type": "password", "client_id": USER_AGENT, "service": service, "scope": " ".join(scopes)}
            form.update(username=self._entry["username"], password=self._entry["password"])
            return self._session.post(realm, data=form, timeout=_TIMEOUT)
        query = {"service": service, "scope": scopes, "account": self._entry["username"]}
        return self._session.get(realm, params=query, auth=_login(self._entry), timeout=_TIMEOUT)


def _login(entry: dict[str, Any]) -> tuple[bytes, bytes]:
    """As bytes, because requests would write texts in Latin-1."""
    return entry["username"].encode(), entry["password"].encode()


class _Body:
    """A blob as a request body of known length: iterated once, never held."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    def __len__(self) -> int:
        return self._blob.size

    def __iter__(self) -> Iterator[bytes]:
        return self._blob.stream()


def _walk(manifest: Manifest) -> Iterator[Manifest]:
    yield manifest
    for child in manifest.manifests:
        yield from _walk(child)
