#!/usr/bin/env python3
"""Writes tests/fixtures/grammar/suite.json: cases of the JSON Schema Test Suite for src/grammar.

usage: make_grammar_fixture.py SUITE   (the folder json/ of jsonschema's source distribution from PyPI)

The suite is (c) Julian Berman, MIT licence; its licence is copied beside the cases. Each case is a schema with
texts and whether they are valid, which jsonschema (see tools/requirements-reference.txt) must confirm. Texts are
compact JSON, the members of objects in the order in which the schema declares them, as Carat writes them.
"""

import json
import pathlib
import shutil
import sys

import jsonschema

FILES = """additionalProperties allOf anyOf boolean_schema const contains default dependentRequired dependentSchemas
enum exclusiveMaximum exclusiveMinimum format if-then-else infinite-loop-detection items maxItems maxLength
maxProperties maximum minItems minLength minProperties minimum multipleOf not oneOf pattern patternProperties
prefixItems properties propertyNames ref required type unevaluatedItems unevaluatedProperties uniqueItems""".split()
OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/grammar"


def in_order(instance, schema):
    """The instance with the members of objects in the schema's order, where that is easily told."""
    if isinstance(instance, dict):
        declared = schema.get("properties", {}) if isinstance(schema, dict) else {}
        names = [n for n in declared if n in instance] + [n for n in instance if n not in declared]
        return {n: in_order(instance[n], declared.get(n, {})) for n in names}
    if isinstance(instance, list):
        items = schema.get("items", {}) if isinstance(schema, dict) else {}
        return [in_order(one, items) for one in instance]
    return instance


def main():
    suite = pathlib.Path(sys.argv[1])
    groups = []
    for name in FILES:
        for group in json.loads((suite / f"tests/draft2020-12/{name}.json").read_text()):
            schema = group["schema"]
            if isinstance(schema, dict):
                schema.pop("$schema", None)
            if "http" in json.dumps(schema).replace('"$id"', ""):
                continue  # references to other documents
            tests = []
            for test in group["tests"]:
                valid = jsonschema.Draft202012Validator(schema).is_valid(test["data"])
                assert valid == test["valid"], (group["description"], test["description"])
                text = json.dumps(in_order(test["data"], schema), separators=(",", ":"), ensure_ascii=False)
                tests.append({"text": text, "valid": valid})
            groups.append({"name": f"{name}: {group['description']}", "schema": schema, "tests": tests})
    lines = [json.dumps(g, separators=(",", ":"), ensure_ascii=False) for g in groups]
    (OUT / "suite.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    shutil.copy(suite / "LICENSE", OUT / "suite.LICENSE")
    print(f"{len(groups)} schemas, {sum(len(g['tests']) for g in groups)} texts")


if __name__ == "__main__":
    main()
