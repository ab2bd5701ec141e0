"""Public training sets, whole: exact counts, and rows compared with what a reader sees in the files."""

import gzip
import json
from collections import Counter

import pytest

from tests.real_data import REAL_DATA, needs_real_data
from trainers.datasets.loading import Loaded, load_records
from trainers.datasets.sources import Source
from trainers.datasets.splits import opening, split
from trainers.records import BinaryFeedback, Demonstration, PreferencePair

pytestmark = [needs_real_data, pytest.mark.real_data]

HH_FILE = "hh_harmless_test.jsonl.gz"


def load(adapter: str, file: str) -> Loaded:
    return load_records(Source(adapter=adapter, file=str(REAL_DATA / "training" / file)))


def test_lima() -> None:
    loaded = load("alpaca", "lima.json.gz")
    assert (loaded.read, loaded.kept, loaded.dropped) == (1029, 1029, {})
    records = [record for record in loaded.records if isinstance(record, Demonstration)]
    assert Counter(len(record.messages) for record in records) == {2: 1000, 4: 15, 6: 10, 8: 3, 20: 1}

    first = records[0].messages
    assert [message.role for message in first] == ["user", "assistant"]
    assert first[0].content.startswith("Can brain cells move? By movement I mean long distance migration")
    assert first[1].content.startswith("The question is relatively broad and one should take into account that")

    dialogue = records[1000].messages
    assert [message.role for message in dialogue] == ["user", "assistant"] * 2
    assert dialogue[0].content.startswith("Most of the books I read give examples using <code")
    assert dialogue[2].content.startswith("Could you elaborate on the unintuitive bit?  I'm always on the lookout")
    assert dialogue[3].content.startswith("It's found that some students learn the concept of functions before")


def test_dpo_en_demo() -> None:
    loaded = load("sharegpt_pair", "dpo_en_demo.json")
    assert (loaded.read, loaded.kept, loaded.ties, loaded.dropped) == (300, 300, 0, {})
    records = [record for record in loaded.records if isinstance(record, PreferencePair)]
    assert Counter(len(record.prompt) for record in records) == {1: 114, 2: 80, 3: 1, 5: 57, 7: 46, 9: 1, 13: 1}
    assert sum(record.prompt[0].role == "system" for record in records) == 80

    assert records[0].prompt[0].content.startswith("Hi! I'd like to create a new language game")
    assert records[0].chosen.startswith("That sounds like a fun and engaging idea! Here are some tips")
    assert records[0].rejected.startswith("Hello! I'd be happy to help you create a language game")
    longest = records[224]
    assert [message.role for message in longest.prompt] == ["user", "assistant"] * 6 + ["user"]
    assert longest.prompt[0].content.startswith("Build a database schema for the below requirement.")
    assert longest.chosen.startswith("To have dynamic filters, you can modify the filter")


def test_kto_en_demo() -> None:
    loaded = load("kto", "kto_en_demo.json")
    assert (loaded.read, loaded.kept, loaded.dropped) == (300, 300, {})
    records = [record for record in loaded.records if isinstance(record, BinaryFeedback)]
    assert Counter(record.liked for record in records) == {True: 150, False: 150}
    assert Counter(len(record.prompt) for record in records) == {1: 223, 3: 3, 5: 47, 7: 22, 9: 1, 11: 4}

    assert records[0].prompt[0].content.startswith("The Federal Trade Commission is going after spyware")
    assert records[0].response.startswith("Ooh ooh ah ah! *giggle* Let me think...")
    assert records[0].liked
    assert (records[299].response, records[299].liked) == ("ભારત", False)


def test_hh_harmless() -> None:
    loaded = load("hh_rlhf", HH_FILE)
    assert (loaded.read, loaded.kept, loaded.ties) == (2312, 2299, 0)
    assert loaded.dropped == {
        "answers differ in more than the last turn": 5,
        "empty answer": 4,
        "turns out of order": 4,
    }
    first, last = loaded.records[0], loaded.records[-1]
    assert isinstance(first, PreferencePair)
    assert isinstance(last, PreferencePair)
    assert first.prompt[2].content == "yep"
    assert first.chosen.startswith("No, sorry!  All of these involve a pen, the point is")
    assert first.rejected.startswith("There are lots of funny things you can do with pens")
    assert last.prompt[-1].content == "Where is the human trade message board"
    assert last.rejected == "It’s private, I can only show you if you join."


def test_hh_harmless_transcripts_reassemble() -> None:
    names = {"user": "Human", "assistant": "Assistant"}
    with gzip.open(REAL_DATA / "training" / HH_FILE, "rt", encoding="utf-8") as file:
        transcripts = {(row["chosen"], row["rejected"]) for row in map(json.loads, file)}
    for pair in load("hh_rlhf", HH_FILE).records:
        assert isinstance(pair, PreferencePair)
        prompt = "".join(f"\n\n{names[message.role]}: {message.content}" for message in pair.prompt)
        assert (f"{prompt}\n\nAssistant: {pair.chosen}", f"{prompt}\n\nAssistant: {pair.rejected}") in transcripts


def test_no_prompt_of_hh_harmless_is_on_both_sides_of_a_split() -> None:
    records = load("hh_rlhf", HH_FILE).records
    train, validation = split(records, validation=200, seed=0)
    assert (len(train), len(validation)) == (2099, 200)
    assert not {opening(record) for record in train} & {opening(record) for record in validation}
