"""Errors of the client itself."""

from __future__ import annotations

import inspect

from orchctl import errors, exit_codes


def test_every_error_class_has_a_unique_code_and_an_exit_code() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.ClientError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert set(kinds) - {errors.ClientError} == set(exit_codes.CODES)


def test_an_error_code_may_be_more_specific_than_its_class() -> None:
    error = errors.UsageError("line 3: no", code="bad-batch", details={"line": 3})
    assert (error.code, error.message, error.details) == ("bad-batch", "line 3: no", {"line": 3})
