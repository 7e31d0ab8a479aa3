# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""References, as other tools list them, as the images of a promotion."""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Iterable, Mapping

from .._model._digest import check_digest
from .._model._errors import InvalidInput, at_entry
from .._model._reference import (
    Reference,
    check_registry,
    check_repository,
    check_tag,
    is_docker_hub,
    looks_like_registry,
    on_docker_hub,
    parse_reference,
    same_registry,
)

Plain = dict[str, t.Any]

_PARTS = Reference._fields
_MEANT = {"name": "repository", "image": "repository"}
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9]+)*(?:-[a-z0-9.-]+)?", re.ASCII)
_AS_A_WHOLE = "give the whole result of tag_info, in place of its tags"


class _Wanted(t.NamedTuple):
    """An image, and what it becomes at the destination."""

    reference: Reference
    destination: str

    @property
    def target(self) -> str:
        name = self.reference
        return f"{self.destination}:{name.tag}" if name.tag else f"{self.destination}@{name.digest}"

    def as_plain(self) -> Plain:
        """The entry, without what it doesn't need."""
        name = self.reference
        entry = {"repository": name.repository, "tag": name.tag, "digest": name.digest}
        if self.destination != name.repository:
            entry["destination_repository"] = self.destination
        return {key: value for key, value in entry.items() if value}


def image_entries(
    given: t.Any,
    *,
    prefix: str = "",
    registries: t.Mapping[str, str] | None = None,
    registry: str = "",
    expected_registry: str = "",
) -> list[Plain]:
    """The references as entries of ``images``, each target once, in their order.

    Those of ``registry`` only, if it is given; none may name another than ``expected_registry``. At the destination,
    their repositories are under ``prefix``, and under that of their registry in ``registries``. Raises
    :class:`InvalidInput` for what is no reference, for references of several registries that nothing tells apart, and
    where two different images would become one.
    """
    for name in filter(None, (registry, expected_registry)):
        check_registry(name)
    if registry and expected_registry:
        raise InvalidInput("registry and expected_registry are mutually exclusive")
    references = _references(given)
    if expected_registry:
        references = _expected(references, expected_registry)
    unnamed = next((reference for reference in references if not reference.registry), None)
    references = _with_registries(references, registry, names_hub=bool(registries))
    if registry:
        references = _selected(references, registry)
    elif registries is None:
        _check_one_registry(references, unnamed)
    _check_prefix(prefix, references)
    wanted: dict[str, _Wanted] = {}
    for reference in references:
        own = "" if registries is None else _prefix_of(reference.registry, registries)
        parts = [prefix.strip("/"), own.strip("/"), reference.repository]
        image = _Wanted(reference, check_repository("/".join(filter(None, parts))))
        earlier = wanted.setdefault(image.target, image)
        wanted[image.target] = _merged(earlier, image)
    return [image.as_plain() for image in wanted.values()]


def _references(given: t.Any) -> list[Reference]:
    """All references of a list, or of the result of ``tag_info``."""
    entries = given.get("images") if isinstance(given, Mapping) else given
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Iterable):
        kind = "text" if isinstance(entries, (str, bytes)) else "something else"
        kind = "a mapping without images" if isinstance(given, Mapping) else kind
        hint = "Put the reference into a list" if kind == "text" else ""
        raise InvalidInput(
            f"a list of references is needed, or the result of tag_info, and {kind} was given", hint=hint
        )
    references = []
    for position, entry in enumerate(entries):
        with at_entry("references", position):
            reference = _of_mapping(entry) if isinstance(entry, Mapping) else parse_reference(entry)
            if not reference.tag and not reference.digest:
                raise InvalidInput(f"{reference} has neither a tag nor a digest", hint=_advice_for(reference))
            references.append(reference)
    return references


def _advice_for(reference: Reference) -> str:
    """What to do about a reference without a tag. It may be one of the tags that ``tag_info`` lists."""
    if not reference.registry and _VERSION.fullmatch(reference.repository):
        return f"It looks like a tag: {_AS_A_WHOLE}"
    latest = f"Write {reference}:latest, if that is meant"
    return latest if "/" in str(reference) else f"{latest}; if it is a tag, {_AS_A_WHOLE}"


def _of_mapping(entry: t.Mapping[str, t.Any]) -> Reference:
    """One from its parts, as the filter ``reference`` and ``tag_info`` give them."""
    unknown = [str(name) for name in entry if name not in _PARTS]
    if unknown:
        near = [_MEANT[unknown[0]]] if unknown[0] in _MEANT else difflib.get_close_matches(unknown[0], _PARTS, n=1)
        raise InvalidInput(
            f"{', '.join(unknown)} is not part of a reference; these are {', '.join(_PARTS)}",
            hint=f"Perhaps {near[0]} is meant" if near else "Leave it out",
        )
    registry, tag, digest = (entry.get(name) for name in ("registry", "tag", "digest"))
    reference = Reference(
        check_registry(registry) if registry else "",
        check_repository(entry.get("repository")),
        "" if tag in (None, "") else check_tag(tag),
        check_digest(digest) if digest else "",
    )
    return on_docker_hub(reference) if is_docker_hub(reference.registry) else reference


def _expected(references: list[Reference], registry: str) -> list[Reference]:
    """All as references of that registry, which those without any are. Refuses those that name another."""
    found = []
    for position, reference in enumerate(references):
        with at_entry("references", position):
            if reference.registry and not same_registry(reference.registry, registry):
                raise InvalidInput(
                    f"{reference} is of {reference.registry}, and {registry} is expected",
                    hint=f"Name the image as it is on {registry}, or leave the registry out",
                )
        found.append(reference._replace(registry=registry))
    return [on_docker_hub(reference) for reference in found] if is_docker_hub(registry) else found


def _with_registries(references: list[Reference], registry: str, *, names_hub: bool) -> list[Reference]:
    """Say of those without a registry where they are.

    Beside others that have one, they are Docker Hub's, as Docker and Kubernetes read them. In a list in which none has
    one, they are repositories of ``registry``, or of whatever the source will be.
    """
    if names_hub or any(reference.registry for reference in references):
        return [reference if reference.registry else on_docker_hub(reference) for reference in references]
    if not registry:
        return references
    of_registry = [reference._replace(registry=registry) for reference in references]
    return [on_docker_hub(reference) for reference in of_registry] if is_docker_hub(registry) else of_registry


def _selected(references: list[Reference], registry: str) -> list[Reference]:
    found = [reference for reference in references if same_registry(reference.registry, registry)]
    if references and not found:
        others = ", ".join(_registries(references))
        raise InvalidInput(
            f"none of the references is of {registry}; they are of {others}",
            hint="Give one of those as registry, or leave registry out",
        )
    return found


def _registries(references: t.Iterable[Reference]) -> list[str]:
    return list(dict.fromkeys(reference.registry.lower() for reference in references))


def _check_one_registry(references: t.Iterable[Reference], unnamed: Reference | None) -> None:
    """Refuse references of several registries. ``unnamed`` is one that names none, and so is on Docker Hub."""
    found = _registries(references)
    if len(found) > 1:
        hub = f". {unnamed} names none, which means docker.io" if unnamed else ""
        raise InvalidInput(
            f"the references are of several registries: {', '.join(found)}{hub}",
            hint="Take those of one with registry, or give each a prefix at the destination with registries",
        )


def _check_prefix(prefix: str, references: t.Iterable[Reference]) -> None:
    """Refuse a prefix that begins with a registry, other than one after which a mirror names its repositories."""
    first, _slash, rest = prefix.strip("/").partition("/")
    if not looks_like_registry(first) or any(same_registry(first, reference.registry) for reference in references):
        return
    path = f"prefix: {rest}" if rest else "no prefix"
    raise InvalidInput(
        f"the prefix {prefix} begins with {first}, which looks like a registry",
        hint=f"Name the destination by the option registry of the task (in a role by its destination), and give {path}",
    )


def _prefix_of(registry: str, registries: t.Mapping[str, str]) -> str:
    for name, prefix in registries.items():
        if same_registry(check_registry(name), registry):
            return prefix or ""
    raise InvalidInput(
        f"registries has no prefix for {registry}", hint="Add it, with an empty one where its repositories get none"
    )


def _merged(first: _Wanted, second: _Wanted) -> _Wanted:
    """Two references for one target as one, where they are the same image. A digest says more than a tag."""
    one, other = first.reference, second.reference
    digests = {one.digest, other.digest} - {""}
    same_source = same_registry(one.registry, other.registry) and one.repository == other.repository
    if len(digests) > 1 or not (same_source or one.digest == other.digest != ""):
        raise InvalidInput(
            f"{one} and {other} would both become {first.target} at the destination",
            hint="Keep one of them, or give their registries different prefixes",
        )
    return first._replace(reference=one._replace(digest=one.digest or other.digest))
