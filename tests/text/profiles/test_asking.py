"""The real client against a real server that does wrong: what is asked, asked again, kept, and given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from darec.errors import ConfigError, EndpointError, FolderError, TextError
from darec.lock import locked
from darec.text.profiles import Price, Profiler
from darec.text.sources import read_texts
from scripted_server import Reply, ScriptedServer, chat, profile, question

Make = Callable[..., Profiler]
GOOD = None


def test_items_and_users_are_asked_once_and_published(
    profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    report = profiler(kinds=["item", "user"], price=Price(1, 10)).run(progress=False)
    assert (report.items, report.users, report.profiles, report.new) == (12, 8, 20, 20)
    assert (report.tokens_in, report.tokens_out, report.left) == (2000, 400, 0)
    assert report.cost == pytest.approx(0.006)
    assert not (report.failed or report.unanswered or report.stopped)
    assert set(server.asked().values()) == {1} and len(server.requests) == 20
    body = server.requests[0]
    assert body["model"] == "m" and body["response_format"]["json_schema"]["strict"] is True
    texts = read_texts(shop / "profiles/m/items.jsonl", "item")
    assert list(texts) == [f"i{n}" for n in range(12)]
    assert len(set(texts.values())) == 12
    assert list(read_texts(shop / "profiles/m/users.jsonl", "user")) == [f"u{n}" for n in range(8)]

    again = profiler(kinds=["item", "user"]).run(progress=False)
    assert (again.new, again.reused, again.profiles) == (0, 20, 20)
    assert len(server.requests) == 20


def test_only_what_has_changed_is_asked_again(
    profiler: Make, server: ScriptedServer, shop: Path, tmp_path: Path
) -> None:
    profiler().run(progress=False)
    template = tmp_path / "mine.j2"
    template.write_text("{{ title }}{% if '3' in title %}!{% endif %}")
    profiler({"item_template": template}).run(progress=False)
    assert len(server.requests) == 24
    template.write_text("{{ title }}{% if '3' in title %}?{% endif %}")
    changed = profiler({"item_template": template}).run(progress=False)
    assert (changed.new, changed.reused) == (3, 9)  # items 3, 7 and 11 are of group 3
    assert len(server.requests) == 27


def test_as_many_in_flight_as_allowed(profiler: Make, server: ScriptedServer) -> None:
    server.script = lambda body, n: Reply(chat(profile(body)).body, delay=0.1)
    profiler({"in_flight": 3}).run(progress=False)
    assert server.most_at_once == 3


def patience(fault: Reply) -> float:
    """Half of what a slow answer takes: the healthy ones come in time on a busy machine, too."""
    return fault.delay / 2 or 30.0


def test_retry_after_is_waited_for(profiler: Make, server: ScriptedServer) -> None:
    busy = Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "1"})
    server.script = lambda body, n: busy if n == 0 else GOOD
    report = profiler(limit=1).run(progress=False)
    assert report.new == 1 and report.left == 11
    assert server.times[1] - server.times[0] >= 1.0


@pytest.mark.parametrize(
    "fault",
    [
        Reply("", 500),
        Reply({"error": {"message": "down"}}, 503),
        Reply({}, 429),
        Reply({"a": "b" * 100}, cut=True),
        Reply({}, delay=3.0),
    ],
    ids=["500", "503", "429", "cut", "hang"],
)
def test_what_is_not_answered_is_asked_again(
    fault: Reply, profiler: Make, server: ScriptedServer
) -> None:
    first: list[str] = []

    def script(body: dict, n: int) -> Reply | None:
        first[:] = first or [question(body)]
        return fault if question(body) == first[0] and n < 2 else GOOD

    server.script = script
    report = profiler({"timeout": patience(fault)}, limit=3).run(progress=False)
    assert (report.new, report.failed, report.unanswered) == (3, [], [])
    assert sorted(server.asked().values()) == [1, 1, 3]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply("", 500), "500"),
        (Reply({"error": {"message": "broken"}}, 502), "502: broken"),
        (Reply("<html>hello"), "the answer cannot be read (not JSON but '<html>hello')"),
        (Reply("<html>hello", headers={"Content-Type": "text/html"}), "cannot be read"),
        (Reply(""), "not JSON but ''"),
        (Reply("[" * 100_000), "not JSON but '[[["),
        (Reply({"detail": "hello"}), "no chat completion"),
        (Reply([1, 2]), "no chat completion"),
        (Reply({"error": {"code": 502, "message": "overloaded"}}), "502: overloaded"),
        (Reply({"error": "overloaded"}), "error: overloaded"),
        (Reply({}, delay=3.0), "no answer within 1.5 seconds"),
    ],
)
def test_what_stays_unanswered_is_left_for_the_next_run(
    fault: Reply, reason: str, profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    server.script = lambda body, n: fault if "item4" in question(body) else GOOD
    report = profiler({"retries": 1, "timeout": patience(fault)}).run(progress=False)
    assert (report.new, report.failed, report.left, report.stopped) == (11, [], 0, None)
    ((kind, identifier, said),) = report.unanswered
    assert (kind, identifier) == ("item", "i4") and reason in said
    assert len(read_texts(shop / "profiles/m/items.jsonl", "item")) == 11
    server.script = lambda body, n: GOOD
    server.requests.clear()
    assert profiler().run(progress=False).new == 1
    assert len(server.requests) == 1


def test_malformed_answers_are_asked_for_again_then_recorded_as_failed(
    profiler: Make, server: ScriptedServer
) -> None:
    def script(body: dict, n: int) -> Reply | None:
        if "item5" in question(body):
            return chat("Sorry!")
        return chat('{"summary": 1}') if "item6" in question(body) and n == 0 else GOOD

    server.script = script
    report = profiler({"in_flight": 1}, price=Price(1, 0)).run(progress=False)
    assert report.failed == [("item", "i5", "no JSON object in 'Sorry!'")]
    assert (report.new, report.profiles) == (11, 11)
    assert report.tokens_in == 1500  # three attempts for i5, two for i6
    second = next(body for body in server.requests if len(body["messages"]) == 4)
    assert second["messages"][2] == {"role": "assistant", "content": "Sorry!"}
    assert "no JSON object in 'Sorry!'" in second["messages"][3]["content"]

    server.requests.clear()
    quiet = profiler().run(progress=False)
    assert (quiet.failed, server.requests) == (report.failed, [])
    server.script = lambda body, n: GOOD
    mended = profiler(only_failed=True).run(progress=False)
    assert (mended.new, mended.profiles, mended.failed) == (1, 12, [])
    assert len(server.requests) == 1


AZURE = "The response was filtered due to Azure OpenAI's content management policy."
FILTERED = [
    Reply({"error": {"message": AZURE, "code": "content_filter"}}, 400),
    Reply({"error": {"message": "no", "innererror": {}, "code": "content_policy_violation"}}, 400),
    Reply({"error": {"message": "Your input was flagged: violence.", "code": 403}}, 403),
    Reply({"error": {"message": "Output data may contain inappropriate content."}}, 422),
    Reply({"error": {"message": "Input flagged by moderation.", "code": 403}}),
    chat(None, refusal="I cannot help with that."),
    chat("", finish_reason="content_filter"),
]


@pytest.mark.parametrize(
    ("reply", "numbers"),
    [*((reply, range(5, 12)) for reply in FILTERED)]
    + [(reply, some) for reply in FILTERED[::6] for some in (range(7), range(12))],
)
def test_what_a_filter_refuses_is_that_items_own_result(
    reply: Reply, numbers: range, profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    refused = {f"item{n}\n" for n in numbers}
    server.script = lambda body, n: reply if any(i in question(body) for i in refused) else GOOD
    report = profiler({"in_flight": 2}).run(progress=False)
    assert {identifier for _, identifier, _ in report.failed} == {f"i{n}" for n in numbers}
    assert report.new == 12 - len(numbers)
    assert (report.unanswered, report.left, report.stopped) == ([], 0, None)
    assert set(server.asked().values()) == {1}
    assert (shop / "profiles/m/items.jsonl").read_text().count("\n") == report.new


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply({"error": {"message": "context too long"}}, 400), "refused, 400: context too long"),
        (Reply({"detail": "no such thing"}, 422), "refused, 422: "),
        (Reply("", 413), "refused, 413: "),
    ],
)
def test_a_refusal_is_the_items_once_another_is_answered(
    reply: Reply, reason: str, profiler: Make, server: ScriptedServer
) -> None:
    server.script = lambda body, n: None if "item9\n" in question(body) else reply
    report = profiler({"in_flight": 1}).run(progress=False)
    assert len(report.failed) == 11 and reason in report.failed[0][2]
    assert (report.new, report.unanswered, report.left) == (1, [], 0)
    assert len(server.requests) == 12
    again = profiler(only_failed=True).run(progress=False)  # known to be theirs now
    assert (len(again.failed), again.unanswered, again.left) == (11, [], 0)


def test_refusals_may_be_the_settings_until_one_is_answered(
    profiler: Make, server: ScriptedServer
) -> None:
    server.script = lambda body, n: Reply({"error": {"message": "bad thing"}}, 400)
    report = profiler().run(progress=False)
    assert (len(report.unanswered), report.failed, report.left) == (12, [], 0)
    assert report.unanswered[0][2] == "refused, 400: bad thing"
    server.script = lambda body, n: GOOD
    assert profiler().run(progress=False).new == 12


def test_prompts_that_all_come_to_nothing_are_not_asked_to_the_end(
    profiler: Make, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darec.text.profiles.asking.HOPELESS", 4)
    server.script = lambda body, n: Reply({"error": {"message": "bad thing"}}, 400)
    with pytest.raises(EndpointError, match=r"first 4 prompts all failed.*400: bad thing"):
        profiler({"in_flight": 1}).run(progress=False)
    assert len(server.requests) == 4
    server.script = lambda body, n: chat("Hm.")
    report = profiler({"in_flight": 1, "attempts": 1}).run(progress=False)
    assert (len(report.failed), report.left) == (4, 8)
    assert "no JSON object in 'Hm.'" in str(report.stopped)
    server.script = lambda body, n: chat("Hm.") if n < 2 else GOOD  # slow to understand
    assert profiler({"in_flight": 1}).run(progress=False).new == 8


def test_empty_answers_are_asked_for_again_in_the_same_words(
    profiler: Make, server: ScriptedServer
) -> None:
    empty = [Reply({"choices": []}), chat(None), chat(""), Reply({"choices": [{}]})]
    server.script = lambda body, n: empty[n] if "item4\n" in question(body) and n < 2 else GOOD
    report = profiler().run(progress=False)
    assert (report.new, report.failed, len(server.requests)) == (12, [], 14)
    assert {len(body["messages"]) for body in server.requests} == {2}
    server.script = lambda body, n: empty[n % 4]
    failed = profiler(name="other", limit=1).run(progress=False)
    assert [reason for *_, reason in failed.failed] == ["empty answer"]


def test_a_rate_limit_before_a_refusal(profiler: Make, server: ScriptedServer) -> None:
    def script(body: dict, n: int) -> Reply | None:
        if "item2\n" not in question(body):
            return GOOD
        return Reply({"error": {"message": "slow"}}, 429) if n == 0 else FILTERED[0]

    server.script = script
    report = profiler().run(progress=False)
    ((_, identifier, said),) = report.failed
    assert identifier == "i2" and said.startswith("refused by a content filter, 400: The response")
    assert (report.new, len(server.requests)) == (11, 13)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_one_stray_denial_passes_and_a_second_in_a_row_stops(
    status: int, profiler: Make, server: ScriptedServer
) -> None:
    denied = {5}

    def script(body: dict, n: int) -> Reply | None:
        gone = Reply({"error": {"message": "gone"}}, status)
        return gone if len(server.requests) in denied else GOOD

    server.script = script
    report = profiler({"in_flight": 1}).run(progress=False)
    assert (report.new, len(report.unanswered), report.stopped) == (11, 1, None)
    server.requests.clear()
    denied.update({2, 5, 6, 7, 8})
    report = profiler({"in_flight": 1}, name="other").run(progress=False)
    assert (report.new, len(report.unanswered), report.left) == (3, 3, 6)
    assert "gone" in str(report.stopped) and len(server.requests) == 6


def test_an_error_of_the_disk_is_one_error(
    profiler: Make, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("darec.text.profiles.store.AnswerStore.add", full)
    with pytest.raises(OSError, match="No space left"):
        profiler().run(progress=False)


def test_a_server_that_breaks_down_is_left_alone(profiler: Make, server: ScriptedServer) -> None:
    answered: list[str] = []

    def script(body: dict, n: int) -> Reply | None:
        if len(answered) >= 3:
            return Reply({"error": {"message": "out of memory"}}, 500)
        answered.append(question(body))
        return GOOD

    server.script = script
    report = profiler({"in_flight": 1, "retries": 0}).run(progress=False)
    assert (report.new, len(report.unanswered), report.left) == (3, 5, 4)
    assert "5 requests in a row got no answer, the last one: 500: out of" in str(report.stopped)
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply({"error": {"message": "gone", "code": "x"}}, 404), "has no model 'm'"),
        (Reply({"error": {"message": "no"}}, 403), "refuses the key in OPENAI_API_KEY (403: no)"),
        (
            Reply({"error": {"message": "pay", "code": "insufficient_quota"}}, 429),
            "the quota at http://127.0.0.1",
        ),
        (
            Reply({"error": {"message": "response_format is not supported"}}, 400),
            "pass json='object' or json='none'",
        ),
        (
            Reply({"error": {"message": "no", "code": "unsupported_value", "param": "top_k"}}, 400),
            "does not know a setting (no): the setting 'body={top_k: null}' leaves it out",
        ),
        (Reply({"error": {"message": "pay"}}, 402), "is used up (pay)"),
        (
            Reply({"error": {"message": "account suspended: usage policy"}}, 403),
            "refuses the key in OPENAI_API_KEY (403: account suspended",
        ),
    ],
)
def test_what_can_never_work_stops_at_once(
    reply: Reply, message: str, profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    server.script = lambda body, n: reply
    with pytest.raises(EndpointError) as caught:
        profiler({"in_flight": 2, "retries": 0}).run(progress=False)
    assert message in str(caught.value)
    assert len(server.requests) <= 2
    assert not (shop / "profiles/m/items.jsonl").exists()


def test_no_server_no_key_wrong_key(
    profiler: Make, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, shop: Path
) -> None:
    secret = "sk-very-secret-1234"
    with pytest.raises(EndpointError, match=r"cannot reach http://127\.0\.0\.1:1/v1"):
        profiler({"base_url": "http://127.0.0.1:1/v1"}).run(progress=False)
    with pytest.raises(ConfigError, match="no key: set OPENAI_API_KEY in the environment"):
        profiler({"base_url": None}).run(progress=False)
    for url in ("127.0.0.1:8000", "ftp://x/v1", "http://x:port/v1"):
        with pytest.raises(ConfigError, match=f"base URL '{url}': write it as http"):
            profiler({"base_url": url})
    server.keys = {"another"}
    monkeypatch.setenv("MY_KEY", secret)
    with pytest.raises(EndpointError, match="refuses the key in MY_KEY") as caught:
        profiler({"key_env": "MY_KEY"}).run(progress=False)
    assert secret not in str(caught.value) and "***" in str(caught.value)
    monkeypatch.setenv("MY_KEY", "a\nb")
    with pytest.raises(ConfigError, match="MY_KEY has characters that no key has"):
        profiler({"key_env": "MY_KEY"}).run(progress=False)
    server.keys = {secret}
    monkeypatch.setenv("MY_KEY", secret)
    server.script = lambda body, n: (
        chat(f"your key is {secret}") if "item1 " not in question(body) else GOOD
    )
    report = profiler({"key_env": "MY_KEY", "attempts": 1}).run(progress=False)
    assert server.headers["authorization"] == f"Bearer {secret}"
    written = b"".join(file.read_bytes() for file in shop.rglob("*") if file.is_file())
    assert secret.encode() not in written
    assert secret not in repr(report)


def test_the_budget_is_kept(profiler: Make, server: ScriptedServer) -> None:
    server.script = lambda body, n: Reply(chat(profile(body)).body, delay=0.02)
    price = Price(0, 1e6)  # a dollar a token written
    report = profiler({"max_tokens": 20}, price=price, budget=100).run(progress=False)
    assert (report.cost, report.new, report.left) == (100, 5, 7)
    assert report.stopped == "the budget of $100 is reached."
    assert len(server.requests) == 5
    assert profiler({"max_tokens": 20}, price=price, budget=19).run(progress=False).new == 0
    rest = profiler({"max_tokens": 20}, price=price, budget=140).run(progress=False)
    assert (rest.new, rest.left, rest.stopped) == (7, 0, None)
    with pytest.raises(ConfigError, match="budget needs price"):
        profiler(budget=1)


def test_tokens_are_estimated_where_the_server_does_not_count(
    profiler: Make, server: ScriptedServer
) -> None:
    before = profiler().estimate()
    server.script = lambda body, n: chat(profile(body), tokens=None)
    report = profiler().run(progress=False)
    assert report.tokens_in == before.tokens_in > 1000 and report.tokens_out > 100


def test_an_estimate_learns_from_answers_and_writes_nothing(
    profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    first = profiler(price=Price(1, 2)).estimate()
    assert (first.requests, first.reused, len(first.prompts)) == (12, 0, 3)
    assert first.tokens_out == 12 * 150 and first.most_tokens_out == 12 * 500
    assert first.cost == pytest.approx((first.tokens_in + 2 * first.tokens_out) / 1e6)
    assert not (shop / "profiles").exists() and not server.requests
    profiler(limit=4).run(progress=False)
    second = profiler().estimate()
    assert (second.requests, second.tokens_out) == (8, 8 * 20)
    assert second.tokens_in == pytest.approx(800, rel=0.05)
    assert second.cost is None


def test_the_body_of_a_request_can_be_changed(profiler: Make, server: ScriptedServer) -> None:
    body = {"temperature": None, "max_tokens": None, "max_completion_tokens": 9, "top_k": 3}
    profiler({"body": body, "json_mode": "object"}, limit=1).run(progress=False)
    sent = server.requests[0]
    assert "temperature" not in sent and "max_tokens" not in sent
    assert (sent["max_completion_tokens"], sent["top_k"]) == (9, 3)
    assert sent["response_format"] == {"type": "json_object"}


def test_a_batch_goes_out_and_comes_in(profiler: Make, server: ScriptedServer, shop: Path) -> None:
    requests, answers = shop.parent / "requests.jsonl", shop.parent / "answers.jsonl"
    assert profiler(price=Price(1, 1)).batch_out(requests) == 12
    rows = []
    for n, line in enumerate(requests.read_text().splitlines()):
        request = json.loads(line)
        assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
        response = {"status_code": 200, "body": chat(profile(request["body"])).body}
        row = {"custom_id": request["custom_id"], "response": response, "error": None}
        if n == 3:
            row = {**row, "response": None, "error": {"code": "expired", "message": "too late"}}
        if n == 4:
            row["response"] = {"status_code": 400, "body": {"error": {"message": "too long"}}}
        if n == 5:
            row["response"] = {"status_code": 200, "body": chat("nonsense").body}
        rows.append(row)
    rows.append({**rows[0], "custom_id": "0" * 64})
    answers.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    report = profiler().batch_in(answers)
    assert (report.new, report.profiles, report.tokens_in) == (9, 9, 1000)
    assert [(i, reason) for _, i, reason in report.failed] == [
        ("i3", "batch: too late"),
        ("i4", "batch: too long"),
        ("i5", "no JSON object in 'nonsense'"),
    ]
    assert "1 answer belongs to" in report.notices[-1] and not server.requests
    assert profiler().batch_in(answers).new == 0  # twice does no harm
    assert profiler(only_failed=True).batch_out(requests) == 3
    assert profiler().run(progress=False).new == 0  # what came by batch is not asked online
    answers.write_text('{"custom_id": "a", "response": {}}\n{"id": 1}\n')
    with pytest.raises(TextError, match=r"answers\.jsonl, line 2: no custom_id"):
        profiler().batch_in(answers)


def test_one_writer_at_a_time_and_notebooks(
    profiler: Make, server: ScriptedServer, shop: Path
) -> None:
    with locked(shop / "profiles/m"), pytest.raises(FolderError, match="being written by process"):
        profiler().run(progress=False)
    assert not server.requests

    async def notebook() -> int:
        return profiler().run(progress=False).new

    assert asyncio.run(notebook()) == 12
