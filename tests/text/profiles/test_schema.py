"""An answer is the form asked for, or nothing."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darec.text.profiles.completion import read_completion
from darec.text.profiles.schema import cut, json_schema, parse

GOOD = {"summary": "A boat.", "audience": "Children", "keywords": ["toy", "toy", " red\n"]}


ANSWER = json.dumps(GOOD)
DRAFT = json.dumps({**GOOD, "summary": "A draft."})
FORM = json.dumps({**GOOD, "summary": "What the item is, in one or two sentences."})


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        f"```json\n{ANSWER}\n```",
        f"Sure! Here it is:\n```\n{ANSWER}\n```\nAsk me {{anything}} :}}",
        f"**{ANSWER}** <answer>",
        f"Of the form {{summary, audience}}: {json.dumps({**GOOD, 'more': 1})} Bye",
        f'{{"{ANSWER}',
        f'{{"a": {ANSWER}',
        f"{FORM}\n{ANSWER}\n{FORM}",
        f"{DRAFT}\n{ANSWER}",
        f'{ANSWER}\n{{"summary": "not all of it"}}',
        f"[{DRAFT}, {ANSWER}]",
        json.dumps({"draft": json.loads(DRAFT), "profile": GOOD}),
        json.dumps({"summary": "around it", "profile": [GOOD]}),
        json.dumps({**GOOD, "inside": json.loads(DRAFT)}),
        ANSWER[:-1] + ', "rating": NaN, "price": Infinity}',
        ANSWER.replace("A boat", "A\nboat"),
        "x" * 300_000 + ANSWER,
    ],
)
def test_the_last_whole_object_of_the_form_is_the_answer(answer: str) -> None:
    assert parse("item", answer).text() == "A boat. Children. toy, red."


@pytest.mark.parametrize(
    "answer",
    [
        f"<think>{{hm}} {DRAFT}</think>\n{ANSWER}",
        f"<thinking>\n{DRAFT}\n</thinking>{ANSWER}",
        f"{DRAFT} so be it </think>{ANSWER}",
        f"<think>one</think>{ANSWER}<think>{DRAFT}</think>",
        f"<think>is <think> a tag? {DRAFT}</think >{ANSWER}",
        f"<THINK>{DRAFT}</THINK>{ANSWER}<think>it stands",
        f"[THINK]{DRAFT}[/THINK]{ANSWER}",
        f"<seed:think>{DRAFT}</seed:think>{ANSWER}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final"
        f" <|constrain|>json<|message|>{ANSWER}<|return|>",
        f"<think>I forget to close {{this}}.\n{ANSWER}",
    ],
)
def test_what_is_only_thought_is_passed_over(answer: str) -> None:
    assert parse("item", answer).text() == "A boat. Children. toy, red."


def test_of_thinking_that_was_cut_off_nothing_is_an_answer() -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        parse("item", f"<think>{DRAFT}", whole=False)
    assert parse("item", f"<think>{DRAFT}</think>{ANSWER} and", whole=False).text()[:6] == "A boat"


@pytest.mark.parametrize(
    "answer",
    [
        repr(GOOD),
        str({**GOOD, "rating": None, "new": True}),
        ANSWER[:-2] + ",\n],}",
        json.dumps(ANSWER),
        f"Here: {repr(GOOD)[:-1]},}}",
    ],
)
def test_what_is_nearly_json_is_mended(answer: str) -> None:
    assert parse("item", answer).text() == "A boat. Children. toy, red."


def test_mending_keeps_quotes_in_strings() -> None:
    said = {**GOOD, "summary": """It's a "boat", [of, ] sorts"""}
    assert parse("item", repr(said)).model_dump()["summary"] == """It's a "boat", [of ] sorts"""
    assert parse("item", json.dumps(said)).model_dump()["summary"] == said["summary"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "no JSON object in ''"),
        ("I cannot", "no JSON object in 'I cannot'"),
        ("{summary}", "no JSON object in '{summary}'"),
        ('{"summary": "a" "audience"}', "not JSON (Expecting ',' delimiter"),
        (ANSWER[:-1], "not JSON"),
        (f"<think>{DRAFT}</think>", "no JSON object in ''"),
        ("{}", "summary: field required"),
        ('{"summary": "a", "keywords": []}', "audience: field required"),
        ('{"summary": 5, "audience": "b", "keywords": []}', "summary: input should be a valid"),
        ('{"summary": " \\n", "audience": "b", "keywords": []}', "summary: is empty"),
        ('{"summary": "a", "audience": "b", "keywords": "c"}', "keywords: input should be a"),
        ('{"summary": "a", "audience": "b", "keywords": [NaN]}', "keywords.0: input should be"),
        ('[{"summary": "a"}, {"audience": "b"}, {"c": 1}]', "summary: field required"),
        (FORM, "the form repeated"),
        ('{"summary": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_bad_answers(answer: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse("item", answer)
    assert message in str(caught.value)


@given(
    st.text(st.sampled_from("{}[]\",:\\ \n'abthinksumry<>/`")),
    st.text(st.sampled_from("{}[]\",:\\ \n'abthinksumry/`")),
)
def test_whatever_stands_around_an_answer_it_is_found(before: str, after: str) -> None:
    assert parse("item", before + ANSWER + after).text() == "A boat. Children. toy, red."


@pytest.mark.parametrize(
    "part",
    [
        "{",
        '{"',
        "{'",
        '{"a":',
        '{"a":[',
        '{"\\',
        '{"a":{}},{',
        '{"summary":1}',
        "<think>",
        "<think",
        "<|channel|>final",
        '{"a":"{',
        "[{",
    ],
)
def test_a_megabyte_of_nonsense_is_refused_in_a_moment(part: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError):
        parse("item", part * (1_000_000 // len(part)))
    assert time.process_time() - started < 10


@given(st.text(), st.lists(st.text(), max_size=30))
def test_whatever_a_model_says_comes_out_clean_and_short(said: str, keywords: list[str]) -> None:
    answer = json.dumps({"summary": "x" + said * 50, "audience": "y", "keywords": keywords})
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
    parts: list[object] = [{"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}]
    for message in (
        {"content": [*parts, {"type": "text", "text": ANSWER[:9]}, ANSWER[9:]]},
        {"content": None, "reasoning_content": f"<think>{ANSWER}"},
        {"content": ANSWER, "reasoning": DRAFT, "refusal": ""},
    ):
        found = read_completion("item", completion(message))
        assert found.profile and found.profile.text() == "A boat. Children. toy, red."
    cases = [
        (completion({"content": '{"summary": "A'}, "length"), "cut off at max_tokens", False),
        (completion({"content": None}, "length"), "cut off at max_tokens", False),
        (completion({"content": None, "reasoning": ANSWER}, "length"), "cut off at", False),
        (completion({"content": f"<think>{DRAFT}"}, "length"), "cut off at max_tokens", False),
        (completion({"content": None, "refusal": "no"}), "the model refuses: no", True),
        (completion({"content": ANSWER}, "content_filter"), "content filter", True),
        (completion({}, "content_filter: PROHIBITED_CONTENT"), "content filter", True),
        (completion({"content": ""}, "SAFETY"), "content filter", True),
        *((completion(empty), "empty answer", False) for empty in (None, {}, {"content": [1]})),
        (completion({"content": " \n"}), "empty answer", False),
        ({"choices": []}, "empty answer", False),
    ]
    for body, reason, refused in cases:
        found = read_completion("item", body)
        assert found.profile is None and reason in str(found.reason)
        assert found.refused is refused
    for body in (None, "text", {}, [1], {"choices": None}, {"choices": {"0": 1}}, {"detail": "no"}):
        with pytest.raises(ValueError, match="no chat completion"):
            read_completion("item", body)
