"""Asks a server of the released API as programs written for it do: POST, no content type, codes read from the header."""
import json
import sys
import urllib.error
import urllib.request


def compress(url, prompt, query, context, **parameters):
    roles = ("system", "user", "context")
    request = {
        "header": {"request_id": "python-1"},
        "payload": {
            "input": {"messages": [{"role": r, "content": c} for r, c in zip(roles, (prompt, query, context))]},
            "parameters": {"min_keyword_len": 1, "complete_sentence": False, "batch_size": 1, "chunk_size": 8192, **parameters},
        },
    }
    # ensure_ascii, the default, writes a character outside the basic plane as two escapes: the server must count one code point.
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=json.dumps(request).encode())) as response:
            return json.load(response)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def main(url, path):
    with open(path, encoding="utf-8", newline="") as f:
        context = f.read()
    prompt = "You extract facts. ## tagging rule:\n- tag the supporting facts with \"fact\""
    query = "What does the contract say about termination?"

    reply = compress(url, prompt, query, context)
    assert reply["header"]["status_code"] == 200 and reply["header"]["request_id"] == "python-1", reply["header"]
    texts = reply["payload"]["output"]["text"]
    assert texts and all(isinstance(t, str) and t in context for t in texts), texts
    assert sum(map(len, texts)) < len(context) / 2
    assert reply["payload"]["usage"]["input_tokens"] > 0
    assert "input" not in reply["payload"], "the context comes back"

    reply = compress(url, prompt, query, context, return_offset=True)
    items = reply["payload"]["output"]["text"]
    assert [i[0] for i in items] == texts
    assert all(context[start:end] == text for text, start, end in items), items

    for wrong in ({"batch_size": 0}, {"return_offset": "yes"}, {"compat": True}):
        reply = compress(url, prompt, query, context, **wrong)
        assert reply["header"]["status_code"] in (400, 440) and "payload" not in reply, reply
    print(len(items), "items")


main(*sys.argv[1:])
