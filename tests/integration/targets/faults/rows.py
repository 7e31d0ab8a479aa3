# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row of the target is: faults, the end of the copy at which they are played, and what must come of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from runs import REGISTRIES, Failed, Plain, check

RUN = secrets.token_hex(3)
"""In the names of all repositories, so that a second run finds none of them."""
KIB = 1024

_KINDS = (
    ("base", r"/v2/"),
    ("tags", r"/v2/.+/tags/list"),
    ("manifest", r"/v2/.+/manifests/[^/]+"),
    ("uploads", r"/v2/.+/blobs/uploads/"),
    ("session", r"/v2/.+/blobs/uploads/[^/]+"),
    ("blob", r"/v2/.+/blobs/[^/]+"),
    ("token", r"/played-token"),
)


class Seen(NamedTuple):
    """What came of a row: the result of its task, what the destination serves, and the requests that the proxy saw."""

    row: Row
    result: Plain
    served: bytes | None
    expected: bytes
    requests: list[Plain]

    @property
    def message(self) -> str:
        """Why the task failed, or the one image of it."""
        failures = self.result.get("failures") or []
        return str(failures[0]["msg"] if failures else self.result.get("msg", ""))

    @property
    def acted(self) -> set[str]:
        """The kinds of request at which a fault acted."""
        return {f"{entry['method']} {kind_of(entry['path'])}" for entry in self.requests if entry["faults"]}


Judge = Callable[[Seen], None]


class Row(NamedTuple):
    """``end`` is where the faults are, source or destination. ``options`` are added to those of the task."""

    name: str
    faults: str
    end: str
    judge: Judge
    options: Plain = {}
    registry: str = "faulty"
    forgets: bool = False
    """Whether the blobs are at the destination before, and nothing else."""

    @property
    def prefix(self) -> str:
        return f"faults-{self.name}-{RUN}"

    @property
    def repository(self) -> str:
        return f"{self.prefix}/single"


def kind_of(path: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.fullmatch(pattern, path)), path)


def survives(*kinds: str, retries: bool = True, all_acted: bool = True) -> Judge:
    """The copy succeeds, and every fault has acted; at requests of these kinds, if there are any named."""

    def judge(seen: Seen) -> None:
        check(not seen.result["failed"], f"it fails: {seen.message}")
        check(seen.served == seen.expected, "the destination serves something else than the source")
        acts(seen, *kinds)
        check(not retries or seen.result["transfer"]["retries"] > 0, "nothing was tried again")

    return judge


def fails(*phrases: str, kinds: tuple[str, ...] = (), visible: bool = False) -> Judge:
    """The copy fails in one sentence with these phrases, which names registry and repository. No tag is written."""

    def judge(seen: Seen) -> None:
        check(seen.result["failed"], "it doesn't fail")
        check(visible or seen.served is None, "a tag has become visible")
        acts(seen, *kinds)
        named = [REGISTRIES[seen.row.registry]["address"], seen.row.repository]
        for phrase in [*named, *phrases]:
            check(phrase in seen.message, f"{phrase!r} isn't in: {seen.message}")
        check(re.match(r"Cannot .+: .+", seen.message) is not None, f"no sentence: {seen.message}")
        check(not set("<>\n") & set(seen.message), f"markup in: {seen.message}")

    return judge


def either(*judges: Judge) -> Judge:
    """One of them agrees: what happens is left to chance."""

    def judge(seen: Seen) -> None:
        complaints = []
        for one in judges:
            try:
                one(seen)
                return
            except Failed as failure:
                complaints.append(str(failure))
        raise Failed("; ".join(complaints))

    return judge


def acts(seen: Seen, *kinds: str) -> None:
    """The faults of the row have acted, each of them, and at requests of these kinds at least."""
    played = {name.partition("=")[0] for name in seen.row.faults.split("+")}
    acted = {name for entry in seen.requests for name in entry["faults"]}
    check(played <= acted, f"{sorted(played - acted)} did nothing")
    check(
        set(kinds) <= seen.acted, f"nothing went wrong at {sorted(set(kinds) - seen.acted)}, only {sorted(seen.acted)}"
    )


def at_source(name: str, faults: str, judge: Judge, **options: Any) -> Row:
    return Row(f"{name}-from", faults, "source", judge, options)


def at_destination(name: str, faults: str, judge: Judge, *, forgets: bool = False, **options: Any) -> Row:
    return Row(f"{name}-to", faults, "destination", judge, options, forgets=forgets)
