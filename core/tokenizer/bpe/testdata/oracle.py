"""Encodes texts with Hugging Face's Rust tokenizer, for oracle_test.go.

Run as: python oracle.py TOKENIZER_JSON. Reads one JSON string a line, writes one line for each: {"ids": […], "spans": [[start, end], …]}
in bytes of UTF-8.
"""

import itertools
import json
import sys

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
sys.stdin.reconfigure(encoding="utf-8", newline="\n")
for line in sys.stdin:
    text = json.loads(line)
    got = tokenizer.encode(text, add_special_tokens=False)
    at = list(itertools.accumulate((len(c.encode()) for c in text), initial=0))
    json.dump({"ids": got.ids, "spans": [(at[start], at[end]) for start, end in got.offsets]}, sys.stdout)
    print()
