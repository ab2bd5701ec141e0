"""YAML files that a user writes: plain data, no key twice, every fault in one line."""

from pathlib import Path
from typing import Any

import yaml

from results.errors import UserError


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a profile's file holds. Raises UserError with the line of what is no YAML, or stands twice."""
    try:
        # safe: the loader is a SafeLoader, which builds plain data and no object that a file could name
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"{path.name}: {line}{error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path.name}: cannot be read as YAML in UTF-8: {reason}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path.name}: a profile is a mapping with name, seeds, base, data, methods …")
    return raw


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error and not the last one wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for place, (key, (written, _)) in enumerate(zip(keys, node.value, strict=True)):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", written.start_mark)
        return super().construct_mapping(node, deep)
