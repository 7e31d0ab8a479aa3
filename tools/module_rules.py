# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module needs beside its own file, and which of that is missing. Needs PyYAML; takes a second."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from rules import ROOT, action_group, documentation

TARGETS = Path("tests", "integration", "targets")
NO_TESTS = re.compile(r"setup_\w+/|errors/vars/")
"""What names modules in the targets, and tests none of them."""
USE = {".yml": r"^ *(?:- )?imageops\.registry\.(\w+):", ".py": r"\b(?:task|read|at_source)\(\s*\"(\w+)\""}
"""How a task uses a module, by the kind of file."""
ATTRIBUTES = {"action", "action_group", "check_mode", "diff_mode", "idempotent", "platform"}
MAIN = "main = main_of(__name__)\n"
"""What ansible-lint calls in an action plugin."""


class Need(NamedTuple):
    """One thing that a module needs: where it belongs, whether a module has it, and what to do where it hasn't."""

    place: str
    has: Callable[[str], bool]
    advice: str


def text_of(name: str) -> str:
    """The content of a file; empty where there is none."""
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def keys_of_dict(name: str, variable: str) -> set[str]:
    """The keys of the dictionary that a file in Python gives a variable, wherever in it that is."""
    for node in ast.walk(ast.parse(text_of(name))):
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == variable
            and isinstance(node.value, ast.Dict)
        ):
            return {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    return set()


def modules() -> list[str]:
    """The names of the modules."""
    return sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))


def tested_in_targets() -> set[str]:
    """The modules of tasks in the targets: the keys of tasks in YAML, and what functions in Python make tasks of."""
    found = set()
    for path in (ROOT / TARGETS).rglob("*"):
        if path.suffix in USE and not NO_TESTS.match(path.relative_to(ROOT / TARGETS).as_posix()):
            found.update(re.findall(USE[path.suffix], path.read_text(encoding="utf-8"), re.MULTILINE))
    return found


def attributes_of(name: str) -> set[str]:
    """The attributes that a module documents, itself or by the doc fragments of the collection."""
    own = documentation(ROOT / "plugins" / "modules" / f"{name}.py")
    found = set(own.get("attributes", {}))
    for fragment in own.get("extends_documentation_fragment", []):
        file, _dot, part = fragment.partition("imageops.registry.")[2].partition(".")
        path = ROOT / "plugins" / "doc_fragments" / f"{file}.py"
        if path.is_file():
            found |= set(documentation(path, part.upper() or "DOCUMENTATION").get("attributes", {}))
    return found


def without_samples(returned: dict, place: str = "") -> Iterator[str]:
    """What is wrong with the samples of the lists that a module returns, a line for each list."""
    for key, value in returned.items():
        entries = value.get("contains", {})
        if value.get("type") == "list":
            always = {name for name, entry in entries.items() if "returned" not in entry}
            if "sample" not in value:
                yield f"RETURN has no sample of the list {place}{key}"
            elif entries and not all(always <= set(entry) <= set(entries) for entry in value["sample"]):
                yield f"in RETURN, the sample of the list {place}{key} has other keys than its entries"
        yield from without_samples(entries, f"{place}{key}.")


def needs() -> list[Need]:
    """All that a module needs beside its own file, but for its place in the action group."""
    errors = "tests/integration/targets/errors/vars/main.yml"
    runs = "tests/integration/targets/setup_runs/runs.py"
    mistakes = "tests/unit/plugins/modules/test_mistakes.py"
    attribution = "tests/integration/one-release.txt"
    in_errors = set((yaml.safe_load(text_of(errors)) or {}).get("errors_modules", {}))
    tried = {entry["module"] for entry in (yaml.safe_load(text_of(errors)) or {}).get("errors_mistakes", [])}
    in_runs, in_mistakes = keys_of_dict(runs, "known"), keys_of_dict(mistakes, "MODULES")
    in_targets = tested_in_targets()
    targets = {path.name for path in (ROOT / TARGETS).iterdir()}
    attributed = {line.split()[0] for line in text_of(attribution).splitlines() if line and not line.startswith("#")}
    in_readme = set(re.findall(r"^\| `(\w+)` \|", text_of("README.md"), re.MULTILINE))
    return [
        Need(
            "plugins/modules/{}.py",
            lambda name: bool(re.search(r"^# generated: (\w+ )*task$", text_of(f"plugins/modules/{name}.py"), re.M)),
            "end the RETURN of {} with '# generated: task' and '# end of generated', and run: make generate",
        ),
        Need(
            "plugins/modules/{}.py",
            lambda name: attributes_of(name) >= ATTRIBUTES,
            f"document the attributes {', '.join(sorted(ATTRIBUTES))} of {{}}; see the fragments of tag_info and tag",
        ),
        Need(
            "plugins/action/{}.py",
            lambda name: text_of(f"plugins/action/{name}.py").endswith(MAIN),
            "add the action plugin of {}, with its main; copy that of tag_info",
        ),
        Need(
            "tests/unit/plugins/modules/test_{}.py",
            lambda name: bool(text_of(f"tests/unit/plugins/modules/test_{name}.py")),
            "add unit tests of {} as a whole, against a registry in memory; see test_tag_info.py",
        ),
        Need(
            mistakes,
            in_mistakes.__contains__,
            "add {} to MODULES, with options that are enough for it, and a mistake to OWN_SENTENCES",
        ),
        Need(errors, in_errors.__contains__, "add {} to errors_modules, with options that are enough for it"),
        Need(
            errors,
            tried.__contains__,
            "add {} to errors_mistakes, with a mistake and the words that its message must have",
        ),
        Need(runs, in_runs.__contains__, "add {} to module_options, with options for a seeded image"),
        Need(
            TARGETS.as_posix(),
            in_targets.__contains__,
            "use {} in a target, of its own or another: run it, again, and both in check mode",
        ),
        Need(
            attribution,
            lambda name: name not in targets or name in attributed,
            "add the target {}, and the release that it runs on, oldest or newest",
        ),
        Need("README.md", in_readme.__contains__, "add a row for {} to the table of modules"),
    ]


def missing() -> Iterator[str]:
    """A line for everything that a module needs and hasn't."""
    wanted, names = needs(), modules()
    for name in names:
        for need in wanted:
            if not need.has(name):
                yield f"{need.place.format(name)}: {need.advice.format(name)}"
        module = f"plugins/modules/{name}.py"
        yield from (f"{module}: {problem}" for problem in without_samples(documentation(ROOT / module, "RETURN")))
    for path in sorted((ROOT / "plugins" / "action").glob("*.py")):
        if path.stem not in names:
            yield f"plugins/action/{path.name}: there is no module of this name"


def main() -> int:
    broken = [*action_group(), *missing()]
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
