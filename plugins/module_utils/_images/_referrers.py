# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What refers to an image: by the referrers API, by the tag schema, and by the tags that cosign writes."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._end._referrers import Referrers, referrers_tag
from .._model._digest import algorithm_of
from .._model._errors import BAD_CONTENT, RegistryError
from .._model._manifest import EMPTY_TYPE, Descriptor, Manifest
from .._run._parallel import run_all
from ._listing import ImageName, head_images

SIGNATURE_SUFFIX = ".sig"
COSIGN_SUFFIXES = (SIGNATURE_SUFFIX, ".att", ".sbom")

UNTYPED = ("", EMPTY_TYPE)
"""Types in a list that say nothing. The second is that of an empty config, which some registries name for all."""


class Found(t.NamedTuple):
    """What refers to one image. ``digest`` is empty where a tag doesn't exist."""

    digest: str
    exists: bool
    referrers: Referrers
    cosign_tags: tuple[tuple[str, Descriptor], ...]
    unread: RegistryError | None = None
    """What was denied or failed where nothing was found, so that something may be there. Whoever concludes something
    from there being nothing takes it for an error."""


_NOTHING = Found("", False, Referrers((), ""), ())


def cosign_tags(digest: str) -> list[str]:
    """The tags beside a digest under which cosign keeps signatures, attestations and SBOMs.

    None for a sha512 digest: cosign doesn't shorten it, and a tag has no room for it.
    """
    if algorithm_of(digest) != "sha256":
        return []
    return [referrers_tag(digest) + suffix for suffix in COSIGN_SUFFIXES]


def find_referrers(registry: End, names: t.Sequence[ImageName], artifact_type: str = "") -> list[Found | RegistryError]:
    """What refers to the images; outcomes in their order. What isn't there is a result and no error.

    With ``artifact_type``, referrers of that type only. Where a list gives another, or none, the manifest's own counts.
    """
    heads = head_images(registry, names)
    digests = [name.digest or (head.digest if isinstance(head, Descriptor) else "") for name, head in zip(names, heads)]
    known = [
        (place, name.repository, digest)
        for place, (name, head, digest) in enumerate(zip(names, heads, digests))
        if digest and not isinstance(head, RegistryError)
    ]
    places = [(repository, digest) for _place, repository, digest in known]
    asked = _typed(registry, places, referrers_of(registry, places), artifact_type)
    answers = {place: answer for (place, _repository, _digest), answer in zip(known, asked)}
    outcomes: list[Found | RegistryError] = []
    for place, head in enumerate(heads):
        answer = head if isinstance(head, RegistryError) else answers.get(place, _NOTHING)
        outcomes.append(answer._replace(exists=head is not None) if isinstance(answer, Found) else answer)
    return outcomes


def _typed(
    registry: End,
    places: t.Sequence[tuple[str, str]],
    answers: t.Sequence[Found | RegistryError],
    artifact_type: str,
) -> list[Found | RegistryError]:
    """The answers with types that the manifests have themselves, and of one type only where that is asked for."""

    def is_open(listed: Descriptor) -> bool:
        return listed.artifact_type != artifact_type if artifact_type else listed.artifact_type in UNTYPED

    wanted = {
        (repository, listed.digest): listed.media_type
        for (repository, _digest), answer in zip(places, answers)
        if isinstance(answer, Found)
        for listed in answer.referrers.descriptors
        if is_open(listed)
    }
    types = own_types(registry, wanted)

    def typed(repository: str, answer: Found | RegistryError) -> Found | RegistryError:
        if isinstance(answer, RegistryError):
            return answer
        found = []
        for listed in answer.referrers.descriptors:
            own = types.get((repository, listed.digest))
            if isinstance(own, RegistryError) and artifact_type:
                return own
            entry = listed._replace(artifact_type=own) if isinstance(own, str) else listed
            if artifact_type in ("", entry.artifact_type):
                found.append(entry)
        return answer._replace(referrers=answer.referrers._replace(descriptors=tuple(found)))

    return [typed(repository, answer) for (repository, _digest), answer in zip(places, answers)]


def own_types(
    registry: End, listed: t.Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], str | RegistryError | None]:
    """The artifact types that manifests have themselves, by repository and digest; given with their media types.

    None for what isn't there, or can't be understood: then there is nothing but what a list says.
    """

    read = _read(registry, listed)
    return {place: found.artifact_type if isinstance(found, Manifest) else found for place, found in read.items()}


def _read(
    registry: End, listed: t.Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], Manifest | RegistryError | None]:
    """Manifests by repository and digest, given with their media types; None where :func:`own_types` says so."""

    def read(place: tuple[str, str]) -> Manifest | None:
        try:
            return registry.get_manifest(*place, listed[place])
        except BAD_CONTENT:
            # What is read next says that of the artifact.
            return None

    return dict(zip(listed, run_all(read, list(listed), registry.jobs)))


def referrers_of(registry: End, places: t.Sequence[tuple[str, str]]) -> list[Found | RegistryError]:
    """What refers to digests in repositories, whether or not these exist; outcomes in their order."""

    class Question(t.NamedTuple):
        place: int
        repository: str
        digest: str
        tag: str

        def ask(self) -> Referrers | Descriptor | None:
            if self.tag:
                return registry.head_manifest(self.repository, self.tag)
            return registry.list_referrers(self.repository, self.digest)

    questions = [
        Question(place, repository, digest, tag)
        for place, (repository, digest) in enumerate(places)
        for tag in ("", *cosign_tags(digest))
    ]
    # All questions at once: for a single image, they then wait for one another no longer than for many.
    answers: dict[int, list[tuple[Question, t.Any]]] = {}
    for question, answer in zip(questions, run_all(Question.ask, questions, registry.jobs)):
        answers.setdefault(question.place, []).append((question, answer))
    return _completed(registry, places, [_found(registry, answers[place]) for place in range(len(places))])


def _completed(
    registry: End, places: t.Sequence[tuple[str, str]], answers: t.Sequence[Found | RegistryError]
) -> list[Found | RegistryError]:
    """The answers with media types and sizes from the manifests themselves, where a list doesn't give them."""
    bare = {
        (repository, listed.digest): listed.media_type
        for (repository, _digest), answer in zip(places, answers)
        if isinstance(answer, Found)
        for listed in answer.referrers.descriptors
        if not (listed.media_type and listed.size)
    }
    manifests = _read(registry, bare)

    def completed(repository: str, answer: Found | RegistryError) -> Found | RegistryError:
        if isinstance(answer, RegistryError):
            return answer
        entries = []
        for listed in answer.referrers.descriptors:
            manifest = manifests.get((repository, listed.digest))
            if isinstance(manifest, RegistryError):
                return manifest
            if manifest is not None:
                listed = listed._replace(media_type=manifest.media_type, size=manifest.size)
            entries.append(listed)
        return answer._replace(referrers=answer.referrers._replace(descriptors=tuple(entries)))

    return [completed(repository, answer) for (repository, _digest), answer in zip(places, answers)]


def _found(registry: End, answers: t.Sequence[tuple[t.Any, t.Any]]) -> Found | RegistryError:
    found = _NOTHING._replace(exists=True)
    for question, answer in answers:
        found = found._replace(digest=question.digest)
        if isinstance(answer, RegistryError):
            return answer
        if isinstance(answer, Referrers):
            if answer.doubt is not None:
                return answer.doubt
            found = found._replace(referrers=answer, unread=found.unread or answer.unread)
        elif answer is not None:
            found = found._replace(cosign_tags=(*found.cosign_tags, (question.tag, answer)))
        else:
            found = found._replace(unread=found.unread or registry.denial_of(question.repository, question.tag))
    return found


def referrers_as_plain(found: Found) -> dict[str, t.Any]:
    """What was found, as a result."""
    return {
        "digest": found.digest,
        "exists": found.exists,
        "found_by": found.referrers.found_by,
        "referrers": [
            {
                "digest": descriptor.digest,
                "media_type": descriptor.media_type,
                "size": descriptor.size,
                "artifact_type": descriptor.artifact_type,
                "annotations": dict(descriptor.annotations),
            }
            for descriptor in found.referrers.descriptors
        ],
        "cosign_tags": [
            {
                "tag": tag,
                "digest": descriptor.digest,
                "media_type": descriptor.media_type,
                "size": descriptor.size,
            }
            for tag, descriptor in found.cosign_tags
        ],
    }
