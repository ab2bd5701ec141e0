"""Probes against a computation by hand, on sets that they are meant for, on the device of the models."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from eval_suites.probes import probe
from results.errors import UserError
from results.rows import Item, Score
from tests.trainers.tiny import demonstrations, feedback, pairs, tiny_llama, write_tokenizer
from trainers.chat import load_tokenizer
from trainers.records import Document, Record
from trainers.tokens import TokenizedSet, tokenize

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BUDGET = 200  # tokens of a micro-batch: several batches, and rows in another order than the set's


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> "PreTrainedTokenizerBase":
    return load_tokenizer(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


@pytest.fixture(scope="module")
def models(tokenizer: "PreTrainedTokenizerBase") -> "tuple[PreTrainedModel, PreTrainedModel]":
    return tiny_llama(tokenizer, seed=1), tiny_llama(tokenizer, seed=2)


@pytest.fixture(scope="module")
def shown(tokenizer: "PreTrainedTokenizerBase") -> TokenizedSet:
    return tokenize(tokenizer, demonstrations(9), max_length=128)


@pytest.fixture(scope="module")
def compared(tokenizer: "PreTrainedTokenizerBase") -> TokenizedSet:
    return tokenize(tokenizer, pairs(11), max_length=128)


def log_probs(model: "PreTrainedModel", tokens: TokenizedSet, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The distribution before each supervised token of a row [tokens, vocabulary], and those tokens [tokens]."""
    place = slice(tokens.offsets[row], tokens.offsets[row + 1])
    ids = torch.from_numpy(tokens.ids[place]).long()
    supervised = torch.from_numpy(tokens.supervised[place])
    with torch.no_grad():
        table = model(input_ids=ids.unsqueeze(0)).logits[0].log_softmax(-1)
    return table[:-1][supervised[1:]], ids[supervised]


def chosen(model: "PreTrainedModel", tokens: TokenizedSet, row: int) -> float:
    table, ids = log_probs(model, tokens, row)
    return float(table.gather(1, ids.unsqueeze(1)).sum())


def values(items: list[Item], metric: str) -> list[float | None]:
    return [item.value for item in items if item.metric == metric]


def value(scores: list[Score], metric: str) -> float | None:
    (found,) = [score.value for score in scores if score.metric == metric]
    return found


def test_every_item_is_what_a_hand_computation_gives(
    models: "tuple[PreTrainedModel, PreTrainedModel]", shown: TokenizedSet, compared: TokenizedSet
) -> None:
    model, base = models
    scores, items = probe(model, base, shown, compared, BUDGET)
    nll, kl = [], []
    for row in range(shown.rows):
        (p, ids), (q, _) = log_probs(model, shown, row), log_probs(base, shown, row)
        nll.append(-chosen(model, shown, row) / len(ids))
        kl.append(float((p.exp() * (p - q)).sum() / len(ids)))
    gains = [chosen(model, compared, row) - chosen(base, compared, row) for row in range(compared.rows)]
    right = [100.0 * (one > other) for one, other in zip(gains[::2], gains[1::2], strict=True)]
    assert 0 < sum(right) < 100 * len(right), "a metric at its end proves little"
    for metric, by_hand in (("held_out_nll", nll), ("kl_to_base", kl), ("pair_accuracy", right)):
        assert values(items, metric) == pytest.approx(by_hand, rel=1e-4)
        assert value(scores, metric) == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-4)


def test_a_model_is_its_own_base(
    models: "tuple[PreTrainedModel, PreTrainedModel]", shown: TokenizedSet, compared: TokenizedSet
) -> None:
    scores, items = probe(models[0], models[0], shown, compared, BUDGET)
    assert value(scores, "kl_to_base") == 0
    assert values(items, "pair_accuracy") == [50.0] * 11


def test_documents_are_held_out_text_too(
    models: "tuple[PreTrainedModel, PreTrainedModel]", tokenizer: "PreTrainedTokenizerBase"
) -> None:
    texts: list[Record] = [Document(id="a", text="a quiet river"), *demonstrations(1)]
    scores, _ = probe(*models, tokenize(tokenizer, texts, max_length=128), None, BUDGET)
    assert [(score.metric, score.n_scored) for score in scores] == [("held_out_nll", 2), ("kl_to_base", 2)]


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        (pairs(3), "demonstrations have records of type pair"),
        ([*demonstrations(2), *pairs(2)], "demonstrations have records of type pair"),
        ([*demonstrations(2), *feedback(2)], "demonstrations have records of type binary"),
        (demonstrations(4), "pairs have records of type demonstration"),
        ([*demonstrations(2), *pairs(2)], "pairs have records of type demonstration"),
        (feedback(4), "pairs have records of type binary"),
    ],
)
def test_other_records_are_refused(
    models: "tuple[PreTrainedModel, PreTrainedModel]",
    tokenizer: "PreTrainedTokenizerBase",
    shown: TokenizedSet,
    records: list[Record],
    fault: str,
) -> None:
    given = tokenize(tokenizer, records, max_length=128)
    held_out, compared = (given, None) if fault.startswith("demonstrations") else (shown, given)
    with pytest.raises(UserError, match=f"^probes: the held-out {fault}: a dataset of"):
        probe(*models, held_out, compared, BUDGET)


def test_no_tensor_is_made_on_another_device_than_the_models(
    models: "tuple[PreTrainedModel, PreTrainedModel]", shown: TokenizedSet, compared: TokenizedSet
) -> None:
    wanted = probe(*models, shown, compared, BUDGET)
    with torch.device("meta"):  # where a tensor goes that is made without a word about its device
        assert probe(*models, shown, compared, BUDGET) == wanted


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_models_on_a_gpu(
    tokenizer: "PreTrainedTokenizerBase", shown: TokenizedSet, compared: TokenizedSet, tmp_path: Path
) -> None:
    here = [tiny_llama(tokenizer, seed) for seed in (1, 2)]
    scores, _ = probe(here[0], here[1], shown, compared, BUDGET)
    there = [tiny_llama(tokenizer, seed).cuda() for seed in (1, 2)]  # type: ignore[call-arg]
    found, _ = probe(there[0], there[1], shown, compared, BUDGET)
    assert [score.value for score in found] == pytest.approx([score.value for score in scores], rel=1e-3)
