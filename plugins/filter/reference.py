# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references taken apart."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._model._errors import RegistryError
from ..module_utils._model._reference import parse_reference


def reference(text: t.Any) -> dict[str, str]:
    """The parts of a reference; those that it doesn't have are empty."""
    try:
        return parse_reference(text)._asdict()
    except RegistryError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., dict[str, str]]]:
        return {"reference": reference}
