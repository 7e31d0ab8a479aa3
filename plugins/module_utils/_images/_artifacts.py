# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What belongs to images: their referrers and the tags that cosign writes, compared between two registries.

An image that is signed after it was built has its signature, attestations and SBOMs beside it, not in it. They are
found for the image and each of its children, and for what was found in turn (distribution spec, "Listing Referrers";
the tags are those of cosign before it wrote referrers).
"""

from __future__ import annotations

import typing as t

from .._blobs._missing_repositories import MissingRepositories
from .._end._end import End
from .._end._purpose import Purpose
from .._end._referrers import Referrers
from .._model._actions import API, COPY, EXISTS, LEFT_OUT, MISSING, REFUSED, REPLACE, SKIP
from .._model._errors import (
    AccessDenied,
    AuthenticationFailed,
    ForeignType,
    InvalidInput,
    NotFound,
    NoToken,
    RegistryError,
)
from .._model._manifest import INDEX_TYPES, Descriptor, Manifest, foreign_type, is_foreign
from .._run._parallel import run_all
from ._inspection import manifest_digests, read_tree
from ._referrers import UNTYPED, Found, own_types, referrers_of

ALL = "all"
NONE = "none"
ACTIONS = (EXISTS, COPY, REPLACE, SKIP, REFUSED, MISSING, LEFT_OUT)
"""What may be done about an artifact."""

_LISTED = "listed"
"""On a list that clients keep at the destination; whether it is there has to be seen."""
_MAXIMUM_DEPTH = 8
_MAXIMUM_ARTIFACTS = 1000


class Artifact(t.NamedTuple):
    """One artifact that belongs to a digest of an image, and what is to be done about it."""

    subject: str
    digest: str
    artifact_type: str
    tag: str = ""
    """The tag of cosign under which it is; empty for a referrer."""
    action: str = COPY
    reason: str = ""
    media_type: str = ""
    """The type in the descriptor that led to it; a hint only."""
    previous_digest: str = ""
    """The digest that the tag points to at the destination."""
    tree: tuple[Manifest, ...] = ()
    """What has to be pushed, children first; empty where nothing has to."""


class ArtifactsWanted(t.NamedTuple):
    """What is asked for about one image."""

    repository: str
    """The repository at the source."""
    destination_repository: str
    digests: tuple[str, ...]
    """The image and its children."""
    left_behind: tuple[str, ...]
    """Indexes of which only a part is taken: what refers to them can't come along."""
    types: tuple[str, ...]
    """Artifact types, or ``all``."""
    on_conflict: t.Callable[[str], str]
    """What to do with a tag that points to another digest: REPLACE, SKIP or REFUSED."""


def compare_artifacts(
    source: End,
    destination: End,
    requests: t.Sequence[ArtifactsWanted],
    known: Answers | None = None,
    missing: MissingRepositories | None = None,
) -> list[tuple[Artifact, ...] | RegistryError]:
    """What belongs to the images at the source, and what of it the destination lacks; outcomes in their order.

    ``known`` are answers of the source that needn't be asked for, ``missing`` are repositories that the destination is
    presumed not to have.

    What the source lists and doesn't have is a result. What can't be read is an error: nothing is left behind silently.
    """
    graphs = [_Graph(request) for request in requests]
    _find(source, graphs, known or {})
    _look_at_destination(destination, graphs, missing or MissingRepositories(destination))
    _read(source, destination, graphs)
    return [graph.error or tuple(graph.artifacts) for graph in graphs]


Place = tuple[str, str]
"""A repository and a digest at the source."""
Answers = t.Mapping[Place, t.Union[Found, RegistryError]]
Types = t.Mapping[Place, t.Union[str, RegistryError, None]]
"""Artifact types that manifests have themselves; None where that can't be told."""


class _Graph:
    """What belongs to one image, as far as it is known."""

    def __init__(self, wanted: ArtifactsWanted) -> None:
        self.wanted = wanted
        self.artifacts: list[Artifact] = []
        self.error: RegistryError | None = None
        self._seen: set[tuple[str, str, str]] = set()
        self._asked: set[str] = set()
        self.open = dict.fromkeys([*wanted.digests, *wanted.left_behind], "")
        """Digests that are to be asked about next, and the media types of those that aren't known to be no index."""

    def doubtful(self, answers: Answers) -> t.Iterator[tuple[Place, str]]:
        """What a list gives another type than those asked for: only its manifest can say whether it is of one.

        Each with its media type.
        """
        for digest in self.open:
            answer = answers[self.wanted.repository, digest]
            if isinstance(answer, Found) and digest not in self.wanted.left_behind:
                for listed in answer.referrers.descriptors:
                    if not self.is_wanted([listed.artifact_type]):
                        yield (self.wanted.repository, listed.digest), listed.media_type

    def advance(self, answers: Answers, types: Types) -> None:
        """Take in what belongs to the digests that were open; what was found is open next.

        ``types`` are those of what was doubtful.
        """
        asked, self.open = self.open, {}
        self._asked.update(asked)
        for digest in asked:
            answer = answers[self.wanted.repository, digest]
            if isinstance(answer, RegistryError):
                self._fail(answer)
                return
            for artifact in _artifacts_of(digest, answer):
                own = types.get((self.wanted.repository, artifact.digest))
                if isinstance(own, RegistryError):
                    self._fail(own)
                    return
                if own is not None and artifact.subject not in self.wanted.left_behind:
                    if not self.is_wanted([own]):
                        continue
                    artifact = artifact._replace(artifact_type=own)
                self._add(artifact)
        if len(self.artifacts) > _MAXIMUM_ARTIFACTS:
            self._fail(InvalidInput(f"more than {_MAXIMUM_ARTIFACTS} artifacts belong to the image"))

    def _add(self, artifact: Artifact) -> None:
        key = (artifact.subject, artifact.digest, artifact.tag)
        if key in self._seen:
            return
        self._seen.add(key)
        if artifact.subject in self.wanted.left_behind:
            reason = "it belongs to the whole index, of which only a part is promoted"
            self.artifacts.append(artifact._replace(action=LEFT_OUT, reason=reason))
        elif artifact.tag or artifact.artifact_type in UNTYPED or self.is_wanted([artifact.artifact_type]):
            # What has no type can't be read either: it is taken, and then it is said why it can't be brought over.
            self.artifacts.append(artifact)
            if artifact.digest not in self._asked:
                self.open.setdefault(artifact.digest, artifact.media_type)

    def is_wanted(self, types: t.Iterable[str]) -> bool:
        """Whether one of the types is among those asked for."""
        return ALL in self.wanted.types or any(name in self.wanted.types for name in types)

    def _fail(self, error: RegistryError) -> None:
        self.error = error
        self.open = {}

    def open_children(self, found: t.Mapping[tuple[str, str, str], list[str] | RegistryError]) -> None:
        """Open the children of the indexes that are open."""
        for digest, media_type in list(self.open.items()):
            children = found.get((self.wanted.repository, digest, media_type), [])
            if isinstance(children, RegistryError):
                self._fail(children)
                return
            for child in children:
                if child not in self._asked:
                    self.open.setdefault(child, "")

    def end_too_deep(self) -> None:
        """Give up what refers to one another deeper than is sensible."""
        if self.open:
            self._fail(InvalidInput(f"artifacts refer to one another in more than {_MAXIMUM_DEPTH} levels"))


def _artifacts_of(subject: str, found: Found) -> t.Iterator[Artifact]:
    """What belongs to a digest."""
    for descriptor in found.referrers.descriptors:
        yield Artifact(subject, descriptor.digest, descriptor.artifact_type, media_type=descriptor.media_type)
    for tag, descriptor in found.cosign_tags:
        yield Artifact(subject, descriptor.digest, "", tag, media_type=descriptor.media_type)


def _open_children(source: End, graphs: t.Sequence[_Graph]) -> None:
    """Of artifacts that are indexes, ask about their children as well."""

    def children(place: tuple[str, str, str]) -> list[str]:
        repository, digest, media_type = place
        try:
            return manifest_digests(source, repository, Descriptor(media_type, digest, 0))
        except (NotFound, ForeignType):
            # That is told of the artifact itself.
            return []

    places = dict.fromkeys(
        (graph.wanted.repository, digest, media_type)
        for graph in graphs
        for digest, media_type in graph.open.items()
        if media_type in INDEX_TYPES
    )
    found = dict(zip(places, run_all(children, list(places), source.jobs)))
    for graph in graphs:
        graph.open_children(found)


def _find(source: End, graphs: t.Sequence[_Graph], known: Answers) -> None:
    answers = dict(known)
    types: dict[Place, str | RegistryError | None] = {}
    for _level in range(_MAXIMUM_DEPTH):
        _open_children(source, graphs)
        places = dict.fromkeys((graph.wanted.repository, digest) for graph in graphs for digest in graph.open)
        asked = [place for place in places if place not in answers]
        answers.update(zip(asked, referrers_of(source, asked)))
        doubtful = dict(entry for graph in graphs for entry in graph.doubtful(answers) if entry[0] not in types)
        types.update(own_types(source, doubtful))
        for graph in graphs:
            graph.advance(answers, types)
    for graph in graphs:
        graph.end_too_deep()


Question = tuple[str, str, str]
"""Repository and subject or tag at the destination, and which of the two it is."""


def _look_at_destination(destination: End, graphs: t.Sequence[_Graph], missing: MissingRepositories) -> None:
    def question_of(graph: _Graph, artifact: Artifact) -> Question:
        name = artifact.tag or artifact.subject
        return graph.wanted.destination_repository, name, "tag" if artifact.tag else "subject"

    def ask(question: Question) -> Referrers | Descriptor | None:
        repository, name, kind = question
        if kind == "tag":
            # What was signed at the destination as well must not be taken away.
            return destination.head_manifest(repository, name, Purpose.GUARD)
        if missing.presumes(repository):
            # After the push it is looked for.
            return Referrers((), "", proven=False)
        try:
            return destination.list_referrers(repository, name)
        except (AccessDenied, AuthenticationFailed, NoToken):
            raise
        except RegistryError:
            # It isn't known to be listed. After the push it is looked for again, and then that has to be known.
            return Referrers((), "", proven=False)

    standing = [graph for graph in graphs if graph.error is None]
    questions = list(
        dict.fromkeys(
            question_of(graph, artifact)
            for graph in standing
            for artifact in graph.artifacts
            if artifact.action == COPY
        )
    )
    answers = dict(zip(questions, run_all(ask, questions, destination.jobs)))
    for graph in standing:
        for place, artifact in enumerate(graph.artifacts):
            if artifact.action != COPY:
                continue
            answer = answers[question_of(graph, artifact)]
            if isinstance(answer, RegistryError):
                graph.error = answer
                break
            graph.artifacts[place] = _compared(artifact, answer)


def _compared(artifact: Artifact, answer: Referrers | Descriptor | None) -> Artifact:
    if isinstance(answer, Referrers):
        there = any(descriptor.digest == artifact.digest for descriptor in answer.descriptors)
        if not there:
            return artifact
        return artifact._replace(action=EXISTS if answer.found_by == API else _LISTED)
    if answer is None:
        return artifact
    if answer.digest == artifact.digest:
        return artifact._replace(action=EXISTS, previous_digest=answer.digest)
    return artifact._replace(action=REPLACE, previous_digest=answer.digest)


def _read(source: End, destination: End, graphs: t.Sequence[_Graph]) -> None:
    """Read what is to be copied; decide what only its content can decide."""

    def read(place: tuple[_Graph, int]) -> Artifact | None:
        graph, position = place
        return _read_one(source, destination, graph, graph.artifacts[position])

    places = [
        (graph, position)
        for graph in graphs
        if graph.error is None
        for position, artifact in enumerate(graph.artifacts)
        if artifact.action in (COPY, REPLACE, _LISTED)
        or (artifact.action == EXISTS and artifact.tag and ALL not in graph.wanted.types)
    ]
    outcomes = run_all(read, places, source.jobs)
    unwanted: dict[int, set[int]] = {}
    for (graph, position), outcome in zip(places, outcomes):
        if isinstance(outcome, RegistryError):
            graph.error = graph.error or outcome
        elif outcome is None:
            unwanted.setdefault(id(graph), set()).add(position)
        else:
            graph.artifacts[position] = outcome
    for graph in graphs:
        left = unwanted.get(id(graph), set())
        graph.artifacts = [artifact for position, artifact in enumerate(graph.artifacts) if position not in left]


def _read_one(source: End, destination: End, graph: _Graph, artifact: Artifact) -> Artifact | None:
    """The artifact with its manifests; None where its type isn't wanted."""
    wanted = graph.wanted
    if artifact.action == _LISTED:
        if destination.head_manifest(wanted.destination_repository, artifact.digest, Purpose.PUSH) is not None:
            return artifact._replace(action=EXISTS)
        # A cleanup may have taken it away, which doesn't know the list.
        artifact = artifact._replace(action=COPY)
    try:
        tree = tuple(read_tree(source, wanted.repository, artifact.digest, media_type=artifact.media_type))
    except ForeignType as error:
        return _not_pushable(artifact, error)
    except NotFound:
        if is_foreign(artifact.media_type):
            # Whether it is there makes no difference.
            return _not_pushable(artifact, foreign_type(artifact.media_type))
        return artifact._replace(action=MISSING, reason="the source lists it, but does not have it")
    top = tree[-1]
    if artifact.tag:
        types = dict.fromkeys([top.artifact_type, *(blob.media_type for blob in top.layers())])
        artifact = artifact._replace(artifact_type=next((name for name in reversed(types) if name), ""))
        if not graph.is_wanted(types):
            return None
        return _read_tagged(destination, graph, artifact, tree)
    if top.subject is None:
        return artifact._replace(action=LEFT_OUT, reason="it names no subject, so no registry would list it")
    if top.subject.digest != artifact.subject:
        return artifact._replace(action=LEFT_OUT, reason=f"its subject is {top.subject.digest}")
    # A list may give it another type, or none.
    return artifact._replace(artifact_type=top.artifact_type, tree=tree)


def _not_pushable(artifact: Artifact, error: ForeignType) -> Artifact:
    """What can't be pushed stays behind, and says why; but what the destination has already is there."""
    return artifact if artifact.action == EXISTS else artifact._replace(action=LEFT_OUT, reason=error.reason)


def has_all_of(standing: Manifest, artifact: Manifest) -> bool:
    """Whether what stands under a tag of cosign has all that an artifact has, and perhaps more.

    Two keys sign the same payload: the signatures are in annotations of layers that have the same digest.
    """
    own, others = (
        {(layer.digest, *sorted(layer.annotations.items())) for layer in manifest.layers()}
        for manifest in (artifact, standing)
    )
    return bool(own) and own <= others


def _read_tagged(destination: End, graph: _Graph, artifact: Artifact, tree: tuple[Manifest, ...]) -> Artifact:
    if artifact.action != REPLACE:
        return artifact if artifact.action == EXISTS else artifact._replace(tree=tree)
    standing = destination.get_manifest(graph.wanted.destination_repository, artifact.tag)
    if has_all_of(standing, tree[-1]):
        # cosign adds a layer for each signature: what was signed at the destination as well isn't taken away.
        return artifact._replace(action=EXISTS)
    action = graph.wanted.on_conflict(artifact.tag)
    if action == REPLACE:
        return artifact._replace(tree=tree)
    name = f"{destination.name}/{graph.wanted.destination_repository}:{artifact.tag}"
    reason = f"{name} points to {artifact.previous_digest}"
    return artifact._replace(action=action, reason=reason)
