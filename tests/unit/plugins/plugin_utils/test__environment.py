# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import types

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible.template import Templar, trust_as_template
from ansible_collections.imageops.registry.plugins.action.tag import ActionModule
from ansible_collections.imageops.registry.plugins.plugin_utils._environment import environment_of


def environment(*given: object) -> dict[str, str]:
    """Of a task whose block and play set some as well, the outermost first."""
    loader, context = DataLoader(), PlayContext()
    task = types.SimpleNamespace(environment=list(given))
    connection = connection_loader.get("local", context, "/dev/null")
    templar = Templar(loader, variables={"proxy": "proxy.example", "port": 3128})
    return environment_of(ActionModule(task, connection, context, loader, templar))


def test_texts_are_templated_and_the_innermost_counts() -> None:
    inner = {"HTTPS_PROXY": trust_as_template("{{ proxy }}"), "PORT": trust_as_template("{{ port }}"), "FLAG": True}
    assert environment({"HTTPS_PROXY": "other.example", "A": "1"}, inner) == {
        "HTTPS_PROXY": "proxy.example",
        "A": "1",
        "PORT": "3128",
        "FLAG": "True",
    }


def test_none_is_none() -> None:
    assert environment() == {}


def test_what_can_not_be_templated_is_an_error_of_ansible() -> None:
    with pytest.raises(AnsibleError):
        environment({"A": trust_as_template("{{ missing }}")})
