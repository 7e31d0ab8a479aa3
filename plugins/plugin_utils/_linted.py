# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

"""The ``main`` of every action plugin, by which ansible-lint checks the options of tasks.

The linter's rule ``args`` loads the plugin that runs a task. It calls ``main`` in there with the options of the task on
standard input, and with an ``AnsibleModule`` in ``ansible.module_utils.basic`` that ends as soon as they are checked.
The module's own ``main`` isn't called, so no registry is asked anything.

The linter sees less than the module: a template may have any value, or none with ``omit``, and the defaults of the
action group are somewhere else. What can't be decided without them is no mistake.
"""

from __future__ import annotations

import importlib
import typing as t
from collections.abc import Callable, Collection, Mapping, Sequence

from ansible.module_utils import basic

from ..module_utils._module._connection import connection_arguments
from ..module_utils._module._shapes import broken_rule, misshapen, with_declared_names
from ._module_action import without_nulls

Plain = dict[str, t.Any]

FROM_GROUP = frozenset(connection_arguments({}))
"""What the defaults of the action group can give: the options that all modules have in common."""
_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_by", "required_if")


def main_of(plugin: str) -> Callable[[], None]:
    """The function ``main`` for the action plugin with this ``__name__``."""
    package, _dot, name = plugin.rpartition(".")
    module = f"{package.rpartition('.')[0]}.modules.{name}"

    def main() -> None:
        """Check the options on standard input, and do nothing with them."""
        check(f"imageops.registry.{name}", importlib.import_module(module).ARGUMENTS)

    return main


def check(name: str, arguments: Plain) -> None:
    """End with a failure, in the module's own words where it has some, for options that the module would refuse."""

    class Linted(basic.AnsibleModule):
        """A module that checks its options as far as the task alone decides them."""

        def _load_params(self) -> None:
            super()._load_params()  # type: ignore[no-untyped-call]  # ansible-core has no types
            # Options that AnsibleModule adds, for attributes of files, are in its own specification only.
            declared = {**arguments, "argument_spec": self.argument_spec}
            # The linter has this name for a template that stands for all options of a task.
            whole = self.params.pop("_raw_params", None)
            self.params = with_declared_names(without_nulls(self.params))
            elsewhere = FROM_GROUP if whole is None else frozenset(self.argument_spec)
            decided = loosened(declared, "argument_spec", [self.params], elsewhere)
            for part in ("argument_spec", *(rule for rule in _RULES if rule in decided)):
                setattr(self, part, decided[part])
            mistake = misshapen(self.argument_spec, self.params) or broken_rule(decided, self.params)
            if mistake:
                self.fail_json(msg=mistake)
            self.params["_ansible_module_name"] = name

    # As in a task, AnsibleModule may add to the specification.
    Linted(**{**arguments, "argument_spec": dict(arguments["argument_spec"])})


def loosened(
    declared: Plain, key: str, written: Sequence[Mapping[str, t.Any]], elsewhere: Collection[str] = ()
) -> Plain:
    """Options (those in ``key``) and the rules among them, without what can't be decided from what is written.

    ``written`` are the mappings that give the options, several for those of a list. Options in ``elsewhere`` may be
    given where nobody looks.
    """
    options: Plain = {}
    templated = set()
    for name, option in declared[key].items():
        spellings = (name, *option.get("aliases", ()))
        values = [entry[spelling] for entry in written for spelling in spellings if spelling in entry]
        options[name] = _loosened_option(option, values)
        if name in elsewhere:
            options[name]["required"] = False
        if any(map(is_template, values)):
            templated.add(name)
    rules = {}
    for kind in _RULES:
        if kind in declared:
            # Two options that a task gives exclude each other, whatever else is given.
            undecided = templated if kind == "mutually_exclusive" else templated.union(elsewhere)
            rules[kind] = _decided(kind, declared[kind], undecided)
    return {**declared, key: options, **rules}


def is_template(value: t.Any) -> bool:
    """Whether Ansible makes the value when the task runs."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _loosened_option(option: Plain, values: Sequence[t.Any]) -> Plain:
    entries = [entry for value in values for entry in (value if isinstance(value, list) else [value])]
    if any(map(is_template, entries)):
        return {"type": "raw", **{name: option[name] for name in ("required", "aliases", "no_log") if name in option}}
    if "options" in option:
        return loosened(option, "options", [entry for entry in entries if isinstance(entry, Mapping)])
    return dict(option)


def _decided(kind: str, rules: t.Any, undecided: set[str]) -> t.Any:
    """The rules of a kind that name no option that may be given or not."""
    if kind == "required_by":
        return {name: needed for name, needed in rules.items() if undecided.isdisjoint((name, *needed))}
    if kind == "required_if":
        return [rule for rule in rules if undecided.isdisjoint((rule[0], *rule[2]))]
    return [rule for rule in rules if undecided.isdisjoint(rule)]
