from __future__ import annotations

import pickle

import pytest

from wenqu import errors
from wenqu.errors import (
    BusyError,
    ChatError,
    DownloadError,
    InputError,
    NotFoundError,
    ReadError,
    SourceError,
    WenquError,
)

TREE = [getattr(errors, name) for name in errors.__all__]


def test_an_error_speaks_both_languages() -> None:
    error = NotFoundError("error.kb_missing", name="规章")
    assert str(error) == error.message("en") == "There is no knowledge base named 规章."
    assert error.message("zh") == "没有名为 规章 的知识库。"
    assert "wenqu add --kb 规章 PATH" in str(error.hint("en"))
    assert "wenqu add --kb 规章 路径" in str(error.hint("zh"))


@pytest.mark.parametrize("kind", TREE)
def test_an_error_outlives_its_process(kind: type[WenquError]) -> None:
    error = kind("read.damaged", source="甲.pdf", reason="{odd}")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert type(copy) is kind
    assert (copy.key, copy.values) == (error.key, error.values)
    assert copy.message("zh") == error.message("zh")
    assert copy.retryable == error.retryable


def test_braces_in_a_value_are_left_alone() -> None:
    assert "{name}" in str(ReadError("read.damaged", source="a", reason="{name}"))


def test_only_what_may_pass_is_retryable() -> None:
    assert {kind for kind in TREE if kind.retryable} == {
        SourceError,
        DownloadError,
        ChatError,
        BusyError,
    }


def test_one_clause_catches_everything_that_is_raised_on_purpose() -> None:
    assert all(issubclass(kind, WenquError) for kind in TREE)
    assert issubclass(errors.SettingsError, InputError)


def test_the_module_draws_the_whole_tree() -> None:
    for kind in TREE:
        assert kind.__name__ in str(errors.__doc__)
