# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The rules of ``signatures``: which of them decides about a repository, and whom it trusts."""

from __future__ import annotations

import typing as t

from .._model._errors import InvalidInput
from .._model._selection import matches_any, read_repository_patterns
from . import _cryptography as lib
from ._certificate_chain import Roots, read_certificates, read_subject
from ._pem import read_pem
from ._public_keys import PublicKey, public_keys
from ._trust import COSIGN_SIGN, Trust

Plain = dict[str, t.Any]

REQUIRED, IF_PRESENT, EXEMPT = "required", "if_present", "none"
MODES = (REQUIRED, IF_PRESENT, EXEMPT)


class SignatureRule(t.NamedTuple):
    """What is asked of the signatures of images in some repositories."""

    repositories: tuple[str, ...]
    """Patterns in shell style, in which ``*`` matches ``/`` too."""
    mode: str
    trust: Trust = Trust()
    each_image: bool = False
    """Whether every image of an index needs a signature of its own as well."""

    def decides(self, repository: str) -> bool:
        """Whether one of the patterns matches."""
        return matches_any(repository, self.repositories)


def rule_for(rules: t.Sequence[SignatureRule], repository: str) -> SignatureRule | None:
    """The first rule that decides about a repository; None where none does."""
    return next((rule for rule in rules if rule.decides(repository)), None)


def read_rules(entries: t.Sequence[Plain]) -> tuple[SignatureRule, ...]:
    """The rules in a list of plain values. Keys and certificates are read, and nothing is asked of a registry.

    Raises :class:`InvalidInput` and :class:`LocalFileError`, with the place in the list.
    """
    return tuple(_rule(entry, f"signatures[{place}]") for place, entry in enumerate(entries))


def _rule(entry: Plain, where: str) -> SignatureRule:
    mode, keys, certificates = entry["mode"], entry["keys"] or [], entry["certificates"] or []
    repositories = read_repository_patterns(entry["repositories"], f"{where}.repositories")
    if not keys and not certificates:
        if mode == EXEMPT:
            return SignatureRule(repositories, mode)
        raise InvalidInput(
            f"{where}: mode {mode} needs keys or certificates to verify with",
            hint=f"Give the public keys, or exempt these repositories with mode {EXEMPT}",
        )
    if entry["subjects"] and not certificates:
        raise InvalidInput(f"{where}.subjects: they are those of certificates, and none are given")
    if lib.PROBLEM:
        raise InvalidInput(
            f"{where}: signatures cannot be verified, since {lib.PROBLEM}",
            hint="Install cryptography for the Python that runs the module",
        )
    # Where nothing has to be signed, they still tell who has signed records of promotions.
    roots = [
        one for place, text in enumerate(certificates) for one in _certificates(text, f"{where}.certificates[{place}]")
    ]
    subjects = [read_subject(text, f"{where}.subjects[{place}]") for place, text in enumerate(entry["subjects"] or [])]
    trust = Trust(
        tuple(one for place, text in enumerate(keys) for one in _keys(text, f"{where}.keys[{place}]")),
        Roots(tuple(roots), tuple(subjects)),
        {str(name): _text(value) for name, value in (entry["annotations"] or {}).items()},
        tuple([COSIGN_SIGN] if entry["predicate_types"] is None else entry["predicate_types"]),
    )
    return SignatureRule(repositories, mode, trust, bool(entry["each_image"]))


def _text(value: t.Any) -> str:
    """The value of an annotation, which is a text. YAML makes truth values of some texts, such as ``true``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _keys(text: str, where: str) -> tuple[PublicKey, ...]:
    return public_keys(*read_pem(text, where))


def _certificates(text: str, where: str) -> tuple[t.Any, ...]:
    return read_certificates(*read_pem(text, where))
