"""Generation with Hugging Face `generate`: the engine for small models, and the reference for the faster ones."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eval_suites.checkpoint import Precision, load_checkpoint
from eval_suites.engine import Completion, Sampling
from results.digest import digest
from results.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import LogitsProcessorList


class HuggingFaceEngine:
    """An Engine over a local checkpoint folder. Raises UserError where the folder is no checkpoint."""

    def __init__(
        self, checkpoint: Path, *, precision: Precision = "float32", device: str = "cpu", batch_size: int = 64
    ) -> None:
        self._checkpoint = load_checkpoint(checkpoint, precision=precision, device=device)
        self._batch_size = batch_size

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[Completion]:
        """See Engine. A sampled answer depends on its prompt and the seed, not on the rows beside it in a batch."""
        room = self._checkpoint.context - sampling.max_new_tokens
        for index, prompt in enumerate(prompts):
            if not 0 < len(prompt) <= room:
                raise UserError(
                    f"prompt {index} has {len(prompt)} tokens: between 1 and {room} fit beside max_new_tokens="
                    f"{sampling.max_new_tokens} in the model's context of {self._checkpoint.context}"
                )
        seeds = _seeds(prompts, sampling.seed)
        # The longest first: a batch that is too large for the memory fails at once.
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        answers: dict[int, Completion] = {}
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            batch = self._generate_batch([prompts[i] for i in rows], [seeds[i] for i in rows], sampling)
            answers.update(zip(rows, batch, strict=True))
        return [answers[i] for i in range(len(prompts))]

    def _generate_batch(self, prompts: list[Sequence[int]], seeds: list[int], sampling: Sampling) -> list[Completion]:
        import torch
        from transformers import GenerationConfig

        model, _, eos_ids, _ = self._checkpoint
        width = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[eos_ids[0]] * (width - len(p)) + list(p) for p in prompts], device=model.device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
        with torch.inference_mode():
            generated = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=GenerationConfig(
                    max_new_tokens=sampling.max_new_tokens,
                    do_sample=False,
                    eos_token_id=list(eos_ids),
                    pad_token_id=eos_ids[0],
                ),
                logits_processor=_processors(sampling, seeds),
            )
        return [self._completion(row) for row in generated[:, width:].tolist()]

    def _completion(self, row: list[int]) -> Completion:
        end = next((i + 1 for i, token in enumerate(row) if token in self._checkpoint.eos_ids), None)
        ids = row[:end]
        text = self._checkpoint.tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(ids=tuple(ids), text=str(text), finished=end is not None)


def _seeds(prompts: Sequence[Sequence[int]], seed: int) -> list[int]:
    """One seed a prompt, from its tokens and how often it came before, so that repeats of a prompt differ."""
    seen: Counter[tuple[int, ...]] = Counter()
    seeds = []
    for prompt in prompts:
        ids = tuple(prompt)
        seeds.append(int(digest([seed, seen[ids], ids])[:15], 16))
        seen[ids] += 1
    return seeds


def _processors(sampling: Sampling, seeds: list[int]) -> "LogitsProcessorList":
    """Nothing for greedy decoding; otherwise temperature, nucleus and noise that make arg max a draw."""
    import torch
    from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

    if sampling.temperature == 0:
        return LogitsProcessorList()
    nucleus = [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    noise = _GumbelNoise([torch.Generator().manual_seed(seed) for seed in seeds])
    return LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature), *nucleus, noise])


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
