# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The grammar of registry, repository, tag and reference (distribution spec, "Pulling manifests")."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ._digest import check_digest, is_digest
from ._errors import InvalidInput
from ._shown import HIDDEN, quoted, without_login, without_odd_port, without_secret

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_HOST_LABEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?", re.ASCII)
_IPV6_HOST = re.compile(r"\[[a-fA-F0-9:]+(?:\.[0-9.]+)?\]", re.ASCII)

_A_REPOSITORY = "Give a name such as team/app"
_A_TAG = "Give a tag such as 1.4.2"
_A_REFERENCE = "Give it as dev.example:5000/team/app:1.4.2, or with @sha256:... in place of the tag"
_LOGIN = "A login, if it is one, belongs in username and password"

_MAXIMUM_LENGTH = 255
"""Of host[:port], "/" and repository together, the limit that many clients share."""

DOCKER_HUB = "docker.io"
_DOCKER_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")


class Reference(t.NamedTuple):
    """What a reference string names. Parts that it doesn't have are empty."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        text = f"{self.registry}/{self.repository}" if self.registry else self.repository
        if self.tag:
            text += f":{self.tag}"
        if self.digest:
            text += f"@{self.digest}"
        return text


class Place(t.NamedTuple):
    """Where a repository was named: by which option, and which registry it belongs to."""

    option: str = "repository"
    registry: str = ""
    """Empty where it isn't known."""
    registry_option: str = "registry"
    """Empty where it is in no registry."""
    end: str = ""
    """``source`` or ``destination``, in tasks with two."""


ANYWHERE = Place()


def check_repository(text: object, place: Place = ANYWHERE) -> str:
    """Return ``text`` if it is a repository name, else raise :class:`InvalidInput`.

    A name that begins with the registry that ``place`` names is refused: nobody means that, and few registries would
    say more than that it isn't there.
    """
    shown = quoted(text)
    if not isinstance(text, str) or not text:
        why = "it is not a string" if text and not isinstance(text, str) else "it is empty"
        raise InvalidInput(f"malformed repository name {shown}: {why}", hint=_A_REPOSITORY)
    # The length is looked at first and the components one by one, so that no input makes the pattern slow.
    if len(text) > _MAXIMUM_LENGTH:
        raise InvalidInput(
            f"malformed repository name {shown}: longer than {_MAXIMUM_LENGTH} characters", hint=_A_REPOSITORY
        )
    if not all(_COMPONENT.fullmatch(component) for component in text.split("/")):
        if re.search("[:@]", text):
            raise _whole_reference(text, place)
        lower = text.lower()
        why = (
            "upper-case letters are not allowed"
            if text != lower
            else "components of a-z and 0-9, joined by '.', '_', '__' or '-', are separated by '/'"
        )
        is_name = all(_COMPONENT.fullmatch(component) for component in lower.split("/"))
        raise InvalidInput(
            f"malformed repository name {shown}: {why}",
            hint=f"Perhaps {lower} is meant" if is_name else _A_REPOSITORY,
        )
    if _is_of(text.partition("/"), place.registry):
        raise _whole_reference(text, place)
    return text


def _is_of(parts: tuple[str, str, str], registry: str) -> bool:
    """Whether a name begins with its own registry. ``localhost`` alone is what podman calls images that it built."""
    first, slash, _rest = parts
    host = split_host_port(registry)[0].lower()
    return bool(slash and "." in first) and (first == host or (is_docker_hub(first) and is_docker_hub(host)))


def _whole_reference(text: str, place: Place) -> InvalidInput:
    """A repository with something in it that is an option of its own: says what it is, and where it belongs."""
    shown, hidden = without_secret(text), f"{HIDDEN}@"
    rest = shown.rpartition("://")[2]
    rest = rest[len(hidden) :] if rest.startswith(hidden) else rest
    rest, _at_sign, digest = rest.partition("@")
    head, colon, last = rest.rpartition(":")
    rest, tag = (head, last) if colon and "/" not in last else (rest, "")
    first, slash, path = rest.partition("/")
    registry = ""
    if slash and looks_like_registry(first):
        registry, rest = first, path
    inside = [f"the {name} {part}" for name, part in (("registry", registry), ("tag", tag), ("digest", digest)) if part]
    why = f"it has {' and '.join(inside)} in it" if inside else "it has a ':' or an '@' in it"
    end = f" at the {place.end}" if place.end else ""
    advice = [f"Give {place.option}: {rest}"] if all(map(_COMPONENT.fullmatch, rest.split("/"))) else []
    if tag or digest:
        advice.append(f"{'put' if advice else 'Put'} the {'tag' if tag else 'digest'} into an option of its own")
    hint = ", and ".join(advice)
    if registry and hint and place.registry_option:
        known = f" is {place.registry}, and" if place.registry else ""
        hint += f"; the registry{end}{known} is given by {place.registry_option}"
    if text != without_login(text):
        hint = ". ".join(filter(None, (hint, _LOGIN)))
    return InvalidInput(f"malformed repository name {shown[:160]!r}{end}: {why}", hint=hint)


def check_tag(text: object) -> str:
    """Return ``text`` if it is a tag, else raise :class:`InvalidInput`.

    To YAML, 1.10 is the number 1.1: a number with a point, or a truth value, isn't the tag that was meant.
    """
    if text is None or text == "":
        raise InvalidInput("malformed tag '': it is empty", hint=_A_TAG)
    if isinstance(text, (float, bool)):
        raise InvalidInput(
            f"malformed tag {text}: YAML does not read it as a string",
            hint="Put the tag in quotes: without them, 1.10 is 1.1",
        )
    if isinstance(text, int):
        text = str(text)
    if isinstance(text, str) and _TAG.fullmatch(text):
        return text
    if is_digest(text):
        raise InvalidInput(f"malformed tag '{text}': it is a digest", hint="Give it as digest, in place of tag")
    raise InvalidInput(
        f"malformed tag {quoted(text)}: up to 128 letters, digits, '.', '_' and '-' are allowed, "
        "the first a letter, digit or '_'",
        hint=_instead_of_tag(text),
    )


def _instead_of_tag(text: object) -> str:
    """What to do about a malformed tag, which may be a whole reference."""
    if isinstance(text, str) and ":" in text:
        with contextlib.suppress(InvalidInput):
            reference = parse_reference(text)
            return f"Give {reference.repository} as the repository, and {reference.tag or 'the tag'} as the tag"
    return _A_TAG


def check_registry(text: object) -> str:
    """Return ``text`` if it is host[:port], else raise :class:`InvalidInput`."""
    if not isinstance(text, str) or not text:
        raise InvalidInput("malformed registry: it is empty", hint="Give host or host:port")
    if "@" in text:
        raise InvalidInput(
            "malformed registry, which is not shown: it has a login in front of '@'",
            hint="Give user name and secret in username and password, and only host[:port] in registry",
        )
    shown = quoted(without_odd_port(text))
    if "://" in text:
        raise InvalidInput(
            f"malformed registry {shown}: give host[:port] without a scheme (and plain_http for a registry without TLS)"
        )
    if "/" in text:
        raise InvalidInput(f"malformed registry {shown}: give host[:port] without a path")
    if len(text) > _MAXIMUM_LENGTH:
        raise InvalidInput(f"malformed registry {shown}: longer than {_MAXIMUM_LENGTH} characters")
    host, port = split_host_port(text)
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise InvalidInput(f"malformed registry {shown}: the port must be a number from 1 to 65535")
    if text.endswith(":"):
        raise InvalidInput(f"malformed registry {shown}: the port after ':' is missing")
    if not (_IPV6_HOST.fullmatch(host) or all(_HOST_LABEL.fullmatch(label) for label in host.split("."))):
        raise InvalidInput(f"malformed registry {shown}: {host!r} is not a host name or an address")
    return text


def split_host_port(text: str) -> tuple[str, str]:
    """Split host[:port]; the port is empty where there is none. IPv6 addresses keep their brackets."""
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        return host + bracket, rest[1:] if rest.startswith(":") else rest
    host, _colon, port = text.partition(":")
    return host, port


def looks_like_registry(component: str) -> bool:
    """Whether the first component of a name is a registry, to Docker and podman."""
    return "." in component or ":" in component or component == "localhost"


def is_docker_hub(registry: str) -> bool:
    """Whether ``registry`` is one of the names of Docker Hub."""
    return registry.lower() in _DOCKER_HUB_NAMES


def same_registry(one: str, other: str) -> bool:
    """Whether two names are of one registry: host names have no case, and Docker Hub has several."""
    return one.lower() == other.lower() or (is_docker_hub(one) and is_docker_hub(other))


def on_docker_hub(reference: Reference) -> Reference:
    """The reference as one of Docker Hub, where a repository without a ``/`` is in ``library/``."""
    repository = reference.repository
    return reference._replace(
        registry=DOCKER_HUB, repository=repository if "/" in repository else f"library/{repository}"
    )


def parse_reference(text: object) -> Reference:
    """Split ``[registry/]repository[:tag][@digest]``.

    The first part is a registry if it has a ``.``, a ``:`` or an upper-case letter, is ``localhost`` or starts with
    ``[``. Without one the registry is empty: nothing is assumed, no ``latest`` and no ``library/`` added, except that
    Docker Hub's own names get ``library/`` as Docker Hub does it. Raises :class:`InvalidInput`.
    """
    if not isinstance(text, str) or not text:
        why = "it is not a string" if text and not isinstance(text, str) else "it is empty"
        raise InvalidInput(f"malformed reference {quoted(text)}: {why}", hint=_A_REFERENCE)
    if text != without_login(text):
        raise InvalidInput(
            f"malformed reference {quoted(text)}: only a digest can follow '@'",
            hint=_LOGIN,
        )
    if "://" in text:
        raise InvalidInput(f"malformed reference {quoted(text)}: give it without the scheme in front of '://'")
    rest, at_sign, digest = text.rpartition("@")
    if not at_sign:
        rest, digest = text, ""
    head, colon, last = rest.rpartition(":")
    tag = ""
    if colon and "/" not in last:
        # host:port alone can't be told from repository:tag; a reference always has a repository.
        rest, tag = head, last
    first, slash, path = rest.partition("/")
    registry = ""
    if slash and (looks_like_registry(first) or first != first.lower() or first.startswith("[")):
        registry, rest = first, path
    why_registry = ""
    if first == registry and first != first.lower() and not ("." in first or ":" in first):
        why_registry = f"; {first!r} was taken for the registry, since repositories have no upper-case letters"
    try:
        if registry:
            check_registry(registry)
            if is_docker_hub(registry):
                registry = DOCKER_HUB
                rest = rest if "/" in rest else f"library/{rest}"
        check_repository(rest)
        if tag or (colon and not last):
            check_tag(tag)
        if at_sign:
            check_digest(digest)
        if registry and len(registry) + 1 + len(rest) > _MAXIMUM_LENGTH:
            raise InvalidInput(f"registry and repository are longer than {_MAXIMUM_LENGTH} characters together")
    except InvalidInput as error:
        raise InvalidInput(
            f"malformed reference {quoted(text)}: {error.reason}{why_registry}", hint=_A_REFERENCE
        ) from error
    return Reference(registry, rest, tag, digest)
