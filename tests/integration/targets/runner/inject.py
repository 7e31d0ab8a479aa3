# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX does with a credential of a custom type: it renders the injectors of the type with the inputs.

Reads a JSON object from standard input: ``inputs`` and ``injectors``, the YAML of the type; ``survey``, the YAML of a
survey; ``values``, the inputs of the credential. Prints the extra variables. Runs in the environment that has Jinja.
"""

from __future__ import annotations

import json
import sys

import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

given = json.load(sys.stdin)
inputs, injectors = yaml.safe_load(given["inputs"]), yaml.safe_load(given["injectors"])
if set(inputs["required"]) != set(given["values"]) or set(injectors) != {"extra_vars"}:
    sys.exit(f"the credential type wants {inputs['required']}, and injects {list(injectors)}")
fields = {field["id"]: field for field in inputs["fields"]}
if [name for name, field in fields.items() if field.get("secret")] != ["password"]:
    sys.exit("the password is not the one input that AWX encrypts")
templates = ImmutableSandboxedEnvironment()
variables = {
    name: templates.from_string(text).render(given["values"]) for name, text in injectors["extra_vars"].items()
}
defaults = {question["variable"]: question["default"] for question in yaml.safe_load(given["survey"])["spec"]}
print(json.dumps({**defaults, **variables}))
