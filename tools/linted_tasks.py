# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-lint says of tasks of users: it finds each mistake, for each module, and nothing else.

Every module gets tasks without a mistake, and one task for each kind of mistake. They are made from what the module
declares. The examples of README, guides and modules are linted, too. The registry that all these tasks name is there,
and keeps a log: the linter must ask it nothing.

Runs in the environment of the linters, in the copy of the collection.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import subprocess
import sys
import tempfile
import textwrap
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import guide_pages
from module_rules import modules
from rules import ROOT

COLLECTION = "ansible_collections.imageops.registry"
sys.path.insert(0, str(ROOT.parents[2]))
FROM_GROUP = importlib.import_module(f"{COLLECTION}.plugins.plugin_utils._linted").FROM_GROUP
RegistryServer = importlib.import_module(f"{COLLECTION}.tests.unit.support.registry_server").RegistryServer
del sys.path[0]

TASKS = Path("tasks", "main.yml")
"""One task in each line."""
PLAYS = Path("playbooks", "examples.yml")
"""One play for each example."""
REGISTRY = re.compile(r"\b(?:[a-z]+\.)+example(?::\d+)?\b(?!/)")
"""The registries of the examples."""
HOST = "registry.example"
VALUES = {"str": "a", "raw": "a", "path": "/a", "int": 1, "float": 1, "bool": True}
WRONG = {"int": "many", "bool": "maybe", "dict": "a", "list": {"a": "b"}}
"""Values that no option of such a type takes."""
LAST_PLAY = f"""\
- name: A play with a mistake
  hosts: localhost
  module_defaults:
    group/imageops.registry.registry:
      registry: {HOST}
  tasks:
    - name: Look at the registry
      imageops.registry.registry_info:
        repositry: team/app
"""
"""Behind the examples. Where it isn't found, the linter hasn't looked at them."""
Options = dict[str, Any]


class LintedTask(NamedTuple):
    """A task, and words of the one thing that the linter has to say of it; without them, it has nothing to say."""

    name: str
    module: str
    options: Options
    words: str = ""

    def line(self) -> str:
        """The task as it stands in a file."""
        return "- " + json.dumps({"name": self.name, f"imageops.registry.{self.module}": self.options})


class Mistake(NamedTuple):
    """Options with a mistake, what it is, and words of what the linter has to say."""

    what: str
    options: Options
    words: str


def value_of(name: str, option: Options) -> Any:
    """A value that the option takes."""
    if name == "registry":
        return HOST
    kind = option.get("type", "str")
    if kind == "list":
        return [value_of("", {**option, "type": option.get("elements", "str")})]
    if "choices" in option:
        return option["choices"][0]
    return enough(option, "options") if kind == "dict" else VALUES[kind]


def enough(declared: Options, key: str) -> Options:
    """The fewest options that go together, of those that are declared under the key."""
    options = declared.get(key, {})
    names = [name for name, option in options.items() if option.get("required")]
    names += beside(declared, [alternatives[0] for alternatives in declared.get("required_one_of", ())])
    given = {name: value_of(name, options[name]) for name in names}
    for name, value, others, *_any in declared.get("required_if", ()):
        if given.get(name) == value:
            given.update((other, value_of(other, options[other])) for other in others)
    return given


def beside(declared: Options, names: Sequence[str]) -> list[str]:
    """These options, and those that are needed beside them."""
    groups = [group for group in declared.get("required_together", ()) if set(group) & set(names)]
    return list(dict.fromkeys([*names, *(name for group in groups for name in group)]))


def without(options: Options, *names: str) -> Options:
    """The other options."""
    return {name: value for name, value in options.items() if name not in names}


def tasks() -> Iterator[LintedTask]:
    """For every module, a task without a mistake, one that gets its registry from elsewhere, and its mistakes."""
    for module in modules():
        arguments = importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").ARGUMENTS
        good = {**enough(arguments, "argument_spec"), "plain_http": True}
        yield LintedTask(f"{module}, good", module, good)
        yield LintedTask(f"{module}, good with defaults of the group", module, without(good, "registry"))
        for mistake in (*mistakes(arguments, good), *mistakes_of_rules(arguments, good)):
            yield LintedTask(f"{module}, {mistake.what}", module, mistake.options, mistake.words)


def mistakes(arguments: Options, good: Options) -> Iterator[Mistake]:
    """Mistakes in single options, one of each kind."""
    options = arguments["argument_spec"]
    yield Mistake("unknown option", {**good, "regsitry": HOST}, "regsitry")
    own = {name: option for name, option in options.items() if name not in FROM_GROUP}
    yield from mistyped({"jobs": options["jobs"], **own}, good, "")
    for name, option in own.items():
        if "choices" in option:
            other = ["other"] if option["type"] == "list" else "other"
            yield Mistake(f"choice of {name}", {**good, name: other}, name)
        if option.get("required"):
            yield Mistake(f"without {name}", without(good, name), f"{name} must be given")
        for inner in mistakes_of_entries(option):
            value = [inner.options] if option["type"] == "list" else inner.options
            yield Mistake(f"{inner.what} in {name}", {**good, name: value}, inner.words)


def mistyped(options: Options, good: Options, place: str) -> Iterator[Mistake]:
    """One option of each type with a value of another one."""
    for kind, wrong in WRONG.items():
        name = next((name for name, option in options.items() if option.get("type") == kind), "")
        if name:
            yield Mistake(f"type of {name}", {**good, name: wrong}, f"{place}{name} must be ")


def mistakes_of_entries(option: Options) -> Iterator[Mistake]:
    """Mistakes in an option that is a mapping, or in an entry of a list of mappings."""
    options = option.get("options", {})
    if options:
        good = enough(option, "options")
        yield Mistake("unknown key", {**good, "regsitry": "a"}, " has the unknown key regsitry")
        yield from mistyped(options, good, ".")
        for name in good:
            yield Mistake(f"no {name}", without(good, name), f".{name} must be given")


def mistakes_of_rules(arguments: Options, good: Options) -> Iterator[Mistake]:
    """Mistakes in what goes together."""
    options = arguments["argument_spec"]
    for alternatives in arguments.get("required_one_of", ()):
        others = without(good, *beside(arguments, alternatives))
        yield Mistake(f"neither {' nor '.join(alternatives)}", others, f"is required: {', '.join(alternatives)}")
    for first, second, *_others in arguments["mutually_exclusive"]:
        both = {name: value_of(name, options[name]) for name in beside(arguments, (first, second))}
        yield Mistake(f"{first} and {second}", {**good, **both}, f"{second} cannot be given beside {first}")
    for name, value, others, *_any in arguments.get("required_if", ()):
        alone = {**without(good, *others), name: value}
        yield Mistake(f"{name} without {others[0]}", alone, f"{others[0]} must be given")


def examples() -> Iterator[tuple[str, str]]:
    """The tasks and plays in README, guides and modules: where each is, and its text."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "docs").rglob("*.rst"))]
    blocks = [(page, block) for page in pages for block in code_in(page.read_text(encoding="utf-8"))]
    for name in modules():
        path = ROOT / "plugins" / "modules" / f"{name}.py"
        text = re.search(r'^EXAMPLES = r"""\n(.*?)^"""', path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        blocks.append((path, text[1] if text else ""))
    for path, block in blocks:
        # What begins as a file does is one of the collection itself, and linted there.
        if re.match(r"(#.*\n)*- ", block) and "imageops.registry." in block:
            yield path.relative_to(ROOT).as_posix(), block


def code_in(text: str) -> Iterator[str]:
    """The blocks of YAML in a page."""
    yield from re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    yield from (one.text for one in guide_pages.examples(text) if one.language in ("yaml", "yaml+jinja"))


def as_play(name: str, block: str) -> str:
    """An example as a play, or as the plays that it is."""
    if re.search(r"^ *-? *(?:hosts|(?:ansible\.builtin\.)?import_playbook):", block, re.MULTILINE):
        return block
    return f"- name: An example of {name}\n  hosts: localhost\n  tasks:\n{textwrap.indent(block, '    ')}"


def linted(directory: Path) -> list[Options]:
    """What the linter finds in the files of the directory."""
    program = Path(sys.executable).parent / "ansible-lint"
    # What the rule args has to say is of the tag syntax; so is what keeps a file from being looked at.
    options = ["--offline", "--nocolor", "--format", "json", "--tags", "syntax"]
    done = subprocess.run(
        [sys.executable, program, *options, TASKS, PLAYS],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # Where a rule breaks, the linter goes on without what it would have found.
    if "Ignored exception" in done.stderr or not done.stdout.startswith("["):
        sys.exit(f"ansible-lint ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    found: list[Options] = json.loads(done.stdout)
    return found


def differing(every: Sequence[LintedTask], found: Sequence[Options]) -> Iterator[str]:
    """A line for each task of which the linter says something else than it has to."""
    said: dict[int, list[str]] = {}
    for finding in found:
        place, text = finding["location"], f"{finding['check_name']}: {finding['description']}"
        if place["path"] == TASKS.as_posix() and finding["check_name"] == "args[module]":
            said.setdefault(place["lines"]["begin"], []).append(text)
        elif "repositry" not in text:
            yield f"{json.dumps(place)}: {text}"
    if not any("repositry" in finding["description"] for finding in found):
        yield f"{PLAYS}: the linter finds nothing in the last play, which has a mistake"
    for number, task in enumerate(every, 1):
        texts = said.get(number, [])
        if task.words and not texts:
            yield f"{task.name}: the linter finds no mistake"
        elif len(texts) != bool(task.words) or not all(task.words in text for text in texts):
            yield f"{task.name}: the linter says: {' '.join(texts)}"


def main() -> int:
    every, blocks = list(tasks()), list(examples())
    with tempfile.TemporaryDirectory() as name, contextlib.closing(RegistryServer()) as registry:
        lines = [task.line() for task in every]
        plays = [*(as_play(page, block) for page, block in blocks), LAST_PLAY]
        for path, parts in ((TASKS, lines), (PLAYS, plays)):
            (Path(name) / path).parent.mkdir()
            (Path(name) / path).write_text(REGISTRY.sub(registry.host, "\n".join(parts)), encoding="utf-8")
        broken = list(differing(every, linted(Path(name))))
        broken += [f"the linter asks the registry: {request}" for request in registry.requests]
        urllib.request.urlopen(f"http://{registry.host}/v2/", timeout=10).close()
        if not registry.requests:
            broken.append("the registry keeps no log of what it is asked")
    for line in broken:
        print(line)
    print(f"{len(every)} tasks and {len(blocks)} examples linted")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
