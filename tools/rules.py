# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository's own rules that no other tool checks. Needs PyYAML; runs in the repository or a copy of it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from generate import stale
from guide_examples import unreadable
from links import broken as broken_links
from links import leaving

ROOT = Path(__file__).resolve().parent.parent
CONNECTION = "imageops.registry._connection"
# REUSE-IgnoreStart
HEADER = "SPDX-License-Identifier: "
# REUSE-IgnoreEnd
# These files cannot carry a comment, are written by a tool, or are copied into every pull request.
WITHOUT_HEADER = {"LICENSE", "LICENSES/GPL-3.0-or-later.txt", "CHANGELOG.md", "changelogs/changelog.yaml"}
WITHOUT_HEADER |= {".github/pull_request_template.md"}
WITH_HEADER = {".py", ".yml", ".yaml", ".toml", ".sh", ".j2", ".md", ".rst", ".cfg", ".txt", ".mk"}

PAGES = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
CONTRACTION = re.compile(r"\b(?:[A-Za-z]+n't|(?:it|that|there|what|who)'s|(?:you|they|we)'re)\b", re.IGNORECASE)

# What the package has: files, and directories with all that is in them.
PACKAGED = {"CHANGELOG.md", "LICENSE", "README.md", "execution-environment.yml", "tests/config.yml"}
PACKAGED |= {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
# Pages for those who develop the collection.
NOT_PACKAGED = {"docs/add-a-module.md", "docs/architecture.md", "docs/develop.md", "docs/release.md"}
BY_GALAXY = {"FILES.json", "MANIFEST.json"}

# The packages of plugins/module_utils, lowest first: docs/architecture.md says what each is for.
ROOMS = ("_model", "_run", "_end", "_credentials", "_http", "_registry", "_layout", "_blobs", "_images", "_promotion")
ROOMS += ("_module",)
ONLY_IN = {"ansible": "_module", "requests": "_http", "urllib3": "_http"}
# These work on whatever is behind the port, a registry or a layout.
PORT_ONLY = {"_layout", "_blobs", "_images", "_promotion"}
BEHIND_PORT = {"_http", "_registry"}

VERSION = "plugins/module_utils/_model/_version.py"
LONGEST_LINE = 160
SUPPRESSED = re.compile(r"# type: ignore(\[[\w, -]+\])?$")
"""A check of types that is turned off, with nothing that says why."""

NOT_OURS = {".git", ".build", ".ansible", "__pycache__", "output"}


def files() -> Iterator[Path]:
    for directory, directories, names in os.walk(ROOT):
        directories[:] = sorted(set(directories) - NOT_OURS)
        for name in sorted(names):
            yield Path(directory, name)


def headers() -> Iterator[str]:
    """Each file says its licence in its first lines."""
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if name in WITHOUT_HEADER or path.is_symlink():
            continue
        with path.open("rb") as stream:
            start = stream.read(2000)
        if (path.suffix in WITH_HEADER or start.startswith(b"#!")) and HEADER.encode() not in start:
            yield f"{name}: add '{HEADER}GPL-3.0-or-later' to its first lines, as a comment"


def long_lines() -> Iterator[str]:
    """ansible-test allows no longer line, not even in documentation, and takes two minutes to say so."""
    for path in files():
        if path.suffix == ".py":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if len(line) > LONGEST_LINE:
                    yield f"{path.relative_to(ROOT)}:{number}: {len(line)} characters; at most {LONGEST_LINE}"


def unreasoned() -> Iterator[str]:
    """A check of types that is turned off has a comment that says why."""
    for path in files():
        if path.suffix == ".py":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if SUPPRESSED.search(line):
                    yield f"{path.relative_to(ROOT)}:{number}: say behind '# type: ignore[CODE]' why: '  # REASON'"


def contracted() -> Iterator[str]:
    """Messages say "is not" where guides may say "isn't"."""
    for path in sorted((ROOT / "plugins").glob("**/*.py")):
        if path.parent.name == "doc_fragments":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        pages = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and {target.id for target in node.targets if isinstance(target, ast.Name)} & PAGES
        }
        for node in texts:
            if id(node) not in docstrings | pages and CONTRACTION.search(str(node.value)):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: write out the contraction: a message has none"


def documentation(path: Path, part: str = "DOCUMENTATION") -> dict[str, object]:
    """What a module or a doc fragment documents in the text of that name; empty where there is none."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == part for target in node.targets):
            loaded = yaml.safe_load(ast.literal_eval(node.value))
            return loaded if isinstance(loaded, dict) else {}
    return {}


def action_group() -> Iterator[str]:
    """The action group names exactly the modules that take the connection options."""
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    group = runtime["action_groups"]["registry"]
    members = set()
    for path in sorted((ROOT / "plugins" / "modules").glob("*.py")):
        fragments = documentation(path).get("extends_documentation_fragment") or []
        if CONNECTION in ([fragments] if isinstance(fragments, str) else fragments):
            members.add(path.stem)
    for name in sorted(members - set(group)):
        yield f"meta/runtime.yml: add {name} to the action group 'registry'"
    for name in sorted(set(group) - members):
        yield f"meta/runtime.yml: the action group 'registry' names {name}, no module that extends {CONNECTION}"
    if len(group) != len(set(group)):
        yield "meta/runtime.yml: the action group 'registry' names a module twice"


class Import(NamedTuple):
    """One import in a file, for types only or not: what is imported, so many packages up (0: absolute)."""

    level: int
    name: str


def imports(path: Path) -> Iterator[Import]:
    """All imports of a file, wherever in it they are."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(0, alias.name)
        elif isinstance(node, ast.ImportFrom):
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                yield Import(node.level, name)


def rooms() -> Iterator[str]:
    """Files in plugins/module_utils import from their own package and from those below it, and nothing else of ours."""
    directory = ROOT / "plugins" / "module_utils"
    there = sorted(path.name for path in directory.iterdir() if path.name not in NOT_OURS)
    if there != sorted(ROOMS):
        yield f"plugins/module_utils: has {' '.join(there)}; its packages are {' '.join(ROOMS)} (tools/rules.py)"
    for path in sorted(directory.rglob("*.py")):
        parts = path.relative_to(directory).parts
        name = f"plugins/module_utils/{'/'.join(parts)}"
        if len(parts) != 2 or parts[0] not in ROOMS:
            yield f"{name}: is in none of the packages {' '.join(ROOMS)}"
            continue
        for found in imports(path):
            yield from (f"{name}: {problem}" for problem in wrong_in_room(parts[0], found))


def wrong_in_room(room: str, found: Import) -> Iterator[str]:
    """What is wrong with an import in a file of this package."""
    top = found.name.partition(".")[0]
    if found.level == 0:
        only = ONLY_IN.get(top)
        if only not in (None, room):
            yield f"imports {top}, which only {only} may"
        if top == "ansible_collections":
            yield "imports from this collection by its full name: import relatively"
    elif found.level > 2:
        yield f"imports {found.name} from outside of module_utils"
    elif found.level == 2:
        if top not in ROOMS or ROOMS.index(top) >= ROOMS.index(room):
            yield f"imports {found.name}, and {top} is not below {room}"
        elif room in PORT_ONLY and top in BEHIND_PORT:
            yield f"imports {found.name}: {room} knows registries by _end only"


def version() -> Iterator[str]:
    """Modules know the version of the collection, which is in galaxy.yml, too."""
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    text = (ROOT / VERSION).read_text(encoding="utf-8")
    if f'VERSION = "{galaxy}"' not in text.splitlines():
        yield f"{VERSION}: the version is not {galaxy}, which galaxy.yml has"


def package() -> Iterator[str]:
    """What ansible-galaxy builds has all that users need, and nothing of what is for developers."""
    with tempfile.TemporaryDirectory() as directory:
        program = Path(sys.executable).parent / "ansible-galaxy"
        command = [sys.executable, str(program), "collection", "build", "--output-path", directory, str(ROOT)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            yield f"galaxy.yml: the package cannot be built: {done.stdout.strip()}"
            return
        (path,) = Path(directory).iterdir()
        with tarfile.open(path) as archive:
            built = {member.name for member in archive if member.isfile()} - BY_GALAXY
    wanted = {
        name
        for name in (path.relative_to(ROOT).as_posix() for path in files())
        if name not in NOT_PACKAGED and (name in PACKAGED or name.partition("/")[0] in PACKAGED)
    }
    for name in sorted(built ^ wanted):
        if name in built:
            yield f"galaxy.yml: add {name} to build_ignore, because users do not need it"
        else:
            yield f"galaxy.yml: {name} is missing in the package"
    yield from leaving(ROOT, built & wanted)


def undrawn() -> Iterator[str]:
    """The picture of the README, if it shows something else than the README."""
    # Needs rich, which only the environment of the linters has.
    import terminal_picture

    if terminal_picture.picture() != terminal_picture.PICTURE.read_text(encoding="utf-8"):
        yield "docs/promotion.svg is not what the README shows; draw it: python tools/terminal_picture.py"


def problems() -> Iterator[str]:
    """A line for everything that is against a rule."""
    for rule in (headers, long_lines, unreasoned, contracted, rooms, version, stale, unreadable, undrawn, package):
        yield from rule()
    yield from broken_links(ROOT, files())


def main() -> int:
    broken = list(problems())
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
