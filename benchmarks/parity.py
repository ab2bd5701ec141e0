"""Our objectives beside TRL's on one random model and one batch: value, and gradient by every weight.

`python -m benchmarks.parity` prints the table.
"""

import os
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.parity_cases import CASES, PROMPTS, VOCABULARY, Case, Row, mismatched_answers, prompts_and_answers
from benchmarks.trl_losses import trl_loss
from trainers.objectives import Responses, find_objective


@dataclass(frozen=True)
class Difference:
    """value: relative difference of the two losses; gradient: of the two gradients, by Euclidean norm."""

    case: Case
    value: float
    gradient: float


def difference(case: Case, dtype: torch.dtype) -> Difference:
    """Runs one case."""
    policy, reference = random_model(1, dtype), random_model(2, dtype)
    ours = case.factor * _ours(case, policy, reference)
    gradient = _gradient(ours, policy)
    peer_policy = deepcopy(policy)
    with tempfile.TemporaryDirectory() as folder:
        peer = trl_loss(case, peer_policy, deepcopy(reference), folder)
    peer_gradient = _gradient(peer, peer_policy)
    return Difference(
        case,
        abs(ours.item() - peer.item()) / abs(peer.item()),
        float((gradient - peer_gradient).norm() / peer_gradient.norm()),
    )


def differences(dtype: torch.dtype) -> Iterator[Difference]:
    """All cases that TRL has in this precision."""
    for case in CASES:
        if case.has_float64 or dtype != torch.float64:
            yield difference(case, dtype)


def random_model(seed: int, dtype: torch.dtype) -> Any:
    """A random two-layer Llama. Weights are large enough for log-ratios of about one nat."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32,
        initializer_range=0.07,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=1,
    )
    model: Any = LlamaForCausalLM(config)
    return model.to(dtype)


def _gradient(loss: Tensor, model: nn.Module) -> Tensor:
    """The gradient by all weights as one vector."""
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return torch.cat([each.grad.double().flatten() for each in model.parameters() if each.grad is not None])


def _ours(case: Case, policy: Any, reference: Any) -> Tensor:
    objective = find_objective(case.objective)
    rows, score = prompts_and_answers(case)
    log_p, mask = _logprobs(policy, rows)
    with torch.no_grad():
        responses = Responses(
            policy=log_p,
            mask=mask,
            reference=_logprobs(reference, rows)[0] if objective.needs_reference else None,
            score=torch.tensor(score, dtype=log_p.dtype),
            mismatched_log_ratio=mismatched_log_ratio(policy, reference) if objective.needs_mismatch else None,
        )
    loss = objective(responses, objective.settings(**case.settings))
    return loss.total / loss.items


def _logprobs(model: Any, rows: list[Row]) -> tuple[Tensor, Tensor]:
    """[rows, tokens] log-probs of the answers' tokens, and their mask."""
    length = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.int64)
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for i, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        ids[i, :end] = torch.tensor(prompt + answer)
        mask[i, len(prompt) : end] = True
    log_p = model(input_ids=ids).logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1)
    return log_p, mask[:, 1:]


def mismatched_log_ratio(policy: Any, reference: Any) -> Tensor:
    """Scalar: the mean log-ratio of KTO's mismatched answers."""
    rows = list(zip(PROMPTS, mismatched_answers(), strict=True))
    (log_p, mask), (log_ref, _) = _logprobs(policy, rows), _logprobs(reference, rows)
    return (log_p - log_ref).masked_fill(~mask, 0.0).sum(dim=1).mean()


def main() -> None:
    """Prints objective, peer and relative differences in both precisions, as a Markdown table."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from datasets import disable_progress_bars  # type: ignore[import-untyped]

    disable_progress_bars()
    torch.set_num_threads(1)
    print("| objective | settings | TRL | precision | value | gradient | note |\n|" + " --- |" * 7)
    for dtype in (torch.float32, torch.float64):
        for found in differences(dtype):
            case = found.case
            settings, options = (
                ", ".join(f"{n}={v}" for n, v in each.items()) for each in (case.settings, case.options)
            )
            precision = str(dtype).removeprefix("torch.")
            numbers = f"{found.value:.1e} | {found.gradient:.1e}"
            print(f"| {case.objective} | {settings} | {case.kind}: {options} | {precision} | {numbers} | {case.note} |")


if __name__ == "__main__":
    main()
