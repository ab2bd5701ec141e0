"""TRL's losses, computed by TRL's own trainers on batches of their own collators."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.parity_cases import (
    CHOSEN,
    LABELS,
    PROMPTS,
    REJECTED,
    VOCABULARY,
    Case,
    mismatched_answers,
    prompts_and_answers,
)


class _Float64Head(nn.Module):
    """A model that answers as TRL's fused head does, with log-probs in the model's own precision."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor | None = None, **_: Any) -> Any:
        from trl.trainer.utils import FusedCausalLMOutput

        logits = self.model.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)[0]
        logits = self.model.lm_head(logits)[:, :-1]
        shifted = labels[:, 1:]
        log_p = logits.log_softmax(-1).gather(-1, shifted.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        seen = shifted != -100
        log_p = log_p.masked_fill(~seen, 0.0)
        logged_only = torch.zeros_like(log_p)
        return FusedCausalLMOutput(
            log_probs=log_p, entropy=logged_only, mean_logits=logged_only, is_top1=seen, label_mask=seen
        )


def trl_loss(case: Case, policy: Any, reference: Any, folder: str) -> Tensor:
    """The loss that the case's trainer computes, with gradient. `folder` is where a trainer insists on a place.

    In float32 with TRL's own language-model head. That head computes in float32 whatever it is given, so for float64
    the trainer's loss code is fed log-probs that plain torch computed in float64.
    """
    trainer, examples = _TRAINERS[case.kind](case, policy, reference, folder)
    batch = trainer.data_collator(examples)
    if policy.dtype == torch.float32:
        model = trainer.model
    else:
        model, trainer.ref_model = _Float64Head(policy), _Float64Head(reference)
    loss: Tensor = trainer.compute_loss(model, batch)
    return loss


Trainer = tuple[Any, list[dict[str, Any]]]


def _arguments(folder: str, options: dict[str, Any]) -> dict[str, Any]:
    fixed = {"bf16": False, "use_cpu": True, "report_to": "none", "gradient_checkpointing": False, "max_length": None}
    return {"output_dir": folder, **fixed, **options}


def _sft(case: Case, policy: Any, reference: Any, folder: str) -> Trainer:
    from datasets import Dataset  # type: ignore[import-untyped]
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    examples = [
        {"input_ids": [*prompt, *answer], "labels": [-100] * len(prompt) + list(answer)}
        for prompt, answer in prompts_and_answers(case)[0]
    ]
    arguments = SFTConfig(**_arguments(folder, case.options), dataset_kwargs={"skip_prepare_dataset": True})
    data = Dataset.from_list(examples)
    trainer = SFTTrainer(model=policy, args=arguments, train_dataset=data, processing_class=_tokenizer())
    return trainer, examples


def _dpo(case: Case, policy: Any, reference: Any, folder: str) -> Trainer:
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    data = Dataset.from_list([{"prompt": "t3", "chosen": " t4", "rejected": " t5"}])
    trainer = DPOTrainer(
        model=policy,
        ref_model=reference,
        args=DPOConfig(**_arguments(folder, case.options)),
        train_dataset=data,
        processing_class=_tokenizer(),
    )
    examples = [
        {"prompt_ids": list(prompt), "chosen_ids": list(chosen), "rejected_ids": list(rejected)}
        for prompt, chosen, rejected in zip(PROMPTS, CHOSEN, REJECTED, strict=True)
    ]
    return trainer, examples


def _kto(case: Case, policy: Any, reference: Any, folder: str) -> Trainer:
    from datasets import Dataset
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer

    data = Dataset.from_list([{"prompt": "t3", "completion": " t4", "label": liked} for liked in (True, False)])
    options = {**case.options, "train_sampling_strategy": "sequential", "per_device_train_batch_size": 2}
    trainer = KTOTrainer(
        model=policy,
        ref_model=reference,
        args=KTOConfig(**_arguments(folder, options)),
        train_dataset=data,
        processing_class=_tokenizer(),
    )
    examples = [
        {"prompt_ids": list(prompt), "completion_ids": list(answer), "KL_completion_ids": list(other), "label": liked}
        for prompt, answer, other, liked in zip(PROMPTS, CHOSEN, mismatched_answers(), LABELS, strict=True)
    ]
    return trainer, examples


_TRAINERS: dict[str, Callable[[Case, Any, Any, str], Trainer]] = {"sft": _sft, "dpo": _dpo, "kto": _kto}


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<eos>": 1, "<unk>": 2} | {f"t{i}": i for i in range(3, VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
