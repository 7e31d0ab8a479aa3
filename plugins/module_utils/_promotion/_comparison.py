# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Comparing images by digest: what stands at both ends, and what is to be done about it."""

from __future__ import annotations

import functools
import re
import typing as t

from .._blobs._missing_repositories import MissingRepositories
from .._end._end import End
from .._end._purpose import Purpose
from .._images._artifacts import Answers, Artifact, ArtifactsWanted, Place, compare_artifacts
from .._images._contents import Missing
from .._images._inspection import manifest_digests, platforms_of, read_config, read_tree
from .._images._platform_choice import SOURCE_ANNOTATION, PlatformMissing, choose_platforms
from .._images._referrers import referrers_of
from .._model._actions import CREATE, EXISTS, FAILED, MISSING, PROMOTE, REFUSED, REPLACE, SKIP, UNCHANGED
from .._model._errors import Conflict, NotFound, RegistryError
from .._model._manifest import INDEX_TYPES, Descriptor, Manifest
from .._model._platform import is_meant_by
from .._model._reference import looks_like_registry
from .._run._parallel import run_all
from ._items import ImageItem

_NUMBER_TO_YAML = re.compile(r"[0-9]+\.[0-9]*[1-9]", re.ASCII)
"""Tags that may have lost a zero at their end."""


class TagComparison(t.NamedTuple):
    """A tag at the destination: where it stands (empty: nowhere), and what is to be done about it."""

    tag: str
    previous_digest: str
    action: str


class Comparison(t.NamedTuple):
    """One image compared: the digest at the source, and what stands at the destination."""

    item: ImageItem
    action: str
    source: Descriptor | None = None
    """What the source serves."""
    chosen: Descriptor | None = None
    """What is to be promoted: the same, or what was chosen of its platforms."""
    tags: tuple[TagComparison, ...] = ()
    tree: tuple[Manifest, ...] = ()
    """What has to be pushed, children first: what the destination lacks; empty where it has the digest already."""
    present: Manifest | None = None
    """What the destination has already, read where a tag is to be put on it."""
    rewritten: t.Mapping[str, Manifest] = {}
    """Indexes that aren't at the source, by digest: what was chosen of their platforms."""
    artifacts: tuple[Artifact, ...] = ()
    artifacts_compared: bool = False
    reason: str = ""
    missing: tuple[Missing, ...] = ()
    """What the destination has lost of content that stands there, as far as that was looked for."""
    standing: frozenset[str] = frozenset()
    """Digests in ``tree`` that the destination has: they lead to something that is missing."""

    @property
    def known(self) -> tuple[Manifest, ...]:
        """The manifests that have been read."""
        return self.tree if self.present is None else (self.present,)


def compare_images(
    source: End,
    destination: End,
    items: t.Sequence[ImageItem],
    *,
    artifacts_of_equal: bool = False,
    missing: MissingRepositories | None = None,
) -> list[Comparison]:
    """Compare images by digest and read what the plan needs; results in the items' order.

    An image that isn't there, or can't be read, is a result and no error. Where nothing is to be done, that costs one
    HEAD at the source (none for an image given by digest) and one per tag at the destination. Artifacts are compared
    where a tag is to move, and where there is no tag that would tell that they have arrived; ``artifacts_of_equal``
    compares them everywhere. ``missing`` learns which repositories aren't at the destination.
    """
    heads = _Heads(source, destination, items)
    ends = _Ends(source, destination, missing or MissingRepositories(destination))
    ends.missing.consider(heads.untagged)
    answers: dict[Place, t.Any] = {}

    def ask_ahead() -> None:
        places = list(filter(None, dict.fromkeys(_to_be_asked(destination, item, heads) for item in items)))
        answers.update(zip(places, referrers_of(source, places)))

    # What belongs to an image is asked at the same time: what is looked for meanwhile doesn't change the question.
    work: list[t.Callable[[], t.Any]] = [ask_ahead]
    work += [functools.partial(_compare, ends, item, heads) for item in items]
    _asked, *outcomes = run_all(lambda do: do(), work, max(source.jobs, destination.jobs) + 1)
    comparisons = [
        Comparison(item, FAILED, reason=str(outcome)) if isinstance(outcome, RegistryError) else outcome
        for item, outcome in zip(items, outcomes)
    ]
    return _with_artifacts(ends, comparisons, artifacts_of_equal, answers)


class _Ends(t.NamedTuple):
    """What is compared."""

    source: End
    destination: End
    missing: MissingRepositories


class _Heads:
    """What the tags of all images point to, at both ends. Both are asked at the same time, and neither waits."""

    def __init__(self, source: End, destination: End, items: t.Sequence[ImageItem]) -> None:
        ends = {"source": source, "destination": destination}
        places: dict[tuple[str, str, str], Purpose] = {}
        """Each with why it is looked for."""
        for item in items:
            if not item.digest:
                place = ("source", item.repository, item.tag)
                if item.expected_digest:
                    places[place] = Purpose.GUARD
                else:
                    places.setdefault(place, Purpose.REPORT)
            for tag in item.tags:
                places["destination", item.destination_repository, tag] = (
                    Purpose.GUARD if is_guarded(item, tag) else Purpose.PUSH
                )

        def look(place: tuple[str, str, str]) -> Descriptor | None:
            end, repository, tag = place
            return ends[end].head_manifest(repository, tag, places[place])

        # Each end bounds by itself how much is asked of it at a time.
        self._found = dict(zip(places, run_all(look, list(places), source.jobs + destination.jobs)))

    def at_source(self, item: ImageItem) -> Descriptor | None:
        """What the source serves for an image. Raises what the look has raised."""
        if item.digest:
            return Descriptor("", item.digest, 0)
        return self._get("source", item.repository, item.tag)

    def at_destination(self, item: ImageItem, tag: str) -> Descriptor | None:
        """What a tag points to. Raises what the look has raised."""
        return self._get("destination", item.destination_repository, tag)

    @property
    def untagged(self) -> set[str]:
        """Repositories at the destination in which none of the tags was found."""
        asked, others = set[str](), set[str]()
        for (end, repository, _tag), found in self._found.items():
            if end == "destination":
                (asked if found is None else others).add(repository)
        return asked - others

    def _get(self, *place: str) -> Descriptor | None:
        found = self._found[t.cast("tuple[str, str, str]", place)]
        if isinstance(found, RegistryError):
            raise found
        return found


def _compare(ends: _Ends, item: ImageItem, heads: _Heads) -> Comparison:
    source = ends.source
    found = heads.at_source(item)
    if found is None:
        return _missing(source, item)
    if item.expected_digest and found.digest != item.expected_digest:
        return Comparison(
            item,
            REFUSED,
            found,
            reason=f"{item.at_source(source.name)} is {found.digest}, and {item.expected_digest} was expected "
            "(expected_digest). If that is right, change expected_digest.",
        )
    try:
        comparison = choose(source, Comparison(item, UNCHANGED, found, found))
        return _compare_chosen(ends, comparison, heads)
    except PlatformMissing as error:
        return Comparison(item, REFUSED, found, reason=f"{item.at_source(source.name)}: {error}")
    except NotFound as error:
        if item.digest:
            return _missing(source, item)
        return Comparison(item, FAILED, found, reason=str(error))


def choose(source: End, comparison: Comparison) -> Comparison:
    """What is chosen of the platforms of an index. An image is looked at later, where it has to be promoted.

    Raises :class:`PlatformMissing` where the index has nothing for one of them, and what keeps it from being read.
    """
    item, found = comparison.item, t.cast(Descriptor, comparison.source)
    if not item.platforms or found.media_type not in (*INDEX_TYPES, ""):
        return comparison
    manifest = source.get_manifest(item.repository, found.digest, found.media_type)
    if not manifest.is_index:
        return comparison._replace(source=manifest.descriptor, chosen=manifest.descriptor)
    choice = choose_platforms(source, item.repository, manifest, item.platforms, flatten=item.flatten)
    return comparison._replace(source=manifest.descriptor, chosen=choice.chosen, rewritten=choice.rewritten)


def _compare_chosen(ends: _Ends, comparison: Comparison, heads: _Heads) -> Comparison:
    source, destination, missing = ends
    item, chosen = comparison.item, t.cast(Descriptor, comparison.chosen)
    tags = tuple(_compare_tag(destination, item, tag, chosen.digest, heads) for tag in item.tags)
    comparison = comparison._replace(tags=tags)
    refused = [tag for tag in tags if tag.action == REFUSED]
    if refused:
        return comparison._replace(action=REFUSED, reason=_why_refused(destination, item, refused[0]))
    moving = [tag for tag in tags if tag.action in (CREATE, REPLACE)]
    if tags and not moving:
        return comparison._replace(action=SKIP if any(tag.action == SKIP for tag in tags) else UNCHANGED)
    if moving and not any(tag.action == EXISTS for tag in tags):
        # Not a HEAD: a tag is put on it by pushing its content once more.
        repository = item.destination_repository
        present = missing.look(repository, lambda: _manifest_at(destination, repository, chosen))
        if present is not None:
            return comparison._replace(action=PROMOTE, chosen=present.descriptor, present=present)
    elif moving or destination.head_manifest(item.destination_repository, chosen.digest, Purpose.PUSH) is not None:
        return comparison._replace(action=PROMOTE if moving else UNCHANGED)

    def is_there(child: Descriptor) -> bool:
        if missing.presumes(item.destination_repository):
            return False
        return destination.head_manifest(item.destination_repository, child.digest, Purpose.PUSH) is not None

    known, media_type = comparison.rewritten, chosen.media_type
    tree = tuple(read_tree(source, item.repository, chosen.digest, known, media_type=media_type, is_there=is_there))
    if item.platforms and tree[-1].is_index and media_type not in (*INDEX_TYPES, ""):
        # HEAD has called it something else, so that nothing was chosen of it yet.
        top = tree[-1].descriptor
        comparison = choose(source, comparison._replace(source=top, chosen=top, tags=()))
        return _compare_chosen(ends, comparison, heads)
    _check_platform_of_image(source, item, tree[-1])
    if comparison.source == comparison.chosen:
        comparison = comparison._replace(source=tree[-1].descriptor)
    return comparison._replace(action=PROMOTE, chosen=tree[-1].descriptor, tree=tree)


def _manifest_at(registry: End, repository: str, wanted: Descriptor) -> Manifest | None:
    """What a repository has of a descriptor; None where that isn't there. What is damaged is an error.

    A registry may well take a push of it, and keep what it has.
    """
    try:
        return registry.get_manifest(repository, wanted.digest, wanted.media_type)
    except NotFound:
        return None


def _check_platform_of_image(source: End, item: ImageItem, manifest: Manifest) -> None:
    """An image that is no index is for one platform; raise :class:`PlatformMissing` where it isn't asked for."""
    if not item.platforms or manifest.is_index:
        return
    platforms = platforms_of(manifest, read_config(source, item.repository, manifest))
    if not any(is_meant_by(platform, wanted) for platform in platforms for wanted in item.platforms):
        made_for = ", ".join(platforms) or "no platform"
        raise PlatformMissing(f"it is not an index, and was made for {made_for}, not for {', '.join(item.platforms)}")


def _to_be_asked(destination: End, item: ImageItem, heads: _Heads) -> Place | None:
    """The digest at the source of which it is known by the tags alone that its artifacts are to be compared."""
    if not item.artifacts or item.platforms:
        return None
    try:
        found = heads.at_source(item)
        if found is None or (item.expected_digest and found.digest != item.expected_digest):
            return None
        actions = {_compare_tag(destination, item, tag, found.digest, heads).action for tag in item.tags}
    except RegistryError:
        return None
    moves = not actions.isdisjoint((CREATE, REPLACE)) and REFUSED not in actions
    return (item.repository, found.digest) if moves else None


def _with_artifacts(
    ends: _Ends, comparisons: list[Comparison], artifacts_of_equal: bool, answers: Answers
) -> list[Comparison]:
    """The comparisons with their artifacts. ``answers`` are those that are known already."""
    source = ends.source
    places = [
        place
        for place, comparison in enumerate(comparisons)
        if comparison.item.artifacts
        and (
            comparison.action == PROMOTE
            or (comparison.action == UNCHANGED and (artifacts_of_equal or not comparison.tags))
        )
    ]

    def digests_of(place: int) -> tuple[str, ...]:
        comparison = comparisons[place]
        chosen = t.cast(Descriptor, comparison.chosen)
        known = {**{manifest.digest: manifest for manifest in comparison.known}, **comparison.rewritten}
        digests = manifest_digests(source, comparison.item.repository, chosen, known)
        return tuple(digest for digest in digests if digest not in comparison.rewritten)

    found = run_all(digests_of, places, source.jobs)
    asked = [
        (place, _artifacts_wanted(comparisons[place], digests))
        for place, digests in zip(places, found)
        if not isinstance(digests, RegistryError)
    ]
    outcomes: dict[int, t.Any] = {
        place: digests for place, digests in zip(places, found) if isinstance(digests, RegistryError)
    }
    wanted = [request for _place, request in asked]
    compared = compare_artifacts(source, ends.destination, wanted, answers, ends.missing)
    outcomes.update(zip((place for place, _wanted in asked), compared))
    result = list(comparisons)
    for place, outcome in outcomes.items():
        result[place] = _with_outcome(comparisons[place], outcome)
    return result


def _artifacts_wanted(comparison: Comparison, digests: tuple[str, ...]) -> ArtifactsWanted:
    item = comparison.item
    indexes = [manifest.annotations[SOURCE_ANNOTATION] for manifest in comparison.rewritten.values()]
    if comparison.source and comparison.chosen and comparison.source.digest != comparison.chosen.digest:
        indexes.append(comparison.source.digest)
    return ArtifactsWanted(
        repository=item.repository,
        destination_repository=item.destination_repository,
        digests=digests,
        left_behind=tuple(dict.fromkeys(indexes)),
        types=item.artifacts,
        on_conflict=lambda tag: conflict_action(item, tag),
    )


def _with_outcome(comparison: Comparison, outcome: tuple[Artifact, ...] | RegistryError) -> Comparison:
    if isinstance(outcome, RegistryError):
        return comparison._replace(action=FAILED, tree=(), reason=str(outcome))
    compared = comparison._replace(artifacts=outcome, artifacts_compared=True)
    refused = [artifact for artifact in outcome if artifact.action == REFUSED]
    if refused:
        return compared._replace(action=REFUSED, reason=f"{refused[0].reason}, and may not move ({refused[0].subject})")
    if any(artifact.tree for artifact in outcome):
        return compared._replace(action=PROMOTE)
    return compared


def _missing(source: End, item: ImageItem) -> Comparison:
    hint = f"Check repository and {'digest' if item.digest else 'tag'}"
    if _NUMBER_TO_YAML.fullmatch(item.reference):
        hint += "; without quotes, YAML reads 1.10 as the number 1.1"
    first, slash, rest = item.repository.partition("/")
    if slash and looks_like_registry(first):
        hint += f". {first} looks like a registry: if it is one, name it as the source, with {rest} as the repository"
    return Comparison(item, MISSING, reason=f"{item.at_source(source.name)} is not at the source. {hint}.")


def _compare_tag(destination: End, item: ImageItem, tag: str, digest: str, heads: _Heads) -> TagComparison:
    standing = heads.at_destination(item, tag)
    previous = "" if standing is None else standing.digest
    if previous == digest:
        return TagComparison(tag, previous, EXISTS)
    expected = item.expected_destination_digest
    if not previous and is_guarded(item, tag) and destination.is_unsure(item.destination_repository, tag):
        raise Conflict(
            "the registry does not report to this account whether it is there, and on_conflict, immutable_tags, "
            "expected_destination_digest or keep_replaced have to know it",
            hint="If the repository is not there, create it; else let the account read it",
        ).within(f"compare {destination.name}/{item.destination_repository}:{tag}")
    if expected is not None and previous != expected:
        return TagComparison(tag, previous, REFUSED)
    if not previous:
        return TagComparison(tag, previous, CREATE)
    return TagComparison(tag, previous, conflict_action(item, tag))


def is_guarded(item: ImageItem, tag: str) -> bool:
    """Whether what a tag points to at the destination decides whether it may move, or what has to be done before."""
    return item.expected_destination_digest is not None or item.keep_replaced or conflict_action(item, tag) != REPLACE


def conflict_action(item: ImageItem, tag: str) -> str:
    """What is to be done about a tag that points to another digest."""
    if any(re.fullmatch(pattern, tag) for pattern in item.immutable_tags) or item.on_conflict == "fail":
        return REFUSED
    return SKIP if item.on_conflict == "skip" else REPLACE


def _why_refused(destination: End, item: ImageItem, tag: TagComparison) -> str:
    stands = f"{destination.name}/{item.destination_repository}:{tag.tag} points to {tag.previous_digest or 'nothing'}"
    expected = item.expected_destination_digest
    if expected is not None and tag.previous_digest != expected:
        return (
            f"{stands}, and {expected or 'no tag'} was expected (expected_destination_digest). "
            "If that is right, change expected_destination_digest."
        )
    if any(re.fullmatch(pattern, tag.tag) for pattern in item.immutable_tags):
        return f"{stands} and is immutable (immutable_tags). Promote to another tag, or take the pattern out."
    return f"{stands} (on_conflict: fail). With on_conflict: replace it is moved, with skip it is left there."
