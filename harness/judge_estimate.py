"""What judging, and the answers of an endpoint that is evaluated, are still to cost, before it is paid: from the texts
that are there, else from what they will be like."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import cast

from eval_suites.alpaca_files import Row, by_instruction, read_instructions, read_outputs
from eval_suites.answer_store import AnswerStore
from eval_suites.engine import Sampling
from eval_suites.judge import Conversation, Judge, JudgeSpec
from eval_suites.judge_questions import Request, Requests, question_of, stored_answers
from eval_suites.judge_reply import Answer
from eval_suites.spending import TOKENS_PER_CHARACTER, dollars
from harness.board import Board
from harness.home import Home
from harness.judging import answers_file, is_local, judge_for
from harness.kinds.api_answers import ApiAnswersSpec, ApiSpec, ApiTurnsSpec
from harness.kinds.fixed_answers import FixedAnswersSpec
from harness.kinds.generate import GenerateSpec
from harness.kinds.judge import JudgeStageSpec
from harness.kinds.mt_bench_judge import MtBenchJudgeSpec
from harness.stage import External, Input, Produced, Stage
from results.digest import canonical_json


@dataclass(frozen=True)
class Bill:
    """What the judges, all but the local one, are still to be asked, or an endpoint that is evaluated.

    usd:      None where one that is to be asked has no price
    unknown:  stages of which nothing can be said before others have run; they are in none of the sums
    """

    questions: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    usd: float | None = 0.0
    unknown: int = 0

    def __str__(self) -> str:
        if not self.questions and not self.unknown:
            return "nothing to pay"
        price = "no price is set" if self.usd is None else f"about {dollars(self.usd)}"
        sums = f"{self.questions:,} questions, {self.prompt_tokens:,.0f} tokens to read, {self.completion_tokens:,.0f} "
        missing = f"; {self.unknown} more stages cannot be estimated before others have run" if self.unknown else ""
        return f"{sums}to write, {price}{missing}"


@dataclass(frozen=True)
class _Asked:
    """Questions of one stage, and the characters of all their requests."""

    questions: int
    characters: float


def bill(board: Board, home: Home, judges: Iterable[JudgeSpec]) -> Bill:
    """The estimate over all stages that have not ended. Raises UserError for files that are not what they should be."""
    judges, found = list(judges), Bill()
    for state in board.unfinished:
        judge = judge_for(state.stage, judges)
        if judge is None or is_local(state.stage):
            continue
        asked = _asked(state.stage, board, judge, answers_file(home))
        found = _with(found, asked, judge, _token_rates(judge, answers_file(home)))
    return found


def bill_of_answers(board: Board, home: Home, model: JudgeSpec) -> Bill:
    """The estimate for the answers of an endpoint that is evaluated. Raises UserError as `bill`.

    An answer to come that a second turn follows is taken to be as long as those before it, else as long as it may be.
    """
    from eval_suites.api_answers import Api, answer_instructions, answer_questions
    from eval_suites.mt_bench_files import read_questions

    asks = _Answers(model, answers_file(home))
    api = cast(Api, asks)
    for state in board.unfinished:
        spec, inputs = state.stage.spec, state.stage.inputs
        if not isinstance(spec, ApiSpec):
            continue
        asked = _path(board, inputs["instructions" if isinstance(spec, ApiAnswersSpec) else "questions"])
        if asked is None:
            asks.bill = _with(asks.bill, None, model, (0.0, 0.0))
        elif isinstance(spec, ApiAnswersSpec):
            answer_instructions(api, read_instructions(asked)[: spec.limit], spec.sampling)
        elif isinstance(spec, ApiTurnsSpec):
            answer_questions(api, read_questions(asked, spec.limit), spec.sampling)
    return asks.bill


class _Answers:
    """In the place of eval_suites.api_answers.Api: gives the answers that are kept, and adds up what others cost."""

    def __init__(self, model: JudgeSpec, answers: Path) -> None:
        self.model = model
        self.bill = Bill()
        self._answers = answers

    def ask(self, conversations: Sequence[Conversation], sampling: Sampling) -> list[Answer]:
        from eval_suites.api_answers import asked_as

        spec = asked_as(self.model, sampling)
        asked = [question_of(spec, conversation) for conversation in conversations]
        kept, rates = _kept(spec, dict(asked), self._answers), _token_rates(spec, self._answers)
        self.bill = _with(self.bill, _missing(dict(asked), kept), spec, rates)
        to_come = Answer(
            text="x" * round(rates[1] / TOKENS_PER_CHARACTER),
            finish_reason=None,
            logprobs=None,
            model="",
            prompt_tokens=None,
            completion_tokens=None,
        )
        return [kept.get(key, to_come) for key, _ in asked]


def _with(bill: Bill, asked: _Asked | None, judge: JudgeSpec, rates: tuple[float, float]) -> Bill:
    if asked is None:
        return replace(bill, usd=bill.usd if judge.prices else None, unknown=bill.unknown + 1)
    read, written = asked.characters * rates[0], asked.questions * rates[1]
    usd = None
    if bill.usd is not None and (judge.prices or not asked.questions):
        usd = bill.usd + (judge.prices.usd(read, written) if judge.prices else 0.0)
    return Bill(
        bill.questions + asked.questions, bill.prompt_tokens + read, bill.completion_tokens + written, usd, bill.unknown
    )


def _asked(stage: Stage, board: Board, judge: JudgeSpec, answers: Path) -> _Asked | None:
    """What a stage will ask; None where the files that decide it are not there."""
    given = {name: _path(board, item) for name, item in stage.inputs.items()}
    there = {name: path for name, path in given.items() if path is not None}
    if isinstance(stage.spec, MtBenchJudgeSpec):
        return _not_kept(_ratings(stage.spec, there, judge), answers) if len(there) == len(given) else None
    if not isinstance(stage.spec, JudgeStageSpec) or "baseline" not in there:
        return None
    baseline = read_outputs(there["baseline"])
    if "outputs" not in there:
        return _like(stage.spec, _maker(stage.inputs["outputs"]), board, baseline)
    outputs = read_outputs(there["outputs"])
    if answers.is_file():
        return _not_kept(_comparisons(stage.spec, outputs, baseline, judge), answers)
    return _all_pairs(stage.spec, outputs, baseline)


def _path(board: Board, item: Input) -> Path | None:
    """Where an input lies; None where it has still to be made."""
    if isinstance(item, External):
        return item.location
    manifest = board[item.stage].manifest
    return None if manifest is None else board.store.folder(manifest.kind, manifest.key) / item.path


def _maker(item: Input) -> Stage:
    assert isinstance(item, Produced), "what is given is there"
    return item.stage


def _all_pairs(spec: JudgeStageSpec, outputs: Sequence[Row], baseline: Sequence[Row]) -> _Asked:
    references = by_instruction(baseline, "the baseline's outputs")
    pairs = [(row, references[row["instruction"]]) for row in outputs if row["instruction"] in references]
    different = [(row, other) for row, other in pairs if row["output"] != other["output"]]
    texts = sum(len(row["instruction"]) + len(row["output"]) + len(other["output"]) for row, other in different)
    return _Asked(_orders(spec) * len(different), _orders(spec) * (texts + len(different) * _template_characters()))


class _Asks:
    """In a judge's place: notes every request by what its answer is kept under, and asks nobody."""

    def __init__(self, spec: JudgeSpec) -> None:
        self.spec = spec
        self.requests: dict[str, Request] = {}

    def ask(self, conversations: Sequence[Conversation]) -> list[Answer | None]:
        self.requests |= dict(question_of(self.spec, conversation) for conversation in conversations)
        return [None] * len(conversations)


def _comparisons(spec: JudgeStageSpec, outputs: Sequence[Row], baseline: Sequence[Row], judge: JudgeSpec) -> _Asks:
    from eval_suites.alpaca_judge import annotate
    from eval_suites.both_orders import annotate_both_orders

    asks = _Asks(judge)
    judged = annotate_both_orders if spec.both_orders else annotate
    judged(outputs, baseline, cast(Judge, asks))
    return asks


def _ratings(spec: MtBenchJudgeSpec, given: Mapping[str, Path], judge: JudgeSpec) -> _Asks:
    from eval_suites.mt_bench_files import read_answers, read_questions
    from eval_suites.mt_bench_judge import compare, rate, sides
    from eval_suites.mt_bench_prompts import load_prompts

    asks = _Asks(judge)
    questions, prompts = read_questions(given["questions"], spec.limit), load_prompts(given["prompts"], spec.mode)
    references, answers = read_answers(given["references"]), read_answers(given["answers"])
    if spec.mode == "single":
        rate(questions, answers, prompts, references, cast(Judge, asks))
    else:
        both = sides(answers, read_answers(given["baseline"]))
        compare(questions, both, prompts, references, cast(Judge, asks))
    return asks


def _not_kept(asks: _Asks, answers: Path) -> _Asked:
    return _missing(asks.requests, _kept(asks.spec, asks.requests, answers))


def _kept(spec: JudgeSpec, requests: Requests, answers: Path) -> Mapping[str, Answer]:
    if not answers.is_file():
        return {}
    with closing(AnswerStore(answers)) as store:
        return stored_answers(store, spec, requests)


def _missing(requests: Requests, kept: Mapping[str, Answer]) -> _Asked:
    """What of these requests has still to be paid."""
    missing = [len(canonical_json(request)) for key, request in requests.items() if key not in kept]
    return _Asked(len(missing), sum(missing))


def _like(spec: JudgeStageSpec, maker: Stage, board: Board, baseline: Sequence[Row]) -> _Asked | None:
    """What will be asked about answers that are not there yet, taken to be as long as the baseline's."""
    made, asked = maker.spec, _path(board, maker.inputs["instructions"])
    if asked is None or not isinstance(made, GenerateSpec | FixedAnswersSpec | ApiAnswersSpec):
        return None
    instructions = [row["instruction"] for row in read_instructions(asked)[: made.limit]]
    references = by_instruction(baseline, "the baseline's outputs")
    lengths = [len(references[each]["output"]) for each in instructions if each in references]
    if not lengths:
        return None
    answer = len(made.text) if isinstance(made, FixedAnswersSpec) else fmean(lengths)
    pair = _template_characters() + fmean(map(len, instructions)) + fmean(lengths) + answer
    return _Asked(_orders(spec) * len(instructions), _orders(spec) * len(instructions) * pair)


def _orders(spec: JudgeStageSpec) -> int:
    return 2 if spec.both_orders else 1


def _template_characters() -> int:
    from eval_suites.alpaca_judge import stock_prompt

    return len(stock_prompt())


def _token_rates(judge: JudgeSpec, answers: Path) -> tuple[float, float]:
    """Tokens read a character and written an answer: measured over kept answers, else a rule of thumb and the most."""
    found = None
    if answers.is_file():
        with closing(AnswerStore(answers)) as store:
            found = store.token_rates(judge.model, judge.address, judge.max_tokens)
    return found or (TOKENS_PER_CHARACTER, float(judge.max_tokens))
