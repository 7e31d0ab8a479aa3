# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A promotion with a record that is killed at random moments while its tags move, or of which one tag is refused.

After each kill, the record names only what can be proven, one more run finishes it, and what it says of tags is enough
to put all of them back. After a tag was refused, all tags are back, and the record says so.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from crowd import as_options, crowd, seed
from engine import Engine
from faults import parse_faults
from faults.base import Answer, Fault, Request, error_answer
from images import Manifest, image, layer
from play import Rig
from problems import Problem
from reader import Client, Reader, Watched

Plain = dict[str, Any]
Tag = tuple[str, str]
"""A repository at the destination, and a tag in it."""

_IMAGES = 10
_LAYER = 1000
"""Bytes."""
_SLOW = "delay=2"
_LONGEST = 0.04
"""Seconds from a tag to the kill."""
_MOVES = _IMAGES * 3
EVERY_TAG = range(1, _MOVES + 1)


class TagKiller(Fault):
    """Calls ``kill`` so many seconds after the ``at``-th tag has been sent, or after it has been stored."""

    name = "tag-killer"
    summary = "the client is killed while tags move"

    def __init__(self, at: int, seconds: float, kill: Any, *, before: bool) -> None:
        super().__init__("")
        self._at = at
        self._before = before
        self._seen = 0
        self._last: Request | None = None
        self._timer = threading.Timer(seconds, kill)
        self._timer.daemon = True
        self.moved: set[Tag] = set()
        """The tags that the registry has stored."""

    def before(self, request: Request) -> Answer | None:
        if request.method == "PUT" and request.tag:
            with self.lock:
                self._seen += 1
                if self._seen == self._at:
                    self._last = request
                    if self._before:
                        self._timer.start()
        return None

    def after(self, request: Request, answer: Answer) -> None:
        if request.method == "PUT" and request.tag and answer.status == 201:
            with self.lock:
                self.moved.add((request.repository, request.tag))
            if request is self._last and not self._before:
                self._timer.start()

    def end(self) -> None:
        self._timer.cancel()


class TagRefuser(Fault):
    """Refuses the ``at``-th tag that is sent."""

    name = "tag-refuser"
    summary = "one tag is refused"

    def __init__(self, at: int) -> None:
        super().__init__("")
        self._at = at
        self._seen = 0

    def before(self, request: Request) -> Answer | None:
        if request.method != "PUT" or not request.tag:
            return None
        with self.lock:
            self._seen += 1
            if self._seen != self._at:
                return None
        request.acted.append(self.name)
        return error_answer(403, "DENIED", "this tag is for others")


class Kept(NamedTuple):
    """What a directory has: the records in it, by the names of their files, and the names of all files."""

    records: dict[str, Plain]
    names: list[str]


class Recorded:
    """One set of images at both ends, and its record."""

    def __init__(self, rig: Rig, directory: Path, finisher: Engine | None = None) -> None:
        """``finisher`` is what finishes a promotion that was killed, by default what was killed."""
        self._rig = rig
        self._finisher = finisher or rig.engine
        self._directory = directory
        self._members = crowd(rig.prefix(), _IMAGES, _LAYER)
        self._old: dict[Tag, Manifest] = {}
        self._new: dict[Tag, str] = {}
        images = []
        for number, (member, option) in enumerate(zip(self._members, as_options(self._members))):
            own = f"latest-{number}", f"stable-{number}"
            images.append({**option, "tags": [member.tag, *own]})
            for tag in (member.tag, *own):
                self._old[member.repository, tag] = _old_image(number)
                self._new[member.repository, tag] = member.manifest.digest
        directory.mkdir(parents=True, exist_ok=True)
        record = {"path": str(directory), "environment": "soak"}
        self._params = {**rig.connections(), "images": images, "record": record, "jobs": 4}
        seed(rig.source_pusher, self._members)
        self.reset()

    @property
    def watched(self) -> list[Watched]:
        """The tags, each with its old digest and its new one."""
        return [Watched(*place, frozenset({self._old[place].digest, self._new[place]})) for place in sorted(self._old)]

    def reset(self) -> None:
        """Point all tags to what they pointed to before."""
        for (repository, tag), manifest in self._old.items():
            self._rig.destination.push_manifest(repository, manifest, tag)

    def kill(self, at: int, seconds: float, *, before: bool) -> bool:
        """Promote and be killed. Returns whether that came before the end. Raises :class:`Problem`."""
        proxy = self._rig.destination_proxy
        killer = TagKiller(at, seconds, self._rig.engine.kill, before=before)
        proxy.play([killer, *parse_faults(_SLOW)])
        ended = self._rig.engine.run(self._params)
        killer.end()
        proxy.play([])
        proxy.settle()
        if not ended.killed:
            if not ended.succeeded:
                raise Problem(f"a run that was not killed failed:\n{ended.output[:2000]}")
            return False
        self._check_begun(killer.moved)
        return True

    def finish(self) -> None:
        """Promote to the end; the record must have all that is needed to go back. Raises :class:`Problem`."""
        unfinished = [name for name, one in self.kept().records.items() if one["outcome"] == "begun"]
        ended = self._finisher.run(self._params)
        if not ended.succeeded:
            raise Problem(f"the run after a killed one failed:\n{ended.output[:2000]}")
        record = ended.result["record"]
        if [Path(path).name for path in record["finished"]] != unfinished or ended.result.get("warnings"):
            raise Problem(f"{unfinished} are to be finished, and the run says {record}, {ended.result.get('warnings')}")
        kept = self.kept()
        ended_ones = {name: one for name, one in kept.records.items() if one["outcome"] == "done"}
        if len(ended_ones) != len(kept.records) or len(kept.records) != 1:
            raise Problem(f"not all records are done, or there are several: {sorted(kept.records)}")
        hidden = [name for name in kept.names if name.startswith(".") and "promotion" in name]
        if hidden:
            raise Problem(f"files are left that nobody needs: {hidden}")
        (found,) = ended_ones.values()
        wanted = {place: (manifest.digest, self._new[place]) for place, manifest in self._old.items()}
        if _moves(found) != wanted:
            raise Problem(f"the record does not say what all tags pointed to before:\n{json.dumps(found, indent=1)}")
        self._check_served({place: {new} for place, (_old, new) in wanted.items()})

    def refuse(self, at: int) -> None:
        """Promote while the registry refuses one tag: all go back, and the record says so. Raises :class:`Problem`."""
        proxy = self._rig.destination_proxy
        proxy.play([TagRefuser(at)])
        ended = self._rig.engine.run(self._params)
        proxy.play([])
        proxy.settle()
        if ended.killed or ended.succeeded or ended.result["not_reverted"]:
            raise Problem(f"tag {at} was refused, and the run says:\n{ended.output[:2000]}")
        self._check_served({place: {manifest.digest} for place, manifest in self._old.items()})
        records = list(self.kept().records.values())
        if [one["outcome"] for one in records] != ["reverted"] or ended.result["record"]["outcome"] != "reverted":
            raise Problem(f"tag {at} was refused, and the records are:\n{json.dumps(records, indent=1)}")
        actions = [tag["action"] for one in records[0]["images"] for tag in one["tags"]]
        if len(actions) != _MOVES or set(actions) - {"reverted", "failed"} or "failed" not in actions:
            raise Problem(f"tag {at} was refused, and the record says of tags: {actions}")

    def clear(self) -> None:
        """Remove the records."""
        for path in self._directory.glob("*.promotion.json"):
            path.unlink()

    def kept(self) -> Kept:
        """What is in the directory. Raises :class:`Problem` for a record that isn't whole."""
        found = {}
        for path in sorted(self._directory.glob("*.promotion.json")):
            try:
                found[path.name] = json.loads(path.read_text(encoding="utf-8"))["predicate"]
            except (ValueError, KeyError) as error:
                raise Problem(f"{path.name} is not a whole record: {error}") from None
        return Kept(found, sorted(path.name for path in self._directory.iterdir()))

    def _check_begun(self, moved: set[Tag]) -> None:
        """The record of a run that was killed while tags moved names what each of them may point to."""
        records = self.kept().records
        if len(records) != 1:
            raise Problem(f"there is not one record of a run that has moved {len(moved)} tags: {sorted(records)}")
        (record,) = records.values()
        told = _moves(record)
        if set(told) != set(self._old):
            raise Problem(f"the record names other tags than those that were to move:\n{json.dumps(record, indent=1)}")
        served = self._check_served({place: set(digests) for place, digests in told.items()})
        for place in moved:
            if served[place] != told[place][1]:
                raise Problem(f"{place} was moved, and points to {served[place]}; the record says {told[place]}")

    def _check_served(self, allowed: dict[Tag, set[str]]) -> dict[Tag, str]:
        """What tags point to. Raises :class:`Problem` where that isn't one of these digests, with all content."""
        client = Client(self._rig.destination_address)
        try:
            return {place: client.check_tag(Watched(*place, frozenset(digests))) for place, digests in allowed.items()}
        finally:
            client.close()


def kill_recorded(rig: Rig, directory: Path, moments: int, number: int, finisher: Engine | None = None) -> str:
    """Kill a promotion of 30 tags at so many random moments. Returns what happened, in words.

    ``finisher`` finishes it each time, by default what was killed. Raises :class:`Problem`.
    """
    chance = random.Random(number)
    recorded = Recorded(rig, directory, finisher)
    killed = 0
    with Reader(rig.destination_address, recorded.watched) as reader:
        for _moment in range(moments):
            at, seconds = chance.randint(1, _MOVES), chance.uniform(0, _LONGEST)
            killed += recorded.kill(at, seconds, before=chance.random() < 0.5)
            recorded.finish()
            recorded.clear()
            recorded.reset()
    if killed < moments / 2:
        raise Problem(f"{killed} of {moments} runs were killed before they ended, which shows little")
    return f"{_MOVES} tags with a record: {killed} of {moments} runs were killed; {reader.pulls} tags read meanwhile"


def refuse_each(rig: Rig, directory: Path, tags: Iterable[int]) -> str:
    """Promote 30 tags, of which the registry refuses the one of each of these numbers, the first is 1.

    Returns what happened, in words. Raises :class:`Problem`.
    """
    recorded = Recorded(rig, directory)
    numbers = list(tags)
    with Reader(rig.destination_address, recorded.watched) as reader:
        for at in numbers:
            recorded.refuse(at)
            recorded.clear()
    return f"{_MOVES} tags, one refused: all were back, {len(numbers)} times; {reader.pulls} tags read meanwhile"


def _moves(record: Plain) -> dict[Tag, tuple[str, str]]:
    """What a record says of each tag that moves: what it pointed to before, and what it is to point to."""
    return {
        (one["repository"], tag["tag"]): (tag["previous_digest"], tag["digest"])
        for one in record["images"]
        for tag in one["tags"]
        if tag["action"] in ("create", "replace")
    }


def _old_image(number: int) -> Manifest:
    return image([layer(f"old {number}", _LAYER)], f"old image {number}")
