"""An engine as lm-eval's model. All that the engine reads is made here, as ids: plain text behind exactly one BOS, or
messages through the chat template, as training and generation read them (trainers.chat)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eval_suites.engine import Completion, Engine, Sampling
from eval_suites.generation import generate_resumably
from results.errors import UserError
from trainers.chat import prompt_ids
from trainers.records import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_NEW_TOKENS = 256  # of a task that names no number, as lm-eval's own models have it
FIRST_PIECE = 16  # tokens

Report = Callable[[int, int], None]  # requests that are done, of how many
Generate = Callable[[Sequence[Sequence[int]], Sampling], list[Completion]]


class Said(NamedTuple):
    """An answer as it was counted. Its tokens are those before a stop string was seen, EOS included."""

    finished: bool
    tokens: int
    characters: int


@dataclass
class Record:
    """What happened to prompts, by their text.

    shortened: those that were too long for the model
    said:      the answers to each
    refused:   those whose system message the chat template refuses: asked without it, as lm-eval does
    """

    shortened: set[str] = field(default_factory=set)
    said: defaultdict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    refused: set[str] = field(default_factory=set)


class ChatPrompt(str):
    """A conversation as the chat template writes it. `ids` is what the model reads, the text for lm-eval."""

    ids: tuple[int, ...]

    def __new__(cls, text: str, ids: Sequence[int]) -> "ChatPrompt":
        """text: as rendered; ids: as trainers.chat has them."""
        prompt = super().__new__(cls, text)
        prompt.ids = tuple(ids)
        return prompt


def chat_prompt(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], begun: str = "") -> ChatPrompt:
    """A conversation up to where the model answers, or goes on with what its answer has `begun` with.

    Raises UserError where the chat template refuses the conversation.
    """
    ids = prompt_ids(tokenizer, messages)
    chat = [message.model_dump() for message in messages]
    text = str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
    prompt = ChatPrompt(text, ids)
    return ChatPrompt(text + begun, [*ids, *answer_ids(tokenizer, prompt, begun)]) if begun else prompt


def answer_ids(tokenizer: "PreTrainedTokenizerBase", prompt: ChatPrompt, answer: str) -> list[int]:
    """The ids of an answer (EOS not included) behind a prompt, as they stand there in training."""
    whole: list[int] = tokenizer.encode(prompt + answer, add_special_tokens=False)
    length = len(prompt.ids)
    # Generation starts from the prompt's ids, whatever the tokenizer makes of its border with the answer.
    return whole[length:] if tuple(whole[:length]) == prompt.ids else _encode(tokenizer, answer)


def engine_model(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    record: Record,
    *,
    log: Path | None = None,
    seed: int = 0,
    report: Report = lambda done, total: None,
) -> Any:
    """A TemplateLM of lm-eval's over an engine.

    BOS is set in front of plain text whatever the tokenizer's habits are, unless the text itself begins with it; a
    tokenizer without BOS gets none. What is too long is cut from the left, behind the BOS, and noted in `record`.
    log:  a file of answers that a stopped run goes on from (see generate_resumably); None: none
    seed: of tasks that draw their answers
    """
    from lm_eval.api.model import TemplateLM  # type: ignore[import-untyped]

    class _EngineLM(TemplateLM):  # type: ignore[misc]
        tokenizer_name = "engine"  # names lm-eval's caches of requests, which are not used
        eot_token_id = engine.eos_ids[0]
        prefix_token_id = engine.eos_ids[0] if tokenizer.bos_token_id is None else tokenizer.bos_token_id

        def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
            if isinstance(string, ChatPrompt):
                return list(string.ids)
            ids = encode(string)
            wanted = bos is not None and add_special_tokens is not False
            return [bos, *ids] if wanted and ids[:1] != (bos,) else list(ids)

        def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            messages = [Message(role=each["role"], content=each["content"]) for each in chat_history]
            begun = "" if add_generation_prompt else messages.pop().content
            try:
                return chat_prompt(tokenizer, messages, begun)
            except UserError:
                if messages[0].role != "system":
                    raise
            prompt = chat_prompt(tokenizer, messages[1:], begun)
            record.refused.add(prompt)
            return prompt

        def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
            if isinstance(context, ChatPrompt):
                return list(context.ids), answer_ids(tokenizer, context, continuation)
            pair: tuple[list[int], list[int]] = super()._encode_pair(context, continuation)
            return pair

        def _loglikelihood_tokens(self, requests: Any, **_: Any) -> list[tuple[float, bool]]:
            """requests: ((context, continuation), context ids, continuation ids)."""
            # The last token of the continuation is predicted, never read: one more than the context fits.
            wanted = iter(
                [
                    (fit(texts[0], context, engine.context + 1 - len(continuation)), continuation)
                    for texts, context, continuation in requests
                ]
            )
            found = []
            while some := list(islice(wanted, 4096)):
                found += [(each.logprob, each.is_greedy) for each in engine.score(some)]
                report(len(found), len(requests))
            return found

        def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
            raise UserError("tasks of the type loglikelihood_rolling are of no board and are not supported")

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            alike: dict[tuple[tuple[str, ...], Sampling], list[int]] = defaultdict(list)
            for index, request in enumerate(requests):
                alike[_how(request.args[1], seed)].append(index)
            texts: dict[int, str] = {}
            for (until, sampling), places in alike.items():
                contexts = [requests[index].args[0] for index in places]
                room = engine.context - sampling.max_new_tokens
                prompts = [fit(context, self.tok_encode(context), room) for context in contexts]
                found = answer(generate, _decoder(tokenizer), prompts, sampling, until)
                for index, context, (text, said) in zip(places, contexts, found, strict=True):
                    texts[index] = text
                    record.said[context].append(said)
                report(len(texts), len(requests))
            return [texts[index] for index in range(len(requests))]

    def generate(prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        return generate_resumably(engine, prompts, sampling, log) if log else engine.generate(prompts, sampling)

    @lru_cache(maxsize=256)  # the answers to one question share its text
    def encode(string: str) -> tuple[int, ...]:
        return tuple(_encode(tokenizer, string))

    def fit(text: str, ids: list[int], room: int) -> list[int]:
        if len(ids) <= room:
            return ids
        head = ids[:1] if ids[0] == bos else []
        if room <= len(head):
            raise UserError(
                f"an answer of a task leaves no room for its question in the model's context of {engine.context} tokens"
            )
        record.shortened.add(text)
        return head + ids[len(ids) - (room - len(head)) :]

    bos = tokenizer.bos_token_id
    return _EngineLM()


def replay_model(answers: Mapping[str, str]) -> Any:
    """A model of lm-eval's that gives, to each prompt, the answer that is there. Raises KeyError for another prompt."""
    from lm_eval.api.model import LM

    class _Replay(LM):  # type: ignore[misc]
        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            return [answers[request.args[0]] for request in requests]

        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
            raise UserError("answers that are already there cannot say how likely another one would have been")

        loglikelihood_rolling = loglikelihood

    return _Replay()


def answer(
    generate: Generate,
    decode: Callable[[Sequence[int]], str],
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    until: Sequence[str],
) -> list[tuple[str, Said]]:
    """An answer to each prompt, its text up to the first of the stop strings `until`.

    A model that knows no EOS runs on to `max_new_tokens`. So a greedy answer is made in pieces, each twice as long as
    the one before, and one that has reached a stop string is not gone on with; the tokens are those of one go.
    """
    total, piece = sampling.max_new_tokens, sampling.max_new_tokens
    if until and sampling.temperature == 0:
        piece = min(FIRST_PIECE, total)
    ids: list[tuple[int, ...]] = [()] * len(prompts)
    finished = [False] * len(prompts)
    going = list(range(len(prompts)))
    done = 0
    while going and done < total:
        piece = min(piece, total - done)
        some = [(*prompts[i], *ids[i]) for i in going]
        for i, completion in zip(
            going, generate(some, sampling.model_copy(update={"max_new_tokens": piece})), strict=True
        ):
            ids[i] += completion.ids
            finished[i] = completion.finished
        going = [i for i in going if not finished[i] and not _stops(decode(ids[i]), until)]
        done, piece = done + piece, 2 * piece
    texts = [decode(each) for each in ids]
    answers = [_until(text, until) for text in texts]
    return [
        (text, Said(finished[i] or _stops(texts[i], until), len(ids[i]), len(text))) for i, text in enumerate(answers)
    ]


def _how(options: Mapping[str, Any], seed: int) -> tuple[tuple[str, ...], Sampling]:
    """Stop strings and sampling from a task's generation_kwargs. Greedy, unless it says do_sample and a temperature."""
    from lm_eval.models.utils import normalize_gen_kwargs  # type: ignore[import-untyped]

    options = normalize_gen_kwargs(dict(options), MAX_NEW_TOKENS)
    if unknown := sorted(set(options) - {"until", "max_gen_toks", "do_sample", "temperature", "top_p"}):
        raise UserError(f"generation_kwargs of a task: {', '.join(unknown)} cannot be asked of an engine; leave it out")
    drawn = options["do_sample"] and options["temperature"] > 0
    sampling = Sampling(
        max_new_tokens=options["max_gen_toks"],
        temperature=options["temperature"] if drawn else 0.0,
        top_p=options.get("top_p", 1.0) if drawn else 1.0,
        seed=seed if drawn else 0,
    )
    return tuple(stop for stop in options["until"] if stop), sampling


def _decoder(tokenizer: "PreTrainedTokenizerBase") -> Callable[[Sequence[int]], str]:
    return lambda ids: str(tokenizer.decode(list(ids), skip_special_tokens=True))


def _encode(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def _stops(text: str, until: Sequence[str]) -> bool:
    return any(stop in text for stop in until)


def _until(text: str, until: Sequence[str]) -> str:
    for stop in until:
        text = text.split(stop, maxsplit=1)[0]
    return text
