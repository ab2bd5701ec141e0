"""From the files that training sets come in to records, with a count of what was read, kept and dropped."""

from trainers.datasets.loading import Loaded, check_source, concatenate, load_records, record_type
from trainers.datasets.sources import Source
from trainers.datasets.splits import Split, split

__all__ = ["Loaded", "Source", "Split", "check_source", "concatenate", "load_records", "record_type", "split"]
