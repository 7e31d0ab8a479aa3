# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The documents of images that a task looks at, without promoting them."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._end._remembering import remembering
from .._images._listing import ImageName
from .._model._errors import NotFound, RegistryError
from .._model._manifest import Manifest
from .._model._times import utc_now
from .._run._parallel import run_all
from ._document import ImageDocument, Surroundings
from ._first_sights import FirstSights
from ._signature_rules import SignatureRule, rule_for
from ._signatures import judge_one
from ._trust import NOBODY

Plain = dict[str, t.Any]


def documents_of(
    registry: End, names: t.Sequence[ImageName], rules: t.Sequence[SignatureRule], sights: FirstSights | None
) -> list[Plain | RegistryError]:
    """The documents of images, as plain values, in their order. That one isn't there is no error.

    Signatures are looked at where there are rules. Nothing is kept in ``sights``.
    """
    now = utc_now()
    if rules:
        registry = remembering(registry)

    def surroundings(name: ImageName, manifest: Manifest) -> Surroundings:
        rule = rule_for(rules, name.repository)
        found = judge_one(registry, name.repository, manifest, rule, now).as_plain() if rules else {}
        return Surroundings(
            now,
            NOBODY if rule is None else rule.trust,
            found.get("signatures", ()),
            first_seen=None if sights is None else sights.first((registry.name, name.repository, manifest.digest)),
        )

    def look(name: ImageName) -> Plain:
        try:
            manifest = registry.get_manifest(name.repository, name.reference)
        except NotFound:
            return {"exists": False, "digest": name.digest, "document": None}
        reference = f"{registry.name}/{name.repository}{'@' if name.digest else ':'}{name.reference}"
        document = ImageDocument(registry, name, manifest, reference, surroundings(name, manifest))
        return {"exists": True, "digest": manifest.digest, "document": document.as_plain()}

    return run_all(look, names, registry.jobs)
