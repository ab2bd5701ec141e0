"""The process in which math-verify reads untrusted text: a JSON line in, a JSON line out. Run as a script, by
eval_suites.math_checker, which knows what the lines hold; it imports nothing of ours.

A text such as 5^{5^{5^5}} keeps the library busy for ever in one operation, which no alarm of its own interrupts, or
takes all memory. So each check has a limit of processor time, and the process one of memory; who passes the first is
ended by the kernel, and the checker starts another.
"""

import functools
import json
import logging
import math
import os
import re
import resource
import sys
from typing import Any

SCIENTIFIC = re.compile(r"([+-]?\d+(?:\.\d*)?)[eE]([+-]?\d+)")
# math-verify rounds to six decimals, which would make any two smaller numbers equal.
SMALL = 1e-3
LONGEST_SHOWN = 200


def main(seconds: int, memory: int) -> None:
    """Answers requests until there are no more. `seconds` of processor time a check, `memory` in bytes."""
    import math_verify  # type: ignore[import-untyped]  # noqa: F401 (its time is no check's)

    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (for the process's life)
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    replies.write(json.dumps({"ready": True}) + "\n")
    replies.flush()
    for line in sys.stdin:
        request = json.loads(line)
        _allow(seconds)
        replies.write(json.dumps(check(request["gold"], request["answer"])) + "\n")
        replies.flush()


def check(gold: str, answer: str) -> dict[str, Any]:
    """Whether the answer that math-verify finds in a text equals the gold one, and what it found ("": nothing)."""
    import math_verify

    found = math_verify.parse(answer, parsing_timeout=None)
    # as text, which stands last; writing an expression out could take for ever
    shown = next((reading for reading in reversed(found) if isinstance(reading, str)), "")
    correct = any(_equal(one, other) for one in _gold_readings(gold) for other in found)
    return {"correct": correct, "found": shown[:LONGEST_SHOWN] or ("?" if found else "")}


@functools.lru_cache(maxsize=16)
def _gold_readings(gold: str) -> tuple[Any, ...]:
    """A gold answer as math-verify reads it in a box. 4e33 is also read as 4·10^33, and not only as 4·e·33."""
    import math_verify

    texts = [gold]
    if match := SCIENTIFIC.fullmatch(gold.strip()):
        texts.append(rf"{match[1]} \times 10^{{{int(match[2])}}}")
    return tuple(reading for text in texts for reading in math_verify.parse(rf"\boxed{{{text}}}", parsing_timeout=None))


def _equal(gold: Any, found: Any) -> bool:
    """math-verify's verdict; but no number counts as equal to a gold one near zero by its rounding alone."""
    import math_verify

    if not math_verify.verify(gold, found, timeout_seconds=None):
        return False
    one, other = _number(gold), _number(found)
    if one is None or other is None or not 0 < abs(one) < SMALL:
        return True
    return math.isclose(one, other, rel_tol=SMALL)


def _number(reading: Any) -> float | None:
    """The value of an expression that is a real number."""
    if isinstance(reading, str) or not getattr(reading, "is_number", False):
        return None
    try:
        return float(reading)
    except (TypeError, ValueError, OverflowError):
        return None


def _allow(seconds: int) -> None:
    """Sets the limit of processor time so that `seconds` are left from now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime) + seconds, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
