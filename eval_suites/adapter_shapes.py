"""Whether a LoRA adapter was made for a base: by their layers and widths, without reading weights."""

import json
from collections.abc import Mapping
from pathlib import Path

from results.errors import UserError

Shapes = Mapping[str, tuple[int, ...]]  # by the names of tensors


def check_fits(adapter: Path, base: Path) -> None:
    """Raises UserError where the adapter is no LoRA adapter, or adapts a layer that the base has not, or has otherwise.

    Bases of equal layers and other weights cannot be told apart by this.
    """
    from eval_suites.checkpoint import read_adapter

    read_adapter(adapter)
    layers = read_shapes(base)
    for name, (rows, columns) in _widths(read_shapes(adapter)).items():
        own = layers.get(f"{name}.weight")
        if own is None:
            raise UserError(
                f"{adapter.name} is an adapter of another base: it adapts {name}, which {base.name} has not"
            )
        if own != (rows, columns):
            raise UserError(
                f"{adapter.name} is an adapter of another base: its {name} is {rows} x {columns}, and that of "
                f"{base.name} is {' x '.join(map(str, own))}"
            )


def named_base(adapter: Path) -> str | None:
    """The base that an adapter says it was made for: a hub id, or a path of the machine that made it."""
    try:
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return str(config.get("base_model_name_or_path") or "") or None
    except (OSError, ValueError, AttributeError):
        raise UserError(f"{adapter}: adapter_config.json cannot be read as JSON") from None


def read_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Every tensor of a folder's safetensors files. Raises UserError where one of them is none, or is cut short."""
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:100]
            raise UserError(f"{path}: no whole safetensors file ({reason}): fetch or save it again") from None
    return shapes


def _widths(adapter: Shapes) -> dict[str, tuple[int, int]]:
    """Of each layer that an adapter adapts, its rows and columns: [out, in]."""
    first = {_layer(name): shape for name, shape in adapter.items() if ".lora_A." in name}
    second = {_layer(name): shape for name, shape in adapter.items() if ".lora_B." in name}
    return {name: (second[name][0], first[name][1]) for name in first if name in second}


def _layer(name: str) -> str:
    return name.removeprefix("base_model.model.").partition(".lora_")[0]
