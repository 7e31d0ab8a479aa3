# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small client of its own, and an image in a registry, to look at what the fault proxy answers."""

from __future__ import annotations

import hashlib

import requests
from runs import REGISTRIES, Failed, seed

from fault_proxy import FaultProxy
from faults.base import MANIFEST_TYPES

ENTRY = REGISTRIES["faulty"]
IMAGE = seed("faulty", "single", "proxy", images=1)[0]
REPOSITORY = IMAGE["repository"]
MANIFEST = f"/v2/{REPOSITORY}/manifests/{IMAGE['tag']}"
BY_DIGEST = f"/v2/{REPOSITORY}/manifests/{IMAGE['digest']}"
ABSENT = f"/v2/{REPOSITORY}/manifests/absent"
TAGS = f"/v2/{REPOSITORY}/tags/list"
UPLOADS = f"/v2/{REPOSITORY}/blobs/uploads/"
DIGEST = "Docker-Content-Digest"
KIB = 1024


class Client:
    """Requests to a proxy in this process, in front of the real registry."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = MANIFEST_TYPES

    def ask(self, method: str, target: str, status: int = 0, **options: object) -> requests.Response:
        """One request; ``status`` is what must be answered."""
        url = target if target.startswith("http") else f"http://{self.proxy.address}{target}"
        answer = self._session.request(method, url, timeout=30, allow_redirects=False, **options)
        # Only then is a streamed body read.
        if status and answer.status_code != status:
            raise Failed(f"{method} {target}: {answer.status_code} {answer.text}, not {status}")
        return answer

    def codes(self, method: str, target: str, status: int, **options: object) -> list[str]:
        return [error["code"] for error in self.ask(method, target, status, **options).json()["errors"]]

    def session(self) -> str:
        return self.ask("POST", UPLOADS, 202).headers["Location"]

    def patch(self, location: str, content: bytes, begin: int, status: int = 0) -> requests.Response:
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{begin}-{begin + len(content) - 1}"}
        return self.ask("PATCH", location, status, data=content, headers=headers)

    def finish(self, location: str, content: bytes, whole: bytes, status: int) -> requests.Response:
        digest = f"sha256%3A{hashlib.sha256(whole).hexdigest()}"
        return self.ask(
            "PUT",
            f"{location}&digest={digest}",
            status,
            data=content,
            headers={"Content-Type": "application/octet-stream"},
        )

    def tag(self, name: str, status: int) -> requests.Response:
        manifest = self.ask("GET", BY_DIGEST, 200)
        headers = {"Content-Type": manifest.headers["Content-Type"]}
        path = f"/v2/{REPOSITORY}/manifests/{name}"
        return self.ask("PUT", path, status, data=manifest.content, headers=headers)
