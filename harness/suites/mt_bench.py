"""MT-Bench: two-turn questions, judged one answer at a time or beside a baseline's answers."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from eval_suites.mt_bench_answers import TurnSampling
from eval_suites.mt_bench_judge import MtBenchJudge
from eval_suites.mt_bench_prompts import Mode
from eval_suites.mt_bench_scores import SUITE
from harness.engines import ENGINE
from harness.kinds.judge import RECORD
from harness.kinds.mt_bench_answers import MT_BENCH_ANSWERS, MtBenchAnswersSpec
from harness.kinds.mt_bench_files import MT_BENCH_FILES, MtBenchFilesSpec
from harness.kinds.mt_bench_judge import MT_BENCH_JUDGE, MtBenchJudgeSpec
from harness.kinds.mt_bench_scores import MT_BENCH_SCORES, MtBenchScoresSpec
from harness.served import engine_inputs
from harness.stage import Input, Produced, Stage
from harness.suites.contract import Planner, SuiteConfig
from harness.suites.judged import NOTHING, identity_of, rubric_of

# of upstream's questions
CATEGORIES = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")


class MtBench(SuiteConfig):
    """Files in upstream's format; where none of the three is named, upstream's own are fetched.

    mode:     `single` rates every answer; `pairwise` compares it with the baseline's
    baseline: a file of answers in the shape of upstream's model_answer
    sampling: upstream's, unless said otherwise
    """

    questions: str | None = None
    prompts: str | None = None
    references: str | None = None
    mode: Mode = "single"
    baseline: str | None = None
    sampling: TurnSampling = TurnSampling()
    limit: Annotated[int, Field(gt=0)] | None = None
    judge: MtBenchJudge

    @model_validator(mode="after")
    def _all_files_or_none(self) -> Self:
        named = [name for name in ("questions", "prompts", "references") if getattr(self, name) is not None]
        if named and len(named) < 3:
            raise ValueError(
                f"'questions', 'prompts' and 'references' belong together, and only {', '.join(named)} "
                f"{'is' if len(named) == 1 else 'are'} named; name all, or none to have upstream's"
            )
        return self

    @model_validator(mode="after")
    def _baseline_for_pairs(self) -> Self:
        if (self.mode == "pairwise") != (self.baseline is not None):
            raise ValueError("'baseline' is for mode 'pairwise', which wants one")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """See SuiteConfig. Upstream's questions have CATEGORIES, those of another file their own."""
        categories = CATEGORIES if self.questions is None else ("*",)
        single = ("average", "turn_1", "turn_2", *categories)
        pairwise = ("win_rate_adjusted", "win_rate", "loss_rate")
        beside = ("average_length", "termination_rate", "average_tokens")
        return tuple(f"{SUITE}/{metric}" for metric in (*(single if self.mode == "single" else pairwise), *beside))

    @property
    def new_tokens(self) -> int:
        """See SuiteConfig."""
        return self.sampling.max_new_tokens


def plan(config: MtBench, model: Produced, label: str, planner: Planner) -> Stage:
    """Answers to both turns, their judgments, the scores."""
    engine, questions = planner.profile.engine, files_of(config, planner)["questions"]
    asked = {**engine_inputs(engine, model), "questions": questions}
    answers_spec = MtBenchAnswersSpec(engine=engine, sampling=config.sampling, limit=config.limit)
    answered = planner.add(Stage(MT_BENCH_ANSWERS, answers_spec, asked, label=f"MT-Bench answers {label}"))
    beside: dict[str, Input] = {"engine": Produced(answered, ENGINE)}
    return judged(config, Produced(answered, "answers.jsonl"), label, planner, beside, sampling=config.sampling)


def judged(
    config: MtBench,
    answers: Input,
    label: str,
    planner: Planner,
    beside: Mapping[str, Input] = NOTHING,
    *,
    sampling: TurnSampling | None = None,
) -> Stage:
    """The judgments of a file of answers, and the scores.

    beside:   further inputs of these (see harness.kinds)
    sampling: how the answers were drawn; None where they were given
    """
    files = files_of(config, planner)
    baseline = {} if config.baseline is None else {"baseline": planner.place(config.baseline)}
    world, rubric = rubric_of(config.judge, planner)
    spec = MtBenchJudgeSpec(
        judge=identity_of(config.judge),
        rubric=rubric,
        ask_again=config.judge.ask_again,
        mode=config.mode,
        limit=config.limit,
    )
    asked: dict[str, Input] = {**files, "answers": answers, **baseline, **world}
    judge = planner.add(Stage(MT_BENCH_JUDGE, spec, asked, label=f"MT-Bench judge {label}"))
    scored: dict[str, Input] = {
        "questions": files["questions"],
        "answers": answers,
        "judgments": Produced(judge, "judgments.jsonl"),
        "judge": Produced(judge, RECORD),
        **baseline,
        **beside,
    }
    scores_spec = MtBenchScoresSpec(mode=config.mode, limit=config.limit, sampling=sampling)
    return planner.add(Stage(MT_BENCH_SCORES, scores_spec, scored, label=f"MT-Bench {label}"))


def files_of(config: MtBench, planner: Planner) -> dict[str, Input]:
    """The user's files, the world's, or upstream's."""
    if config.questions is not None and config.prompts is not None and config.references is not None:
        return {
            "questions": planner.place(config.questions),
            "prompts": planner.place(config.prompts),
            "references": planner.place(config.references),
        }
    fetched = planner.add(Stage(MT_BENCH_FILES, MtBenchFilesSpec(), label="MT-Bench's files"))
    return {
        "questions": Produced(fetched, "question.jsonl"),
        "prompts": Produced(fetched, "judge_prompts.jsonl"),
        "references": Produced(fetched, "reference_answer/gpt-4.jsonl"),
    }
