# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row of the target is: faults, the end of the copy at which they are played, and what must come of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from runs import REGISTRIES, Plain, Run, call, check

RUN = secrets.token_hex(3)
"""In the names of all repositories, so that a second run finds none of them."""
KIB = 1024
TOGETHER = 6
STATUSES = (408, 429, 500, 502, 503, 504)

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
    """What came of a row: the result of its task, the digest that the destination serves, and what the proxy saw."""

    row: Row
    result: Plain
    served: str
    expected: str
    requests: list[Plain]

    @property
    def message(self) -> str:
        """Why the image of the row failed; empty where it didn't."""
        if "failures" not in self.result:
            return str(self.result.get("msg", "")) if self.result["failed"] else ""
        own = f"/{self.row.repository}:"
        found = [entry for entry in self.result["failures"] if not self.row.together or own in entry["reference"]]
        return str(found[0]["msg"]) if found else ""

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
    together: str = ""
    """All rows of the same are played in one task, whose options are the same. Only sources may fail there."""

    @property
    def task(self) -> str:
        """The name of the task in which the row is played."""
        return self.together or self.name

    @property
    def prefix(self) -> str:
        return f"faults-{self.name}-{RUN}"

    @property
    def repository(self) -> str:
        return f"{self.prefix}/single"


def kind_of(path: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.fullmatch(pattern, path)), path)


def survives(*kinds: str, retries: bool = True) -> Judge:
    """The copy succeeds, and every fault has acted; at requests of these kinds, if there are any named."""

    def judge(seen: Seen) -> None:
        check(not seen.message, f"it fails: {seen.message}")
        check(seen.served == seen.expected, "the destination serves something else than the source")
        acts(seen, *kinds)
        check(not retries or seen.result["transfer"]["retries"] > 0, "nothing was tried again")

    return judge


def fails(*phrases: str, kinds: tuple[str, ...] = ()) -> Judge:
    """The copy fails in one sentence with these phrases, which names registry and repository. No tag is written."""

    def judge(seen: Seen) -> None:
        check(bool(seen.message), "it does not fail")
        check(not seen.served, "a tag has become visible")
        acts(seen, *kinds)
        named = [REGISTRIES[seen.row.registry]["address"], seen.row.repository]
        for phrase in [*named, *phrases]:
            check(phrase in seen.message, f"{phrase!r} is not in: {seen.message}")
        check(re.match(r"Cannot .+: .+", seen.message) is not None, f"no sentence: {seen.message}")
        check(not set("<>\n") & set(seen.message), f"markup in: {seen.message}")

    return judge


def acts(seen: Seen, *kinds: str) -> None:
    """The faults of the row have acted, each of them, and at requests of these kinds at least."""
    played = {name.partition("=")[0] for name in seen.row.faults.split("+")}
    acted = {name for entry in seen.requests for name in entry["faults"]}
    check(played <= acted, f"{sorted(played - acted)} did nothing")
    check(
        set(kinds) <= seen.acted, f"nothing went wrong at {sorted(set(kinds) - seen.acted)}, only {sorted(seen.acted)}"
    )


def at_source(name: str, faults: str, judge: Judge, *, together: str = "", **options: Any) -> Row:
    return Row(f"{name}-from", faults, "source", judge, options, together=together and f"{together}-from")


def at_destination(
    name: str, faults: str, judge: Judge, *, forgets: bool = False, together: str = "", **options: Any
) -> Row:
    return Row(f"{name}-to", faults, "destination", judge, options, "faulty", forgets, together and f"{together}-to")


def at_a_time(tasks: list[Plain]) -> Run:
    """Do tasks, many at a time: most of what they do is to wait. Each may fail."""
    return call([{**entry, "ignore_errors": True} for entry in tasks], at_a_time=TOGETHER)
