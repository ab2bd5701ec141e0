"""The engine on Hugging Face models: for small ones, and the reference for the faster engines."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from eval_suites.checkpoint import Checkpoint, Precision, load_checkpoint
from eval_suites.engine import (
    Completion,
    Continuation,
    Sampling,
    ScoreRequest,
    answer_limit,
    check_prompts,
    check_requests,
    input_groups,
    seeds_of,
)

if TYPE_CHECKING:
    import torch
    from transformers import LogitsProcessorList

Group = tuple[tuple[int, ...], list[int]]  # ids to read, and the requests that need them


class HuggingFaceEngine:
    """An Engine over a local checkpoint folder, perhaps with a LoRA adapter (a folder in PEFT's format) merged in.

    batch_size: rows of one forward pass
    Raises UserError where a folder is no checkpoint or no adapter.
    """

    def __init__(
        self,
        checkpoint: Path,
        *,
        adapter: Path | None = None,
        precision: Precision = "float32",
        device: str = "cpu",
        batch_size: int = 64,
    ) -> None:
        loaded = load_checkpoint(checkpoint, adapter=adapter, precision=precision, device=device)
        self._loaded: Checkpoint | None = loaded
        self.context, self.eos_ids = loaded.context, loaded.eos_ids
        self._batch_size = batch_size

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        """See Engine. A sampled answer does not depend on the rows beside it in a batch."""
        check_prompts(prompts, self.context)
        seeds = seeds_of(prompts, sampling.seed)
        limits = [answer_limit(prompt, sampling, self.context) for prompt in prompts]
        # The longest first: a batch that is too large for the memory fails at once.
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        answers: dict[int, Completion] = {}
        for limit, group in groupby(order, key=limits.__getitem__):
            # One limit a batch: a row that went on beside others' longer answers would leave the model's context.
            while rows := list(islice(group, self._batch_size)):
                batch = self._generate_batch([prompts[i] for i in rows], [seeds[i] for i in rows], sampling, limit)
                answers.update(zip(rows, batch, strict=True))
        return [answers[i] for i in range(len(prompts))]

    def score(self, requests: Sequence[ScoreRequest]) -> list[Continuation]:
        """See Engine. Logits are made for the scored tokens alone, unless the model caps or scales them."""
        check_requests(requests, self.context)
        groups = iter(input_groups(requests).items())
        found: dict[int, Continuation] = {}
        while batch := list(islice(groups, self._batch_size)):
            found.update(self._score_batch(batch, requests))
        return [found[i] for i in range(len(requests))]

    def close(self) -> None:
        """See Engine."""
        import torch

        self._loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _checkpoint(self) -> Checkpoint:
        if self._loaded is None:
            raise RuntimeError("the engine is closed")
        return self._loaded

    def _generate_batch(
        self, prompts: list[Sequence[int]], seeds: list[int], sampling: Sampling, limit: int
    ) -> list[Completion]:
        import torch
        from transformers import GenerationConfig, LogitsProcessorList

        model, eos_ids = self._checkpoint.model, self.eos_ids
        width = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[eos_ids[0]] * (width - len(p)) + list(p) for p in prompts], device=model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
        raw = _RawLogprobs()
        with torch.inference_mode():
            generated = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=GenerationConfig(
                    max_new_tokens=limit,
                    do_sample=False,
                    eos_token_id=list(eos_ids),
                    pad_token_id=eos_ids[0],
                ),
                logits_processor=LogitsProcessorList([raw, *_processors(sampling, seeds)]),
            )
            logprobs = raw.of(generated)
        rows = zip(generated[:, width:].tolist(), logprobs.tolist(), strict=True)
        return [self._completion(row, row_logprobs) for row, row_logprobs in rows]

    def _completion(self, row: list[int], logprobs: list[float]) -> Completion:
        end = next((i + 1 for i, token in enumerate(row) if token in self.eos_ids), None)
        ids = row[:end]
        text = self._checkpoint.tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(ids=tuple(ids), text=str(text), finished=end is not None, logprobs=tuple(logprobs[:end]))

    def _score_batch(self, groups: list[Group], requests: Sequence[ScoreRequest]) -> Iterator[tuple[int, Continuation]]:
        """The continuations that the groups' requests ask for, with the numbers of the requests."""
        import torch

        model = self._checkpoint.model
        width = len(groups[0][0])
        # Padded on the right: a causal model's real tokens never see the padding.
        ids = torch.tensor([[*read, *[self.eos_ids[0]] * (width - len(read))] for read, _ in groups])
        asked = [
            (index, range(row * width + len(requests[index][0]) - 1, row * width + len(read)))
            for row, (read, indices) in enumerate(groups)
            for index in indices
        ]
        places = torch.tensor([place for _, span in asked for place in span])
        tokens = torch.tensor([token for index, _ in asked for token in requests[index][1]])
        with torch.inference_mode():
            logprobs, top = _judge_tokens(model, ids.to(model.device), places, tokens)
        start = 0
        for index, span in asked:
            end = start + len(span)
            yield index, Continuation(tuple(logprobs[start:end]), tuple(top[start:end]))
            start = end


def _judge_tokens(
    model: Any, ids: "torch.Tensor", places: "torch.Tensor", tokens: "torch.Tensor"
) -> tuple[list[float], list[bool]]:
    """Log-prob of each of `tokens` behind the place where it belongs, and whether no other token is likelier there.

    ids: int64 [rows, width]; tokens: int64 [asked]; places: the same, each a place in the flattened ids
    """
    import torch

    from trainers.logprobs import chunk_tokens, head_is_linear

    places, tokens = places.to(ids.device), tokens.to(ids.device)
    head: Any
    if head_is_linear(model):
        states = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        head = model.get_output_embeddings()
    else:
        states, head = model(input_ids=ids, use_cache=False).logits, torch.nn.Identity()
    states = states.flatten(0, 1)
    logprobs, top = [], []
    size = chunk_tokens(model.config.get_text_config().vocab_size)
    for start in range(0, len(places), size):
        chunk = slice(start, start + size)
        logits = head(states[places[chunk]]).float()
        chosen = logits.gather(1, tokens[chunk].unsqueeze(1)).squeeze(1)
        logprobs.extend((chosen - logits.logsumexp(-1)).tolist())
        top.extend((chosen >= logits.amax(-1)).tolist())
    return logprobs, top


def _processors(sampling: Sampling, seeds: list[int]) -> "LogitsProcessorList":
    """Nothing for greedy decoding; otherwise temperature, nucleus and noise that make arg max a draw."""
    import torch
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

    if sampling.temperature == 0:
        return LogitsProcessorList()
    nucleus = [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    noise = _GumbelNoise([torch.Generator().manual_seed(seed) for seed in seeds])
    return LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature), *nucleus, noise])


class _RawLogprobs:
    """Stands before all other processors, changes nothing, and remembers the log-prob of each token that was chosen."""

    def __init__(self) -> None:
        self._logits: torch.Tensor | None = None
        self._found: list[torch.Tensor] = []

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        """input_ids: int64 [rows, tokens so far]; scores: float32 [rows, vocabulary], returned as they are."""
        self._note(input_ids)
        # The next processors write into their scores; what is kept of one step is overwritten at the next.
        self._logits = scores.clone()
        return scores

    def of(self, generated: "torch.Tensor") -> "torch.Tensor":
        """float32 [rows, new tokens]: the log-probs of all that was generated (after EOS: of padding, no number)."""
        import torch

        self._note(generated)
        return torch.stack(self._found, dim=1)

    def _note(self, ids: "torch.Tensor") -> None:
        """What the last column of `ids` had in the logits that it was chosen from."""
        if self._logits is not None:
            chosen = self._logits.gather(1, ids[:, -1:]).squeeze(1)
            self._found.append(chosen - self._logits.logsumexp(-1))


class _GumbelNoise:
    """Adds Gumbel noise, a generator a row: arg max of logits + noise is a draw from softmax(logits)."""

    def __init__(self, generators: "list[torch.Generator]") -> None:
        self._generators = generators

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        """scores: float [rows, vocabulary], returned with noise added."""
        import torch

        vocabulary = scores.shape[-1]
        exponential = torch.stack([torch.empty(vocabulary).exponential_(generator=g) for g in self._generators])
        return scores - exponential.log().to(scores)
