"""From the files that training sets come in to records, with a count of what was read, kept and dropped."""
