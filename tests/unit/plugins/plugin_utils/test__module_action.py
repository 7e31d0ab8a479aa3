# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import multiprocessing
import pathlib

from ansible_collections.imageops.registry.plugins import action, modules
from ansible_collections.imageops.registry.plugins.plugin_utils._module_action import collect_rarely


def _thresholds(answers: multiprocessing.SimpleQueue[tuple[int, ...]]) -> None:
    collect_rarely()
    answers.put(gc.get_threshold())


def test_garbage_is_looked_for_rarely_in_a_worker() -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.SimpleQueue[tuple[int, ...]] = context.SimpleQueue()
    worker = context.Process(target=_thresholds, args=(answers,))
    worker.start()
    worker.join()
    before = gc.get_threshold()
    youngest, *others = answers.get()
    assert youngest >= 100 * before[0]
    assert others == list(before[1:])


def test_another_process_is_left_as_it_is() -> None:
    before = gc.get_threshold()
    collect_rarely()
    assert gc.get_threshold() == before


def test_every_module_has_its_side_of_the_controller() -> None:
    names = [
        {path.name for path in pathlib.Path(package.__path__[0]).glob("[a-z]*.py")} for package in (action, modules)
    ]
    assert names[0] == names[1]
