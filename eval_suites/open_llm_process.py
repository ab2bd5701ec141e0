"""What lm-eval finds in its process: no network, its own seeds, and templates that are compiled once."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

# lm-eval's own defaults, for Python's generator and for all others (few-shot examples among them).
PYTHON_SEED, SEED = 0, 1234


@contextmanager
def offline() -> Iterator[None]:
    """The hub's libraries read the variable once, when first imported: both places are set, and put back."""
    import datasets  # type: ignore[import-untyped]
    import huggingface_hub.constants

    places = [(huggingface_hub.constants, "HF_HUB_OFFLINE"), (datasets.config, "HF_HUB_OFFLINE")]
    before = [getattr(module, name) for module, name in places]
    variable = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    for module, name in places:
        setattr(module, name, True)
    try:
        yield
    finally:
        for (module, name), value in zip(places, before, strict=True):
            setattr(module, name, value)
        if variable is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = variable


@contextmanager
def seeded() -> Iterator[None]:
    """Seeds as `simple_evaluate` does (some tasks shuffle choices while they load), and puts the generators back.

    The guesser of languages, which one of IFEval's checks asks, would draw from an unseeded generator.
    """
    import numpy as np
    import torch

    guesser = getattr(sys.modules.get("langdetect"), "DetectorFactory", None)
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(PYTHON_SEED)
        np.random.seed(SEED)
        torch.manual_seed(SEED)
        if guesser is not None:
            guesser.seed = SEED
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


@lru_cache(maxsize=1)
def compile_templates_once() -> None:
    """lm-eval compiles a task's templates anew for every document: three quarters of the time with a small model."""
    from lm_eval.utils import env  # type: ignore[import-untyped]

    env.from_string = lru_cache(maxsize=1024)(env.from_string)
