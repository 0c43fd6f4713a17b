"""Whether a bill of materials follows CycloneDX 1.6."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

_AT_ONCE = 25


def problems(bill: Mapping[str, Any]) -> list[str]:
    """What breaks the schema, strictly read. Components are looked at in portions: all at once take minutes."""
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    components = bill["components"]
    parts = [{**bill, "components": []}]
    for begin in range(0, len(components), _AT_ONCE):
        parts.append({**bill, "dependencies": [], "components": components[begin : begin + _AT_ONCE]})
    return [str(problem) for part in parts if (problem := validator.validate_str(json.dumps(part))) is not None]
