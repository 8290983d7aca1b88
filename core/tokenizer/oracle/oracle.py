"""Encodes texts with Hugging Face's Rust tokenizer, for oracle.go.

Arguments: TOKENIZER_JSON, and "plain" to switch off truncation, padding, templates and the search for special tokens in the text. Reads one
JSON string a line, writes one line for each: {"ids": […], "spans": [[start, end], …]} in bytes of UTF-8.
"""

import itertools
import json
import sys

from tokenizers import Tokenizer

with open(sys.argv[1], encoding="utf-8") as f:
    spec = json.load(f)
if "plain" in sys.argv[2:]:
    spec.update(truncation=None, padding=None, post_processor=None, added_tokens=[])
tokenizer = Tokenizer.from_str(json.dumps(spec))

sys.stdin.reconfigure(encoding="utf-8", newline="\n")
for line in sys.stdin:
    text = json.loads(line)
    got = tokenizer.encode(text, add_special_tokens=False)
    spans = got.offsets
    if not text.isascii():
        at = list(itertools.accumulate((len(c.encode()) for c in text), initial=0))
        spans = [(at[start], at[end]) for start, end in spans]
    json.dump({"ids": got.ids, "spans": spans}, sys.stdout)
    print()
