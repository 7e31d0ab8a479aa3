# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Python file of this collection imports, with what that imports, and so on; found from the source."""

from __future__ import annotations

import ast
import functools
import pathlib
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[3]
_COLLECTION = ("ansible_collections", "imageops", "registry")


class Imports(t.NamedTuple):
    """What a file imports: files of the collection, and by its first name what is none."""

    files: frozenset[pathlib.Path]
    others: frozenset[str]


def shipped(path: pathlib.Path) -> frozenset[pathlib.Path]:
    """The files that a payload of the module has, the module included.

    As ansible-core finds them: imports in functions, and those for type checks, are imports.
    """
    return _closure(path, every=True).files


def needs(path: pathlib.Path, package: str) -> bool:
    """Whether the file can't be imported where that package isn't installed."""
    return package in _closure(path, every=False).others


def _closure(path: pathlib.Path, *, every: bool) -> Imports:
    found = {path}
    waiting = [path]
    others: set[str] = set()
    while waiting:
        imports = _imports(waiting.pop(), every)
        others |= imports.others
        waiting += imports.files - found
        found |= imports.files
    return Imports(frozenset(found), frozenset(others))


@functools.cache
def _imports(path: pathlib.Path, every: bool) -> Imports:
    """What one file imports: everything in it, or only what can't fail when it is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    files: set[pathlib.Path] = set()
    others: set[str] = set()
    for node in ast.walk(tree) if every else _when_imported(tree.body):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = (*_package(path, node.level), *(node.module.split(".") if node.module else ()))
            names = [(*module, alias.name) for alias in node.names]
        else:
            continue
        for name in names:
            if name[:3] == _COLLECTION:
                files |= _files(name[3:])
            else:
                others.add(name[0])
    return Imports(frozenset(files), frozenset(others))


def _when_imported(body: t.Iterable[ast.stmt]) -> t.Iterator[ast.stmt]:
    """The statements that run when a file is imported, but for those whose ``ImportError`` is handled."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            is_for_types = ast.unparse(node.test).endswith("TYPE_CHECKING")
            yield from _when_imported([*([] if is_for_types else node.body), *node.orelse])
        elif isinstance(node, ast.Try):
            handled = any("ImportError" in ast.unparse(handler.type) for handler in node.handlers if handler.type)
            handlers = [statement for handler in node.handlers for statement in handler.body]
            yield from _when_imported([*([] if handled else node.body), *handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, (ast.With, ast.ClassDef)):
            yield from _when_imported(node.body)


def _package(path: pathlib.Path, level: int) -> tuple[str, ...]:
    """The package that a relative import starts from; empty for an absolute one."""
    return (*_COLLECTION, *path.relative_to(ROOT).parts[:-level]) if level else ()


def _files(name: tuple[str, ...]) -> set[pathlib.Path]:
    """The files that are imported under a name of the collection: a module, or the one that defines the name."""
    found = set()
    for length in range(1, len(name) + 1):
        place = ROOT.joinpath(*name[:length])
        found |= {file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()}
    return found
