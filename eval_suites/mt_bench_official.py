"""Whether judgments are MT-Bench's own: its 80 questions, its prompts and references, GPT-4 as FastChat asks it."""

from collections.abc import Mapping, Sequence

from eval_suites.judge_record import JudgeRecord, identity_departures, record_departures
from eval_suites.judge_spec import JudgeIdentity
from eval_suites.mt_bench_files import JudgePrompt, ModelAnswer, Question, Rating
from eval_suites.mt_bench_prompts import prompt_name
from eval_suites.mt_bench_verdicts import PARSER
from results.digest import digest

# gen_judgment.py and common.py: the default judge, asked greedily for up to 2,048 tokens.
OFFICIAL = JudgeIdentity(model="gpt-4", max_tokens=2048, temperature=0.0, top_logprobs=None)
# What "gpt-4" has stood for since the benchmark was published.
REPORTS = ("gpt-4", "gpt-4-0314", "gpt-4-0613")
N_QUESTIONS = 80
# Digests of upstream's texts, which are not ours to carry; of the prompts, also of what stands before the question.
_QUESTIONS = "f9990d407deddde89218431d37225314095e6f9a90065d59ba0b019c356c9ab8"
_REFERENCES = "4d20749fc8627bd5329ac5cc1ec27f12106f74e89c721aaeaa8a8e16258eb201"
_PROMPTS = {
    "single-v1": "aff35802de55eef30fa6e99f11a49c6a03a6b1802c16812dab69f8d16e2c1092",
    "single-math-v1": "29f3a497d5bb3e738bb97c9bc9329244114884078092ac66816f89dfeb4393e8",
    "single-v1-multi-turn": "6b179f67e7a222fa0e699a8774af6c97ebd1eeb3105c30846960750e99542c0e",
    "single-math-v1-multi-turn": "71f4d33f1874c17f8c5957172cb1290b254967946ea2b5e756aef85448af88a0",
}
_BEFORE = {
    "single-v1": "21704acfbfd4eab9ce9576595bd497c997c863ff13f18d5a82648667712ea35c",
    "single-math-v1": "98df9b4fdd7337ee9f96f6b4503ef13060cebcb7f4d3405283cac8efbf57de14",
    "single-v1-multi-turn": "da6d01c7cfca14204b4d141e0bd69aea830eba0873126401c5e7140e982ba693",
    "single-math-v1-multi-turn": "1cf6f3ee2f8e92c1d1a7735f8630daac2c8fdcf4e1bf706c76456dd4c9695fa5",
}
PAIRS = "the published score rates single answers; these are compared with a baseline's"


def prompt_digests(prompts: Mapping[str, JudgePrompt]) -> dict[str, str]:
    """The digest of each prompt, by its name."""
    return {name: digest(prompt.model_dump(mode="json")) for name, prompt in prompts.items()}


def references_digest(references: Mapping[int, ModelAnswer]) -> str:
    """One digest of all reference answers, in whatever order they come."""
    return digest(sorted([number, list(answer.turns)] for number, answer in references.items()))


def question_departures(questions: Sequence[Question]) -> list[str]:
    """In words, where the questions are not upstream's."""
    if digest([question.model_dump(mode="json") for question in questions]) == _QUESTIONS:
        return []
    return [f"the {len(questions)} questions are not MT-Bench's {N_QUESTIONS}"]


def departures(
    questions: Sequence[Question], ratings: Sequence[Rating], record: JudgeRecord | None = None
) -> list[str]:
    """What makes ratings of these questions another metric than the official one, in words.

    record: how the judge was asked, which has to be of these very ratings

    The rows have to name the judge and the prompts in either case, and the prompts that they hold have to begin as
    upstream's do.
    """
    found = question_departures(questions)
    if record is not None:
        found += record_departures(record, "single", [rating.model_dump(mode="json") for rating in ratings])
        found += identity_departures(record, OFFICIAL, REPORTS)
        if record.prompts != _PROMPTS:
            found.append("the judge's prompts are not the official ones")
        if record.references != _REFERENCES:
            found.append("the reference answers are not the official ones")
        if record.parser.get("verdicts") != PARSER:
            found.append("ratings are not read by the official rules")
    asked = {question.question_id: question for question in questions}
    own = [(rating, asked[rating.question_id]) for rating in ratings if rating.question_id in asked]
    judges = sorted({rating.judge[0] for rating, _ in own} - {OFFICIAL.model})
    if judges and (record is None or judges != [record.identity.model]):
        found.append(f"the judge is {', '.join(map(repr, judges))}; the official one is {OFFICIAL.model}")
    if others := sum(not _is_asked_officially(rating, question) for rating, question in own):
        found.append(f"{others} ratings are not of the official prompts")
    return found


def _is_asked_officially(rating: Rating, question: Question) -> bool:
    """Whether a stored rating has its prompt's name and, where it holds the prompt, begins as upstream's does."""
    name = prompt_name("single", question, rating.turn)
    before, asked, _ = rating.user_prompt.partition(question.turns[0])
    return rating.judge[1] == name and (not rating.user_prompt or (bool(asked) and digest(before) == _BEFORE[name]))
