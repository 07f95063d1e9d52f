"""Messages that mean a rate limit, and the time when it ends."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchctl.runners.harness.rate_limits import is_limit, retry_at

NOW = datetime(2026, 11, 21, 16, 16, 29, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("You\u2019ve hit your usage limit.", True),
        ("rate limit exceeded: Rate limit reached for gpt-5", True),
        ("rate_limit_error", True),
        ("exceeded retry limit, last status: 429 Too Many Requests", True),
        ("unexpected status 429 <unknown>: slow down", True),
        ("Claude AI usage limit reached|1790000000", True),
        ("This request would exceed your organization's rate limit of 30,000 input tokens", True),
        ('API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"no"}}', True),
        ('{"error": {"code": 429, "message": "slow down"}}', True),
        ("openai.RateLimitError: Error code: 429 - {'message': 'slow down'}", True),
        ("Request failed with status code 429", True),
        ("Tests failed: test_rate_limit_middleware expected 429", False),
        ("AssertionError: expected status 429, got 200", False),
        ("rate limit tests failed: 3 of 5", False),
        ("429 tests failed", False),
        ("Error: 429 of 430 tests passed", False),
        ("usage limits page: 2 tests failed", False),
        ('{"error": {"message": "expected 429"}}', False),
        ("(" * 5000 + "error: " * 5000, False),
        ("unexpected status 529: overloaded, url: http://127.0.0.1:42901/v1/429", False),
        ("Quota exceeded. Check your plan and billing details.", False),
        ("context window limit", False),
        ("", False),
    ],
)
def test_rate_limit_messages_are_distinguished_from_other_errors(text: str, *, is_one: bool) -> None:
    assert is_limit(text) is is_one


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Please try again in 20s.", 20),
        ("Please try again in 1.5s", 1.5),
        ("try again in 350ms", 0.35),
        ("try again in 6m0s", 360),
        ("try again in 3 days 4 hours 5 minutes.", 3 * 86400 + 4 * 3600 + 300),
        ("reset after 2 hours", 7200),
        ("try again at 5:09 PM (UTC).", 52 * 60 + 31),
        ("resets 4:22pm (UTC)", 5 * 60 + 31),
        ("resets 4pm (UTC)", 86400 - 16 * 60 - 29),
        ("resets at 12:16 am (UTC)", 8 * 3600 - 29),
        ("resets 5:30pm (Europe/Berlin)", 13 * 60 + 31),
        ("try again at Nov 24th, 2026 4:16 PM (UTC).", 3 * 86400 - 29),
        ("resets Nov 22 at 4pm (UTC)", 86400 - 16 * 60 - 29),
        ("429 Too Many Requests. Retry after 3 seconds", 3),
        ("Please retry in 3 seconds", 3),
        ("Please wait 2 minutes and 5 secs before the next request", 125),
        ("retrying in 1 hr.", 3600),
        ("try again in 250 milliseconds", 0.25),
        ("try again in 1 week", 7 * 86400),
        ("HTTP 429, Retry-After: 20", 20),
        ('{"code": 429, "retry_after": 2.5}', 2.5),
        ('{"code": 429, "retry_after_seconds": "7"}', 7),
        ("retry after 5pm (Middle/Earth)", 60),
        ("try again in 3 months", 60),
        ("try again later", 60),
        ("try again in a while", 60),
        ("try again in 9 weeks", 60),
        ("try again at 5:61 PM (UTC)", 60),
        ("try again at Foo 1st, 2026 4:16 PM", 60),
        ("resets 5pm (Middle/Earth)", None),
        ("", 60),
    ],
)
def test_the_retry_time_is_read_from_the_message(text: str, wait: float | None) -> None:
    moment = retry_at(text, None, NOW)
    if wait is None:  # by the clock of this machine, whatever that is
        assert 0 < moment - NOW <= 86400
    else:
        assert moment - NOW == pytest.approx(wait)


@pytest.mark.parametrize(("seconds", "wait"), [(NOW + 5, 5), (NOW - 5, 20), (NOW + 90 * 86400, 20), (None, 20)])
def test_a_plausible_timestamp_takes_precedence_over_the_message(seconds: float | None, wait: float) -> None:
    assert retry_at("try again in 20s", seconds, NOW) == NOW + wait
