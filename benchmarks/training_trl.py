"""The training benchmark's run in TRL's own trainers, on the same rows in the same batches."""

import tempfile
import time
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset, disable_progress_bars, load_from_disk  # type: ignore[import-untyped]
from peft import LoraConfig
from torch import Tensor
from transformers import TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from benchmarks.training_data import Rows
from benchmarks.training_jobs import BETA, LORA_ALPHA, LORA_RANK, Clock, Job, Timing, order_of_units
from trainers.spec import AdamW
from trainers.tokens import TokenizedSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TRAINERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "sft": (SFTTrainer, SFTConfig, {"loss_type": "nll"}),
    "dft": (SFTTrainer, SFTConfig, {"loss_type": "dft"}),
    "dpo": (DPOTrainer, DPOConfig, {"loss_type": ["sigmoid"], "beta": BETA}),
    "kto": (KTOTrainer, KTOConfig, {"loss_type": "kto", "beta": BETA}),
}


def run(job: Job, model: "PreTrainedModel", rows: Rows) -> Timing:
    """Trains `model`, or adapters on it."""
    disable_progress_bars()
    has_reference = job.objective in ("dpo", "kto")
    trainer_class, config_class, options = _TRAINERS[job.objective]
    clock = Clock(job.device)
    with tempfile.TemporaryDirectory() as folder:
        arguments: dict[str, Any] = {}
        if has_reference and not job.trl.precompute and not job.lora:
            arguments["ref_model"] = deepcopy(model)
        if job.lora:
            # attached by the trainer, which then reads the reference off the model without adapters
            torch.manual_seed(job.seed)
            arguments["peft_config"] = LoraConfig(
                r=LORA_RANK,
                lora_alpha=LORA_ALPHA,
                target_modules="all-linear",
                lora_dropout=0.0,
                task_type="CAUSAL_LM",
            )
        trainer = _measured(trainer_class, order_of_units(rows.tokens, job))(
            model=model,
            args=config_class(output_dir=folder, **_settings(job), **options),
            train_dataset=_dataset(job, rows),
            processing_class=_tokenizer(),
            callbacks=[_Ticks(clock)],
            **arguments,
        )
        trainer.train()
    micro = trainer.args.gradient_accumulation_steps
    losses = torch.stack(trainer.micro_batch_losses).double().reshape(-1, micro).sum(dim=1)
    return Timing(seconds=clock.seconds, reference_seconds=trainer.reference_seconds, losses=tuple(losses.tolist()))


def _settings(job: Job) -> dict[str, Any]:
    """TRL's defaults but for what makes the work equal, and for what the job changes."""
    adamw = AdamW()
    settings = {
        "max_steps": job.steps,
        "per_device_train_batch_size": job.trl_examples,
        "gradient_accumulation_steps": job.units // job.trl_examples,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "cosine",
        "adam_beta1": adamw.betas[0],
        "adam_beta2": adamw.betas[1],
        "adam_epsilon": adamw.epsilon,
        "weight_decay": adamw.weight_decay,
        "max_grad_norm": adamw.clip,
        "bf16": job.precision == "bf16",
        "use_cpu": job.device == "cpu",
        "gradient_checkpointing": job.checkpointing,
        "max_length": None,
        "seed": job.seed,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    if job.trl.padding_free:
        settings["padding_free"] = True
    if job.trl.precompute:
        settings["precompute_ref_log_probs"] = True
    return settings


def _measured(trainer_class: Any, order: list[int]) -> Any:
    """The trainer on examples that are tokens already, in a given order; it keeps its losses and a stop-watch."""

    class Measured(trainer_class):  # type: ignore[misc]
        reference_seconds = 0.0

        def __init__(self, **arguments: Any) -> None:
            self.micro_batch_losses: list[Tensor] = []
            super().__init__(**arguments)

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _get_train_sampler(self, train_dataset: Any = None) -> list[int]:
            return order

        def _precompute_ref_logps(self, *arguments: Any) -> Any:
            began = time.perf_counter()
            dataset = super()._precompute_ref_logps(*arguments)
            self.reference_seconds = time.perf_counter() - began
            return dataset

        def training_step(self, *arguments: Any, **named: Any) -> Any:
            loss = super().training_step(*arguments, **named)
            self.micro_batch_losses.append(loss)
            return loss

    return Measured


class _Ticks(TrainerCallback):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._clock.tick()


def _dataset(job: Job, rows: Rows) -> Any:
    """The rows as TRL's trainers have them after tokenising."""
    place = job.data / "trl"
    if job.trl.saved and place.is_dir():
        return load_from_disk(str(place))
    dataset = Dataset.from_dict(_columns(job.objective, rows))
    if not job.trl.saved:
        return dataset
    dataset.save_to_disk(str(place))
    return load_from_disk(str(place))


def _columns(objective: str, rows: Rows) -> dict[str, list[Any]]:
    tokens = rows.tokens
    if objective in ("sft", "dft"):
        ids = [tokens.ids[a:b].tolist() for a, b in _bounds(tokens)]
        learned = [tokens.supervised[a:b].tolist() for a, b in _bounds(tokens)]
        labels = [
            [token if on else -100 for token, on in zip(*row, strict=True)] for row in zip(ids, learned, strict=True)
        ]
        return {"input_ids": ids, "labels": labels}
    prompts, answers = _prompts_and_answers(tokens)
    if objective == "dpo":
        return {"prompt_ids": prompts[0::2], "chosen_ids": answers[0::2], "rejected_ids": answers[1::2]}
    assert rows.mismatched is not None
    return {
        "prompt_ids": prompts,
        "completion_ids": answers,
        "KL_completion_ids": _prompts_and_answers(rows.mismatched)[1],
        "label": [bool(score) for score in tokens.score],
    }


def _bounds(tokens: TokenizedSet) -> list[tuple[int, int]]:
    return list(zip(tokens.offsets[:-1].tolist(), tokens.offsets[1:].tolist(), strict=True))


def _prompts_and_answers(tokens: TokenizedSet) -> tuple[list[list[int]], list[list[int]]]:
    prompts, answers = [], []
    for start, end in _bounds(tokens):
        answer = start + int(tokens.supervised[start:end].argmax())
        prompts.append(tokens.ids[start:answer].tolist())
        answers.append(tokens.ids[answer:end].tolist())
    return prompts, answers


def _tokenizer() -> Any:
    """Trainers want one; all that they read of it here is the id of padding."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1, "<unk>": 2}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
