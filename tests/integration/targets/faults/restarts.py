# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry that is restarted while a blob is under way, from it or to it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from runs import OUTPUT, Failed, Plain, call, check, harness, seed, state_at, task

from fault_proxy import FaultProxy
from faults.base import Answer, Cut, Fault, Request, is_upload

LARGE = 24 * 1024 * 1024
"""Bytes of a layer: more than the buffers between the two ends hold."""
_PATIENCE = 120.0  # seconds


class Gate(Fault):
    """Stops the body of a blob after its first piece until it is opened; once."""

    name = "gate"

    def __init__(self, uploads: bool) -> None:
        super().__init__("")
        self.reached, self.opened = threading.Event(), threading.Event()
        self._uploads = uploads

    def before(self, request: Request) -> Answer | None:
        if self._uploads and is_upload(request) and (request.body.size or 0) >= LARGE:
            whole = request.body.pieces
            request.body.pieces = lambda: self._gated(whole())  # type: ignore[method-assign]  # of this request only
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if not self._uploads and request.kind == "blob" and request.method == "GET" and (answer.length or 0) >= LARGE:
            answer.body = self._gated(answer.body)

    def _gated(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            self.reached.set()
            if not self.opened.wait(_PATIENCE):
                raise Cut("nobody opens the gate")


def restarted() -> None:
    """The gate stands at the other end, so that the connection to the registry that is restarted stays open."""
    state = state_at(OUTPUT / "restarted")
    harness("start", "--state", str(state.directory), "source", "destination")
    try:
        for name in ("source", "destination"):
            _restarted(name)
    finally:
        harness("stop", "--state", str(state.directory), "--delete")


def _restarted(name: str) -> None:
    state = state_at(OUTPUT / "restarted")
    image = seed("source", "single", name, state=state, images=1, layers=1, layer_size=LARGE)[0]
    entries = state.load()["registries"]
    gate = Gate(uploads=name == "source")
    other = "destination" if name == "source" else "source"
    with FaultProxy(f"http://{entries[other]['address']}") as proxy:
        proxy.play([gate])
        addresses = {name: entries[name]["address"], other: proxy.address}
        ends = {end: {"registry": address, "plain_http": True} for end, address in addresses.items()}
        item = {"repository": image["repository"], "tag": image["tag"]}
        options = {**ends["destination"], "source": ends["source"], "images": [item]}
        copy = task("image_copy", options, name="copy")
        failure: list[Failed] = []
        results: list[Plain] = []

        def run() -> None:
            try:
                results.append(call([copy]).of("copy"))
            except Failed as error:
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        check(gate.reached.wait(_PATIENCE), "no blob got under way")
        harness("stop", "--state", str(state.directory))
        harness("start", "--state", str(state.directory))
        gate.opened.set()
        thread.join()
    if failure:
        raise failure[0]
    check(results[0]["images"][0]["digest"] == image["digest"], f"{name} restarted: {results[0]}")
    check(results[0]["transfer"]["retries"] > 0, f"{name} restarted: nothing was tried again")
