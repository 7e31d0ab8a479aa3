# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays a schedule: the promotion that goes wrong, the one that finishes the work, and what must be true of both."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import Ended, Engine
from fault_proxy import FaultProxy
from faults import parse_faults
from faults.base import Fault
from graph import Graph, Names, list_tag
from problems import Problem
from reader import Client, Reader, Watched, digest_of
from schedule import Schedule
from seeding import Pusher
from watchers import CancelRefused, Killer, Sessions

Plain = dict[str, Any]

_IMPATIENT, _PATIENT = 1, 60
"""Time-outs in seconds: with faults, some of which are silent, and without."""
_RETRIES = 3
"""Without faults. The registry itself fails now and then, when several ask it at once."""


class Rig:
    """Two real registries, each behind a fault proxy of this process, and what promotes from one to the other.

    The registries are without TLS and login. All schedules share them, each with repositories of its own.
    """

    def __init__(self, source: Plain, destination: Plain, ca_path: str, engine: Engine, name: str) -> None:
        self.engine = engine
        self.destination_address = str(destination["address"])
        self._name = name
        self._played = 0
        self._storage = Path(destination["storage"], "docker/registry/v2/repositories")
        self._open = contextlib.ExitStack()
        self._source, self._ca_path = source, ca_path
        self.source = self.source_pusher()
        self.destination = Pusher(destination, ca_path)
        self.source_proxy = FaultProxy(f"http://{source['address']}", storage=source["storage"])
        self.destination_proxy = FaultProxy(f"http://{destination['address']}", storage=destination["storage"])

    def prefix(self) -> str:
        """The beginning of names of repositories; nothing has used it before."""
        self._played += 1
        return f"{self._name}-{self._played}"

    def source_pusher(self) -> Pusher:
        """What pushes to the source directly, from one thread."""
        return Pusher(self._source, self._ca_path)

    def sessions(self, repositories: set[str]) -> set[str]:
        """The upload sessions that the destination has open."""
        return {
            session.parent.name
            for repository in repositories
            # A cancelled one leaves its directory behind, without this file.
            for session in self._storage.joinpath(repository).glob("_uploads/*/startedat")
        }

    def proxies(self) -> tuple[FaultProxy, FaultProxy]:
        """Those in front of the source and of the destination."""
        return self.source_proxy, self.destination_proxy

    def connections(self) -> Plain:
        """The connection options of a promotion through the proxies."""
        source = {"registry": self.source_proxy.address, "plain_http": True, "search_auth_files": False}
        return {
            "registry": self.destination_proxy.address,
            "plain_http": True,
            "search_auth_files": False,
            "source": source,
        }

    def __enter__(self) -> Rig:
        for one in (self.source, self.destination, self.source_proxy, self.destination_proxy):
            self._open.enter_context(one)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()


class Play:
    """One schedule."""

    def __init__(self, rig: Rig, schedule: Schedule) -> None:
        self._rig = rig
        self._schedule = schedule
        self._names = Names(rig.prefix())
        self._graph = Graph(schedule)
        self._tags = [
            (self._names.destination(image.destination), self._names.tag(position))
            for position, image in enumerate(schedule.images)
        ]
        self._repositories = {repository for repository, _tag in self._tags}
        self._runs = 0
        self.pulls = 0
        self.killed = False
        self.succeeded = False

    def run(self) -> None:
        """Play it to its end. Raises :class:`Problem`."""
        self._graph.seed(self._rig.source, self._rig.destination, self._names)
        schedule = self._schedule
        with self._reader() as reader:
            first = self._promote(schedule.destination_faults, schedule.source_faults, _IMPATIENT, schedule.kill_at)
        self.killed, self.succeeded, self.pulls = first.killed, first.succeeded, reader.pulls
        if first.succeeded:
            self._check_end("after the first run, which succeeded")
        with self._reader():
            second = self._promote("", "", _PATIENT, 0)
        if not second.succeeded:
            raise Problem(f"the second run, without faults, failed:\n{second.output}")
        self._check_end("after the second run")
        third = self._promote("", "", _PATIENT, 0)
        if not third.succeeded or third.result["changed"]:
            raise Problem(f"the third run, with nothing left to do, failed or changed something:\n{third.output}")

    def _reader(self) -> Reader:
        watched = [
            Watched(repository, tag, frozenset({self._old(position), self._new(position)}))
            for position, (repository, tag) in enumerate(self._tags)
        ]
        lists = {
            Watched(repository, list_tag(manifest.digest), None)
            for repository in self._repositories
            for manifest in self._graph.manifests
            if any(node.subject is not None for node in self._schedule.nodes)
        }
        return Reader(self._rig.destination_address, [*watched, *sorted(lists, key=lambda one: one[:2])])

    def _old(self, position: int) -> str:
        standing = self._schedule.images[position].standing
        return "" if standing is None else self._graph.manifests[standing].digest

    def _new(self, position: int) -> str:
        return self._graph.manifests[self._schedule.images[position].node].digest

    def _promote(self, destination_faults: str, source_faults: str, timeout: int, kill_at: int) -> Ended:
        schedule, rig = self._schedule, self._rig
        before = rig.sessions(self._repositories)
        sessions = Sessions(timeout / 2)
        nearest: list[Fault] = [sessions.inner]
        if kill_at:
            nearest.append(Killer(kill_at, rig.engine.kill, before=schedule.kill_before))
        with self._faults(destination_faults, source_faults, sessions.outer, nearest):
            ended = rig.engine.run(self._params(timeout))
        if not ended.killed:
            self._check_sessions(ended, sessions, rig.sessions(self._repositories) - before)
        return ended

    @contextlib.contextmanager
    def _faults(self, destination: str, source: str, first: Fault, nearest: list[Fault]) -> Iterator[None]:
        """Until both proxies have nothing more to do."""
        nature = parse_faults(self._schedule.nature)
        if not self._schedule.may_cancel:
            nature.append(CancelRefused(""))
        proxies = (self._rig.destination_proxy, self._rig.source_proxy)
        proxies[0].play([first, *parse_faults(destination), *nature, *nearest])
        proxies[1].play(parse_faults(source))
        try:
            yield
        finally:
            for proxy in proxies:
                proxy.play([])
                proxy.settle()

    def _params(self, timeout: int) -> Plain:
        schedule = self._schedule
        others = sorted(self._names.destination(image.destination) for image in schedule.images)
        images = [
            {
                "repository": self._names.source(image.repository),
                "tag": self._names.tag(position),
                "destination_repository": self._names.destination(image.destination),
                "mount_from": others if schedule.mounts else [],
            }
            for position, image in enumerate(schedule.images)
        ]
        return {
            **self._rig.connections(),
            "images": images,
            "artifacts": ["all"] if schedule.artifacts else ["none"],
            "compare_artifacts": schedule.compare_artifacts,
            "on_error": schedule.on_error,
            "jobs": schedule.jobs,
            "retries": schedule.retries if timeout == _IMPATIENT else _RETRIES,
            "chunk_size": schedule.chunk_size,
            "timeout": timeout,
        }

    def _check_sessions(self, ended: Ended, sessions: Sessions, left: set[str]) -> None:
        """What is left open is what the run says, or what it can't know."""
        said = ended.sessions_left_open
        known = left - sessions.beyond_the_client(left)
        if len(known) > said:
            raise Problem(f"{len(known)} upload sessions are left that the run knew of, and it says {said}")
        forgotten = sessions.not_cancelled(left)
        # Where connections are refused, the attempt isn't seen.
        if forgotten and "refused" not in self._schedule.destination_faults:
            raise Problem(f"{len(forgotten)} upload sessions are left that the run has not tried to cancel")
        if said > len(left) + len(sessions.ended_unheard()):
            raise Problem(f"the run says that it left {said} upload sessions open, and there are {len(left)}")

    def _check_end(self, when: str) -> None:
        """All digests are equal, and all content is there, artifacts included. Raises :class:`Problem`."""
        client = Client(self._rig.destination_address)
        try:
            for position, (repository, tag) in enumerate(self._tags):
                client.check_tag(Watched(repository, tag, frozenset({self._new(position)})))
                if self._schedule.artifacts:
                    self._check_artifacts(client, position)
        except Problem as problem:
            raise Problem(f"{when}: {problem}") from None
        finally:
            client.close()

    def _check_artifacts(self, client: Client, position: int) -> None:
        image = self._schedule.images[position]
        if self._old(position) == self._new(position) and not self._schedule.compare_artifacts:
            return
        repository = self._names.destination(image.destination)
        tree = self._graph.tree(image.node)
        family = self._graph.with_referrers(tree, self._graph.at_source(image.repository))
        for subject, referrers in self._graph.referrers(family - tree).items():
            content = client.manifest(repository, list_tag(subject))
            listed = set() if content is None else {entry["digest"] for entry in json.loads(content)["manifests"]}
            for referrer in referrers:
                path = f"{repository}@{referrer.digest}"
                if referrer.digest not in listed:
                    raise Problem(f"{path} is not in the list of what refers to {subject}")
                found = client.manifest(repository, referrer.digest)
                if found is None or digest_of(found) != referrer.digest:
                    raise Problem(f"{path} is not there, and is in the list of what refers to {subject}")
                client.check(repository, found, path)
