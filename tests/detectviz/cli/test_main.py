"""Global options stand anywhere and become settings."""

import pytest

from detectviz.cli import take_global_options
from detectviz.settings import env


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DETECTVIZ_URL", "DETECTVIZ_API_KEY", "DETECTVIZ_HOST", "DETECTVIZ_PORT"):
        monkeypatch.setenv(name, "before")


def test_options_are_taken_out_wherever_they_stand() -> None:
    rest = take_global_options(["get", "--url", "http://x", "monitors", "--api-key=dv_1"])

    assert rest == ["get", "monitors"]
    assert (env.text("DETECTVIZ_URL"), env.text("DETECTVIZ_API_KEY")) == ("http://x", "dv_1")


def test_host_and_port_belong_to_up_alone() -> None:
    assert take_global_options(["up", "--port", "1234", "--host=0.0.0.0"]) == ["up"]
    assert env.text("DETECTVIZ_PORT") == "1234"
    assert take_global_options(["get", "--port", "1"]) == ["get", "--port", "1"]


def test_an_option_without_its_value_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        take_global_options(["get", "--url"])
    assert ended.value.code == 2
    assert "--url needs a value" in capsys.readouterr().err
