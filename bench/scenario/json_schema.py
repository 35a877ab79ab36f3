"""JSON Schemas of scenario and bench files: what an editor needs to complete and to underline."""

from __future__ import annotations

from typing import Any

from bench.config import BenchFile
from bench.products import ALL
from bench.scenario.models import CAPABILITIES, Scenario
from bench.steps import REGISTRY

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLACEHOLDER = {"type": "string", "pattern": r"\{[A-Za-z_][A-Za-z0-9_]*\}"}


def scenario_schema() -> dict[str, Any]:
    """The schema of a scenario file, parameters and placeholders included."""
    schema = Scenario.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    step_options = []
    for key, model in sorted(REGISTRY.items()):
        described = model.model_json_schema(by_alias=True, ref_template=f"#/$defs/{key}_{{model}}")
        for name, inner in described.pop("$defs", {}).items():
            definitions[f"{key}_{name}"] = inner
        definitions[f"step_{key}"] = {"description": model.doc, "anyOf": [described, *_shorthand(key)]}
        step_options.append(
            {
                "type": "object",
                "description": model.doc,
                "properties": {key: {"$ref": f"#/$defs/step_{key}"}},
                "required": [key],
                "additionalProperties": False,
            }
        )
    definitions["step"] = {"oneOf": step_options}
    properties: dict[str, Any] = schema["properties"]
    properties["steps"] = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}}
    properties["gateways"]["items"] = {"enum": list(ALL)}
    properties["needs"]["items"] = {"oneOf": [{"const": n, "description": d} for n, d in CAPABILITIES.items()]}
    watch: dict[str, Any] = definitions["Watch"]["properties"]
    watch["never"] = watch["always"] = {"$ref": "#/$defs/step"}
    properties["parameters"] = {
        "type": "object",
        "description": "name -> list of values; {name} in a text stands for each in turn",
        "additionalProperties": {
            "anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "required": ["files"]}]
        },
    }
    properties["per_gateway"] = {
        "type": "object",
        "description": "name -> one value per gateway type",
        "additionalProperties": {"type": "object", "propertyNames": {"enum": list(ALL)}},
    }
    _admit_placeholders(schema)
    return {"$schema": DIALECT, "$id": "smgw-bench/scenario/1", **schema, "title": "smgw-bench scenario"}


def _shorthand(key: str) -> list[dict[str, Any]]:
    model = REGISTRY[key]
    return [] if model.shorthand is None else [{"type": ["string", "number"]}]


def _admit_placeholders(node: Any) -> None:
    """Wherever a number, a word, a pattern or a free mapping is asked for, a placeholder may stand."""
    if isinstance(node, list):
        for item in node:
            _admit_placeholders(item)
        return
    if not isinstance(node, dict):
        return
    for key in ("properties", "$defs"):
        for name, child in (node.get(key) or {}).items():
            _admit_placeholders(child)
            if key == "properties" and _is_leaf(child):
                node[key][name] = {"anyOf": [child, _PLACEHOLDER]}
    for key in ("items", "anyOf", "oneOf", "additionalProperties", "prefixItems"):
        if isinstance(node.get(key), (dict, list)):
            _admit_placeholders(node[key])


def _is_leaf(schema: Any) -> bool:
    if isinstance(schema, dict) and schema.get("additionalProperties") is True:
        return "properties" not in schema  # a mapping of whatever names
    if not isinstance(schema, dict) or schema.get("type") in ("object", "array"):
        return False
    return "$ref" not in schema and "properties" not in schema and "items" not in schema


def bench_schema() -> dict[str, Any]:
    """The schema of a bench file."""
    schema = BenchFile.model_json_schema(by_alias=True)
    return {"$schema": DIALECT, "$id": "smgw-bench/bench/1", **schema, "title": "smgw-bench bench file"}
