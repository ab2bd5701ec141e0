"""Watches what an objective's code does to its tensors: bounds that replace values, and casts that drop digits."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_BOUNDS = {"clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_max", "hardtanh", "nan_to_num", "minimum", "maximum"}
_NARROW = (torch.bfloat16, torch.float16)


class WatchBounds(TorchFunctionMode):
    """Counts the entries that a clamp (or a like function) changed on their way from the policy to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in _BOUNDS and isinstance(args[0], Tensor) and args[0].requires_grad:
            self.changed += int((result.detach() != args[0].detach()).sum())
        return result


class WatchPrecision(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each operation whose result has fewer digits than float32, and the largest relative error of a cast."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[str] = []
        self.error = 0.0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.dtype in _NARROW:
                self.operations.append(f"{func} in {str(tensor.dtype).removeprefix('torch.')}")
                if func is torch.ops.aten._to_copy.default and tensor.numel():
                    wide = args[0].detach().double()
                    lost = (tensor.detach().double() - wide).abs() / wide.abs().clamp(min=1e-12)
                    self.error = max(self.error, float(lost.max()))
        return result
