# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What is trusted to sign, and what has to be in a signature: one rule of ``signatures``, once its files are read."""

from __future__ import annotations

import typing as t

from .._model._errors import Unverified
from .._model._manifest import Descriptor
from ._certificate_chain import Roots
from ._public_keys import PublicKey
from ._signed_content import shown

COSIGN_SIGN = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type of a statement that is a signature, and says nothing else."""


class Subject(t.NamedTuple):
    """What a signature has to be about."""

    descriptor: Descriptor
    content: bytes
    """The exact bytes of the manifest."""


class Trust(t.NamedTuple):
    """Who may sign, and what must be signed."""

    keys: tuple[PublicKey, ...] = ()
    roots: Roots = Roots()
    annotations: t.Mapping[str, str] = {}
    """These must be in what is signed."""
    predicate_types: tuple[str, ...] = (COSIGN_SIGN,)
    """Which statements count as a signature."""

    def signer(self, signature: bytes, signed: bytes) -> str:
        """The name of the key that has signed these bytes. Raises :class:`Unverified`."""
        for key in self.keys:
            if key.verifies(signature, signed):
                return key.name
        if not self.keys:
            raise Unverified("it is made with a key, and no keys are given")
        advice = ". ".join(dict.fromkeys(key.advice for key in self.keys if key.advice))
        number = "the key that is given does not verify" if len(self.keys) == 1 else "none of the keys verifies"
        raise Unverified(f"{number} it", hint=advice)

    def check_annotations(self, signed: t.Mapping[str, str]) -> None:
        """Raise :class:`Unverified` where an annotation that must be signed isn't, or has another value."""
        for name, value in self.annotations.items():
            if name not in signed:
                raise Unverified(f"the annotation {name} is not signed")
            if signed[name] != value:
                raise Unverified(
                    f"the annotation {name} is {shown(signed[name])} in what is signed, not {shown(value)}"
                )


NOBODY = Trust()
"""No key and no certificate."""


def check_digest(signed: t.Any, subject: Subject) -> None:
    """Raise :class:`Unverified` where what is signed is about another image."""
    if signed != subject.descriptor.digest:
        raise Unverified(f"it is about {shown(signed)}, not {subject.descriptor.digest}")
