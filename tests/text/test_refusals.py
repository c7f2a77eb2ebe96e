"""How far a refusal reaches, by what real servers send."""

from __future__ import annotations

import pytest

from darec.text.refusals import BodyError, Reach, reach, read_answer

AZURE = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
OPENAI = "Invalid prompt: your prompt was flagged as potentially violating our usage policy."


@pytest.mark.parametrize(
    ("expected", "status", "code", "message"),
    [
        ("content", 400, "content_filter", AZURE),
        ("content", 400, "", AZURE),
        ("content", 400, "invalid_prompt", OPENAI),
        ("content", 400, "data_inspection_failed", "Input data may contain inappropriate content."),
        ("content", 403, "", "Your chosen model requires moderation and your input was flagged."),
        ("content", 400, "1301", "系统检测到输入或生成内容可能包含不安全或敏感内容"),
        ("content", 400, "", "The request was rejected because it was considered high risk"),
        ("content", 451, "", "prohibited content"),
        ("content", None, "SAFETY", "blocked"),
        ("one", 400, "context_length_exceeded", "maximum context length is 4096 tokens"),
        ("one", 413, "", "inputs must have less than 512 tokens"),
        ("one", 422, "", "unprocessable"),
        ("one", 400, "", "model names are case-sensitive"),
        ("all", 400, "unsupported_parameter", "Use 'max_completion_tokens' instead."),
        ("all", 400, "", "'response_format' of type 'json_schema' is not supported"),
        ("all", 401, "invalid_api_key", "Incorrect API key provided"),
        ("all", 402, "", "Insufficient balance"),
        ("all", 403, "", "Country not supported"),
        ("all", 403, "", "Your organization was flagged for violating our usage policy"),
        ("all", 404, "model_not_found", "The model does not exist"),
        ("all", 405, "", "Method Not Allowed"),
        ("all", 429, "insufficient_quota", "You exceeded your current quota"),
        ("later", 408, "", ""),
        ("later", 429, "rate_limit_exceeded", "Rate limit reached"),
        ("later", 500, "", "internal error in the content filter"),
        ("later", 529, "", "overloaded"),
        ("later", None, "", "upstream error"),
    ],
)
def test_how_far_a_refusal_reaches(
    expected: Reach, status: int | None, code: str, message: str
) -> None:
    assert reach(status, code, message) == expected


def test_errors_with_status_200() -> None:
    assert read_answer('{"choices": [1], "error": {"message": "no"}}')["choices"] == [1]
    assert read_answer('{"choices": [], "error": null}') == {"choices": [], "error": None}
    for text, status, code, message in (
        ('{"error": {"code": 502, "message": "bad"}}', 502, "", "bad"),
        ('{"error": {"code": "429", "message": "slow"}, "choices": []}', 429, "", "slow"),
        ('{"error": {"code": "SAFETY"}, "data": null}', None, "SAFETY", "SAFETY"),
        ('{"error": {"status": "UNAVAILABLE", "code": 0}}', None, "UNAVAILABLE", "UNAVAILABLE"),
        ('{"error": "no"}', None, "", "no"),
        ('{"error": {"a": 1}}', None, "", "no reason given"),
        ('{"error": [1]}', None, "", "[1]"),
    ):
        with pytest.raises(BodyError) as caught:
            read_answer(text)
        assert (caught.value.status, caught.value.code) == (status, code)
        assert str(caught.value) == message
    for text in ("", "<html>\n<b>", "[" * 100_000, '{"a": ' * 50_000, "9" * 10_000):
        with pytest.raises(ValueError, match="not JSON but"):
            read_answer(text)
