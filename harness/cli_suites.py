"""`bridgebench suites`: what a profile may ask of the benchmarks that there are."""

import inspect
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from harness.options import JsonOption
from harness.terminal import console, print_json
from results.errors import UserError

app = typer.Typer(invoke_without_command=True)


@app.callback()
def list_(context: typer.Context, json_: JsonOption = False) -> None:
    """List the suites; show what a profile may write of one.

    bridgebench suites
    """
    if context.invoked_subcommand is not None:
        return
    rows = [{"suite": name, "about": _about(config), "from": origin} for name, config, origin in _suites()]
    if json_:
        print_json(rows)
        return
    table = Table("suite", "what it is", "from")
    for row in rows:
        table.add_row(*row.values())
    console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A suite, by its key in a profile.")], json_: JsonOption = False
) -> None:
    """Show what a profile may write under a suite's name, with types and defaults.

    bridgebench suites show alpaca_eval
    """
    known = {suite: config for suite, config, _ in _suites()}
    if name not in known:
        raise UserError(f"there is no suite {name!r}; there are {', '.join(known)}")
    config = known[name]
    schema = config.model_json_schema()["properties"]
    rows = [
        {
            "key": key,
            "type": _type(schema.get(key, {})),
            "default": "" if field.is_required() else json.dumps(_plain(field)),
        }
        for key, field in config.model_fields.items()
    ]
    if json_:
        print_json({"suite": name, "keys": rows})
        return
    print(inspect.getdoc(config) or "")
    table = Table("key", "type", "default")
    for row in rows:
        table.add_row(*row.values())
    console().print(table)


def _suites() -> list[tuple[str, Any, str]]:
    from harness.suites import suites

    return [(name, suite.config, suite.package) for name, suite in suites().items()]


def _about(config: type) -> str:
    """What the file of a suite says of it."""
    return (inspect.getdoc(inspect.getmodule(config)) or inspect.getdoc(config) or "").partition("\n")[0]


def _type(schema: dict[str, Any]) -> str:
    """A type of JSON schema in a word or two."""
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _plain(field: Any) -> Any:
    value = field.get_default(call_default_factory=True)
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
