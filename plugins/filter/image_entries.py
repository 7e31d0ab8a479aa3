# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References as entries of ``promote_images``. The thinking is in ``_promotion``."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ..module_utils._model._errors import RegistryError
from ..module_utils._promotion import _entries


def image_entries(
    references: t.Any,
    prefix: t.Any = "",
    registries: t.Any = None,
    registry: t.Any = "",
    expected_registry: t.Any = "",
) -> list[dict[str, t.Any]]:
    """The references as entries, each target once."""
    texts = {"prefix": prefix, "registry": registry, "expected_registry": expected_registry}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise AnsibleFilterError(f"The filter imageops.registry.image_entries takes {name} as text.")
    if registries is not None and not isinstance(registries, Mapping):
        raise AnsibleFilterError(
            "The filter imageops.registry.image_entries takes registries as a mapping of hosts to prefixes, such as "
            "{'docker.io': 'mirror/hub'}."
        )
    try:
        return _entries.image_entries(references, registries=registries, **texts)
    except RegistryError as error:
        # Ansible would show the cause once more.
        raise AnsibleFilterError(f"The filter imageops.registry.image_entries cannot be applied: {error}") from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., list[dict[str, t.Any]]]]:
        return {"image_entries": image_entries}
