# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the time goes before a module does anything: its payload is built, unpacked, compiled and imported.

Usage: PYTHON_OF_ANSIBLE_CORE tests/benchmark/startup.py [--rounds N] [MODULE...]

A line for each module, ansible.builtin.ping first: files and KiB of the payload, the least seconds of processor time in
which ansible-core builds it, by itself and with the garbage collector as the collection's action plugins set it, and in
which a new Python imports it from source, as AnsiballZ has it. The collection is looked for as Ansible does it, so
ANSIBLE_COLLECTIONS_PATH may have to name its root.
"""

from __future__ import annotations

import argparse
import ast
import base64
import gc
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from ansible import constants
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar

_MODULES = ("image_copy", "image_diff_info", "blob", "manifest", "tag", "image_archive")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("modules", nargs="*", default=[f"imageops.registry.{name}" for name in _MODULES])
    options = parser.parse_args()
    init_plugin_loader()
    templar = Templar(loader=DataLoader())
    print(f"{'module':40} {'files':>5} {'KiB':>5} {'built in':>9} {'collected rarely':>17} {'imported in':>12}")
    for name in ["ansible.builtin.ping", *options.modules]:
        payload = _payload(name, templar)
        built = min(_seconds_of_building(name, templar) for _round in range(options.rounds))
        rarely = min(_seconds_of_building(name, templar, rarely=True) for _round in range(options.rounds))
        with zipfile.ZipFile(io.BytesIO(payload)) as archive, tempfile.TemporaryDirectory() as directory:
            files = [entry for entry in archive.infolist() if entry.filename.endswith(".py")]
            archive.extractall(directory)
            imported = min(_seconds_of_importing(directory, files) for _round in range(options.rounds))
        size = sum(entry.file_size for entry in files) // 1024
        print(f"{name:40} {len(files):5} {size:5} {built:7.3f} s {rarely:15.3f} s {imported:10.3f} s")
    return 0


def _build(name: str, templar: Templar) -> bytes:
    found = module_loader.find_plugin_with_context(name)
    if not found.resolved:
        sys.exit(f"There is no module {name}: is the collection below ANSIBLE_COLLECTIONS_PATH?")
    built = modify_module(
        module_name=name,
        module_path=found.plugin_resolved_path,
        module_args={},
        templar=templar,
        task_vars={"ansible_python_interpreter": sys.executable},
        module_compression="ZIP_STORED",
    )
    return bytes(built.b_module_data)


def _seconds_of_building(name: str, templar: Templar, *, rarely: bool = False) -> float:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        # What it has built before it takes from there, and a new run of Ansible has nothing there.
        constants.DEFAULT_LOCAL_TMP = tempfile.mkdtemp(dir=constants.DEFAULT_LOCAL_TMP)
        if rarely:
            # Found by Ansible's own importer only, which is there by now.
            from ansible_collections.imageops.registry.plugins.plugin_utils._module_action import (
                OBJECTS_BETWEEN_COLLECTIONS,
            )

            gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        begin = time.process_time()
        _build(name, templar)
        os.write(write, str(time.process_time() - begin).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        return float(answer.read())


def _payload(name: str, templar: Templar) -> bytes:
    """The archive within the script that is sent to the managed node."""
    script = _build(name, templar).decode()
    texts = [
        node.value
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[\w+/=\s]{1000,}", node.value)
    ]
    return base64.b64decode(max(texts, key=len))


def _seconds_of_importing(directory: str, files: list[zipfile.ZipInfo]) -> float:
    module = next(
        Path(entry.filename).with_suffix("").as_posix().replace("/", ".")
        for entry in files
        if "/modules/" in entry.filename and not entry.filename.endswith("__init__.py")
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, {directory!r}); import {module}"], check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
