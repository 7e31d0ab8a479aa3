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

import yaml

ROOT = Path(__file__).resolve().parent.parent
CONNECTION = "imageops.registry.connection"
HEADER = "SPDX-License-Identifier: "
# These files cannot carry a comment, are written by a tool, or are short and fixed by a tool.
WITHOUT_HEADER = {"LICENSE", "CHANGELOG.md", "CHANGELOG.rst", "changelogs/changelog.yaml"}
WITH_HEADER = {".py", ".yml", ".yaml", ".toml", ".sh", ".j2", ".md", ".rst", ".cfg", ".txt", ".mk"}

# What the package has: files, and directories with all that is in them.
PACKAGED = {"CHANGELOG.md", "CHANGELOG.rst", "LICENSE", "README.md", "tests/config.yml"}
PACKAGED |= {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
BY_GALAXY = {"FILES.json", "MANIFEST.json"}

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
            yield f"{name}: its first lines lack '{HEADER}GPL-3.0-or-later'"


def documentation(path: Path) -> dict[str, object]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == "DOCUMENTATION" for target in node.targets):
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
        yield f"meta/runtime.yml: the action group 'registry' lacks the module {name}"
    for name in sorted(set(group) - members):
        yield f"meta/runtime.yml: the action group 'registry' names {name}, no module that extends {CONNECTION}"
    if len(group) != len(set(group)):
        yield "meta/runtime.yml: the action group 'registry' names a module twice"


def imported(path: Path, depth: int) -> Iterator[str]:
    """The files and directories in plugins/module_utils that a file imports from, which is so deep in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from [node.module.partition(".")[0]] if node.module else [alias.name for alias in node.names]


def layers() -> Iterator[str]:
    """Files in plugins/module_utils import only from those before them in the table of docs/develop.md."""
    guide = (ROOT / "docs" / "develop.md").read_text(encoding="utf-8")
    section = guide.partition("\n## Layers\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[2] for line in section.splitlines() if line.startswith("|")]
    order = re.findall(r"`(\w+)`", " ".join(rows))
    directory = ROOT / "plugins" / "module_utils"
    there = {path.relative_to(directory).parts[0].removesuffix(".py") for path in directory.rglob("*.py")}
    for name in sorted(there ^ set(order)):
        lacks = "lacks" if name in there else "should not have"
        yield f"docs/develop.md: the table of layers {lacks} {name}"
    for path in sorted(directory.rglob("*.py")):
        parts = path.relative_to(directory).parts
        own = parts[0].removesuffix(".py")
        below = order[: order.index(own)] if own in order else order
        for used in sorted(set(imported(path, len(parts))) - set(below)):
            yield f"plugins/module_utils/{'/'.join(parts)}: imports {used}, not before {own} in docs/develop.md"


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
        if name in PACKAGED or name.partition("/")[0] in PACKAGED
    }
    for name in sorted(built ^ wanted):
        if name in built:
            yield f"galaxy.yml: build_ignore lacks {name}, which users have no need of"
        else:
            yield f"galaxy.yml: {name} is missing in the package"


def main() -> int:
    broken = [*headers(), *action_group(), *layers(), *package()]
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
