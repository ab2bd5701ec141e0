"""All adapters by name: the schemas that training sets come in and the record types that each can give."""

from collections.abc import Mapping
from functools import cache
from typing import get_args

from trainers.datasets.demonstrations import alpaca, document, numinamath, ultrachat, ultrachat_unfolded
from trainers.datasets.helpsteer2 import helpsteer2_pairs, helpsteer2_scored
from trainers.datasets.own import own_record, own_records_of
from trainers.datasets.preferences import kto, sharegpt_pair, ultrafeedback, ultrafeedback_scores
from trainers.datasets.transcripts import hh_rlhf
from trainers.datasets.views import Adapter, each, unpaired
from trainers.offered import load_offered
from trainers.records import RecordType

ENTRY_POINTS = "bridgebench.datasets"

ADAPTERS: Mapping[str, Adapter] = {
    "ultrachat": Adapter(
        "an ultrachat row has messages with role and content",
        {"demonstration": each(ultrachat), "score": ultrachat_unfolded},
    ),
    "numinamath": Adapter("a numinamath row has problem, solution", {"demonstration": each(numinamath)}),
    "alpaca": Adapter(
        "an alpaca row has instruction, output, and may have input, history, system",
        {"demonstration": each(alpaca)},
    ),
    "ultrafeedback": Adapter(
        "an ultrafeedback row has prompt, chosen, rejected, score_chosen, score_rejected",
        {"pair": each(ultrafeedback), "score": ultrafeedback_scores, "binary": unpaired(each(ultrafeedback))},
    ),
    "helpsteer2": Adapter(
        "a helpsteer2 row has prompt, response, helpfulness, correctness, coherence, and a neighbour with its prompt",
        {"score": each(helpsteer2_scored), "pair": helpsteer2_pairs, "binary": unpaired(helpsteer2_pairs)},
    ),
    "sharegpt_pair": Adapter(
        "a sharegpt_pair row has conversations, chosen, rejected, whose messages have from and value",
        {"pair": each(sharegpt_pair), "binary": unpaired(each(sharegpt_pair))},
    ),
    "hh_rlhf": Adapter(
        r"an hh_rlhf row has chosen, rejected, each a transcript '\n\nHuman: …\n\nAssistant: …'",
        {"pair": each(hh_rlhf), "binary": unpaired(each(hh_rlhf))},
    ),
    "kto": Adapter("a kto row has messages with role and content, label", {"binary": each(kto)}),
    "document": Adapter("a document row has text", {"document": each(document)}),
    "records": Adapter(
        f"a records row has type ({', '.join(get_args(RecordType))}) and the fields of that type",
        {record: own_records_of(record) for record in get_args(RecordType)},
        mixed=each(own_record),
    ),
}


@cache
def adapters() -> dict[str, Adapter]:
    """Ours, and those that other installed packages offer (entry-point group `bridgebench.datasets`).

    Raises UserError where one of these cannot be loaded, or takes a name that is taken.
    """
    return {**ADAPTERS, **{each.name: each.value for each in load_offered(ENTRY_POINTS, Adapter, ADAPTERS)}}
