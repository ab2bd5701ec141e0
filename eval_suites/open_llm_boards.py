"""The two Open LLM Leaderboards as data: their benchmarks, shots, metrics, sizes, and what a guess scores.

Version 1 (2023): shots and metrics as https://huggingface.co/spaces/open-llm-leaderboard-old/open_llm_leaderboard
and lm-eval's group `openllm` have them. Version 2 (2024): lm-eval's group `leaderboard`; what guessing scores is from
https://huggingface.co/docs/leaderboards/open_llm_leaderboard/normalization. The UFT and UNA papers (2410.21438,
2408.15339) use both with the same shots, raw scores, and other metrics for two benchmarks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Benchmark:
    """One of a board's six.

    name:     lm-eval's task or group
    sizes:    lm-eval's tasks and how many items each has
    metrics:  as the tasks' rows name them; the benchmark's score is their mean
    papers:   the metrics whose mean the UFT and UNA papers report
    shots:    examples before each question; None: as lm-eval's own task has it
    examples: the split that the examples are taken from; None: as lm-eval's own task has it
    pooled:   whether all items count alike, else all tasks
    choices:  of a task of equal choices, how many: its score is normalised before the tasks are averaged
    guess:    what guessing scores on the whole benchmark, in percent, where it is normalised as a whole
    beside:   tasks that are scored with it and count in no average
    """

    name: str
    sizes: Mapping[str, int]
    metrics: tuple[str, ...]
    papers: tuple[str, ...] = ()
    shots: int | None = None
    examples: str | None = None
    pooled: bool = False
    choices: Mapping[str, int] = field(default_factory=dict)
    guess: float = 0.0
    beside: Mapping[str, int] = field(default_factory=dict)

    @property
    def tasks(self) -> Mapping[str, int]:
        """All tasks that are asked, with their sizes."""
        return {**self.sizes, **self.beside}


@dataclass(frozen=True)
class Board:
    """A leaderboard: the mean of its benchmarks.

    chat:       whether chat models are asked through their chat template
    normalised: whether the official average is that of the normalised scores
    folders:    where lm-eval keeps the tasks
    """

    benchmarks: tuple[Benchmark, ...]
    chat: bool
    normalised: bool
    folders: tuple[str, ...]


_MMLU = {
    "abstract_algebra": 100,
    "anatomy": 135,
    "astronomy": 152,
    "business_ethics": 100,
    "clinical_knowledge": 265,
    "college_biology": 144,
    "college_chemistry": 100,
    "college_computer_science": 100,
    "college_mathematics": 100,
    "college_medicine": 173,
    "college_physics": 102,
    "computer_security": 100,
    "conceptual_physics": 235,
    "econometrics": 114,
    "electrical_engineering": 145,
    "elementary_mathematics": 378,
    "formal_logic": 126,
    "global_facts": 100,
    "high_school_biology": 310,
    "high_school_chemistry": 203,
    "high_school_computer_science": 100,
    "high_school_european_history": 165,
    "high_school_geography": 198,
    "high_school_government_and_politics": 193,
    "high_school_macroeconomics": 390,
    "high_school_mathematics": 270,
    "high_school_microeconomics": 238,
    "high_school_physics": 151,
    "high_school_psychology": 545,
    "high_school_statistics": 216,
    "high_school_us_history": 204,
    "high_school_world_history": 237,
    "human_aging": 223,
    "human_sexuality": 131,
    "international_law": 121,
    "jurisprudence": 108,
    "logical_fallacies": 163,
    "machine_learning": 112,
    "management": 103,
    "marketing": 234,
    "medical_genetics": 100,
    "miscellaneous": 783,
    "moral_disputes": 346,
    "moral_scenarios": 895,
    "nutrition": 306,
    "philosophy": 311,
    "prehistory": 324,
    "professional_accounting": 282,
    "professional_law": 1534,
    "professional_medicine": 272,
    "professional_psychology": 612,
    "public_relations": 110,
    "security_studies": 245,
    "sociology": 201,
    "us_foreign_policy": 100,
    "virology": 166,
    "world_religions": 171,
}
# Choices of each task. Three tasks have fewer than 250 items.
_BBH = {
    "boolean_expressions": 2,
    "causal_judgement": 2,
    "date_understanding": 6,
    "disambiguation_qa": 3,
    "formal_fallacies": 2,
    "geometric_shapes": 11,
    "hyperbaton": 2,
    "logical_deduction_five_objects": 5,
    "logical_deduction_seven_objects": 7,
    "logical_deduction_three_objects": 3,
    "movie_recommendation": 6,
    "navigate": 2,
    "object_counting": 19,
    "penguins_in_a_table": 5,
    "reasoning_about_colored_objects": 18,
    "ruin_names": 6,
    "salient_translation_error_detection": 6,
    "snarks": 2,
    "sports_understanding": 2,
    "temporal_sequences": 4,
    "tracking_shuffled_objects_five_objects": 5,
    "tracking_shuffled_objects_seven_objects": 7,
    "tracking_shuffled_objects_three_objects": 3,
    "web_of_lies": 2,
}
_BBH_SIZES = {"causal_judgement": 187, "penguins_in_a_table": 146, "snarks": 178}
_MATH_HARD = {
    "algebra": 307,
    "counting_and_prob": 123,
    "geometry": 132,
    "intermediate_algebra": 280,
    "num_theory": 154,
    "prealgebra": 193,
    "precalculus": 135,
}
_MUSR = {"murder_mysteries": (250, 2), "object_placements": (256, 5), "team_allocation": (250, 3)}
_IFEVAL = ("prompt_level_strict_acc", "inst_level_strict_acc")
_GSM8K = ("exact_match,strict-match", "exact_match,flexible-extract")

_V1 = Board(
    chat=False,
    normalised=False,
    folders=("arc", "hellaswag", "truthfulqa", "mmlu/default", "winogrande", "gsm8k"),
    benchmarks=(
        Benchmark("arc_challenge", {"arc_challenge": 1172}, ("acc_norm",), shots=25, examples="train"),
        Benchmark("hellaswag", {"hellaswag": 10042}, ("acc_norm",), shots=10, examples="train"),
        # The papers' later reports average mc1 and mc2.
        Benchmark("truthfulqa_mc2", {"truthfulqa_mc2": 817}, ("acc",), shots=0, beside={"truthfulqa_mc1": 817}),
        Benchmark("mmlu", {f"mmlu_{name}": size for name, size in _MMLU.items()}, ("acc",), shots=5),
        Benchmark("winogrande", {"winogrande": 1267}, ("acc",), shots=5, examples="train"),
        Benchmark("gsm8k", {"gsm8k": 1319}, _GSM8K[:1], papers=_GSM8K, shots=5),
    ),
)
_V2 = Board(
    chat=True,
    normalised=True,
    folders=("leaderboard",),
    benchmarks=(
        Benchmark(
            "leaderboard_ifeval",
            {"leaderboard_ifeval": 541},
            _IFEVAL,
            papers=(*_IFEVAL, "prompt_level_loose_acc", "inst_level_loose_acc"),
        ),
        Benchmark(
            "leaderboard_bbh",
            {f"leaderboard_bbh_{name}": _BBH_SIZES.get(name, 250) for name in _BBH},
            ("acc_norm",),
            pooled=True,
            choices={f"leaderboard_bbh_{name}": choices for name, choices in _BBH.items()},
        ),
        Benchmark(
            "leaderboard_math_hard",
            {f"leaderboard_math_{name}_hard": size for name, size in _MATH_HARD.items()},
            ("exact_match",),
            pooled=True,
        ),
        Benchmark(
            "leaderboard_gpqa",
            {"leaderboard_gpqa_diamond": 198, "leaderboard_gpqa_extended": 546, "leaderboard_gpqa_main": 448},
            ("acc_norm",),
            pooled=True,
            guess=25.0,
        ),
        Benchmark(
            "leaderboard_musr",
            {f"leaderboard_musr_{name}": size for name, (size, _) in _MUSR.items()},
            ("acc_norm",),
            pooled=True,
            choices={f"leaderboard_musr_{name}": choices for name, (_, choices) in _MUSR.items()},
        ),
        Benchmark("leaderboard_mmlu_pro", {"leaderboard_mmlu_pro": 12032}, ("acc",), guess=10.0),
    ),
)
IFEVAL = "leaderboard_ifeval"
BOARDS: Mapping[str, Board] = {"open_llm_v1": _V1, "open_llm_v2": _V2}
SIZES: Mapping[str, int] = {
    task: size for board in BOARDS.values() for benchmark in board.benchmarks for task, size in benchmark.tasks.items()
}


def find_board(name: str) -> Board | None:
    """A board, or a board of one benchmark (gsm8k, leaderboard_bbh …), by name; None for any other name."""
    if name in BOARDS:
        return BOARDS[name]
    alone = (
        replace(board, benchmarks=(benchmark,))
        for board in BOARDS.values()
        for benchmark in board.benchmarks
        if benchmark.name == name
    )
    return next(alone, None)
