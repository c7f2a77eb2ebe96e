"""An answer is the form asked for, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.text.profiles.completion import read_completion
from darec.text.profiles.schema import ANSWER_CHARACTERS, cut, json_schema, parse

GOOD = {"summary": "A boat.", "audience": "Children", "keywords": ["toy", "toy", " red\n"]}


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(GOOD),
        f"```json\n{json.dumps(GOOD)}\n```",
        f"<think>hm</think> Here you are: {json.dumps({**GOOD, 'more': 1})} Bye",
    ],
)
def test_good_answers(answer: str) -> None:
    assert parse("item", answer).text() == "A boat. Children. toy, red."


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "no JSON object in ''"),
        ("I cannot", "no JSON object in 'I cannot'"),
        ('{"summary": "a", }', "not JSON"),
        ("{" * 9000 + "}" * 9000, "not JSON"),
        ('{"summary": "a", "keywords": []}', "audience: field required"),
        ('{"summary": 5, "audience": "b", "keywords": []}', "summary: input should be a valid"),
        ('{"summary": " \\n", "audience": "b", "keywords": []}', "summary: is empty"),
        ('{"summary": "a", "audience": "b", "keywords": "c"}', "keywords: input should be a"),
        ('[{"summary": "a"}, {"summary": "b"}]', "not JSON"),
        ("{" + "x" * ANSWER_CHARACTERS + "}", "has 20,002 characters"),
    ],
)
def test_bad_answers(answer: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse("item", answer)
    assert message in str(caught.value)


@given(st.text(), st.lists(st.text(), max_size=30))
def test_whatever_a_model_says_comes_out_clean_and_short(said: str, keywords: list[str]) -> None:
    answer = json.dumps({"summary": "x" + said * 50, "audience": "y", "keywords": keywords})
    if len(answer) > ANSWER_CHARACTERS:
        return
    text = parse("item", answer).text()
    assert len(text) < 3000
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    text.encode()


def test_cut() -> None:
    assert cut("one two three", 9) == "one two"
    assert cut("one two three", 7) == "one two"
    assert cut("unbroken", 3) == "unb"
    assert cut("\ud800a\x00b\n c", 9) == "a b c"


def test_the_schema_is_closed_and_complete() -> None:
    for kind in ("item", "user"):
        schema = json_schema(kind)
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])


def test_completions_of_all_sorts() -> None:
    def completion(message: object, ended: str = "stop", **more: object) -> dict[str, object]:
        return {"choices": [{"message": message, "finish_reason": ended}], **more}

    good = read_completion(
        "item",
        completion(
            {"content": json.dumps(GOOD)}, usage={"prompt_tokens": 3, "completion_tokens": -1}
        ),
    )
    assert good.profile and (good.tokens_in, good.tokens_out) == (3, None)
    cases = [
        (completion({"content": '{"summary": "A'}, "length"), "cut off at max_tokens"),
        (completion({"content": None}, "length"), "cut off at max_tokens"),
        (completion({"content": None, "refusal": "no"}), "the model refuses: no"),
        (completion({"content": "x"}, "content_filter"), "content filter"),
    ]
    for body, reason in cases:
        found = read_completion("item", body)
        assert found.profile is None and reason in str(found.reason)
    for body in (None, "text", {}, {"choices": []}, completion(None), completion({"content": [1]})):
        with pytest.raises(ValueError, match="no chat completion"):
            read_completion("item", body)
