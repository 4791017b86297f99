from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from wenqu.errors import SettingsError
from wenqu.settings import Settings, load


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "wenqu.toml"
    monkeypatch.chdir(tmp_path)
    return path


def test_defaults_hold_where_nothing_is_said(toml: Path) -> None:
    settings = load()
    assert settings.chat.base_url is None
    assert settings.server.host == "127.0.0.1"
    assert settings.server.port == 8000
    assert settings.language == "en"


def test_the_caller_beats_the_environment_which_beats_the_file(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WENQU_HOME")
    toml.write_text('home = "from-file"\n[server]\nport = 1111\nhost = "::1"\n', "utf-8")
    assert load().home == Path.cwd() / "from-file"
    monkeypatch.setenv("WENQU_HOME", "from-environment")
    monkeypatch.setenv("WENQU_SERVER__PORT", "2222")
    settings = load()
    assert settings.home == Path.cwd() / "from-environment"
    # A section is joined setting by setting: the file's host stands beside the variable's port.
    assert (settings.server.port, settings.server.host) == (2222, "::1")
    assert load(home=Path("from-caller")).home == Path.cwd() / "from-caller"


def test_a_caller_that_says_none_says_nothing(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENQU_HOME", "somewhere")
    assert load(home=None).home == Path.cwd() / "somewhere"


def test_a_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.toml"
    path.write_text("[chat]\nmodel = 'a'\n", "utf-8")
    monkeypatch.setenv("WENQU_CONFIG", str(path))
    assert load().chat.model == "a"


def test_a_file_that_is_named_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENQU_CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load()


def test_nested_variables_have_two_underscores(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENQU_CHAT__BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("WENQU_CHAT__TIMEOUT_S", "2.5")
    settings = load()
    assert settings.chat.base_url == "http://127.0.0.1:1/v1"
    assert settings.chat.timeout_s == 2.5


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WENQU_HOM", "x"),
        ("WENQU_CHATS__MODEL", "x"),
        ("WENQU_CHAT__MODLE", "x"),
        ("WENQU_SERVER__PORT", "many"),
        ("WENQU_SERVER__PORT", "70000"),
        ("WENQU_RETRIEVAL__LEXICAL_WEIGHT", "1.5"),
        ("WENQU_LANGUAGE", "fr"),
        ("WENQU_CHAT", "my-model"),
        ("WENQU_CHAT__FALLBACK", "[1]"),
    ],
)
def test_a_misspelt_or_wrong_variable_is_refused_with_a_hint(
    toml: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load()
    named = str(caught.value).lower().replace(".", "__")
    assert variable.removeprefix("WENQU_").lower() in named
    assert caught.value.hint("en")
    assert caught.value.hint("zh")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WENQU_SERVER__PORT", "many", "设置项 server.port 有误：应为整数。"),
        ("WENQU_SERVER__PORT", "70000", "设置项 server.port 有误：不得大于 65535。"),
        ("WENQU_LANGUAGE", "fr", "设置项 language 有误：可用的值为 'zh', 'en'。"),
    ],
)
def test_what_is_wrong_with_a_value_is_said_in_the_language_of_the_user(
    toml: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.message("zh") == said


@pytest.mark.parametrize(
    "text", ["colour = 1", "[chat]\nmodle = 'x'", "home = ", "[server]\nport=-1"]
)
def test_a_file_with_a_misspelt_or_wrong_setting_is_refused(toml: Path, text: str) -> None:
    toml.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.hint("en")


def test_a_file_that_is_not_utf8_is_refused(toml: Path) -> None:
    toml.write_bytes("home = '中文'".encode("gbk"))
    with pytest.raises(SettingsError):
        load()


def test_a_secret_never_shows(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENQU_CHAT__API_KEY", "sk-very-secret")
    settings = load()
    assert settings.chat.api_key is not None
    assert settings.chat.api_key.get_secret_value() == "sk-very-secret"
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "very-secret" not in shown


def test_a_wrong_value_beside_a_secret_does_not_show_it(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WENQU_CHAT__API_KEY", "sk-very-secret")
    monkeypatch.setenv("WENQU_CHAT__MODLE", "x")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "very-secret" not in str(caught.value)
    assert "very-secret" not in str(caught.value.values)


def test_settings_cannot_be_changed(toml: Path) -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.home = Path("elsewhere")
    with pytest.raises(ValidationError):
        settings.chat.model = "another"


def test_state_lives_in_the_home_folder(toml: Path) -> None:
    settings = load(home=Path("here"))
    assert settings.database_url == f"sqlite:///{Path.cwd() / 'here' / 'wenqu.db'}"
    assert settings.models_dir == Path.cwd() / "here" / "models"


def test_the_home_of_a_user_is_expanded(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(toml.parent))
    assert load(home=Path("~/kept")).home == toml.parent / "kept"


def test_every_setting_is_described() -> None:
    sections = [
        field.annotation
        for name, field in Settings.model_fields.items()
        if name not in {"home", "language"}
    ]
    assert len(sections) >= 7
    for section in sections:
        for name, field in section.model_fields.items():  # type: ignore[union-attr]
            assert field.description, name
