import importlib

import pytest

from pipeline.ground.console import UsageError

COMMANDS = [
    "examples.lstm_step_by_step",
    "examples.digits",
    "examples.mnist_rows",
    "examples.mnist_stacked",
    "examples.mnist_bidirectional",
    "examples.characters",
    "benchmarks.characters",
    "benchmarks.digits",
    "benchmarks.digits_layer",
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_what_the_command_does(name, monkeypatch, capsys):
    module = importlib.import_module(name)
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        module.main()
    text = capsys.readouterr().out
    assert module.__doc__ in text
    assert f"python -m {name}" in text
    assert "--seed" in text


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("options", [["--seed", "-1"], ["--seed", "x"], ["--none"], ["word"]])
def test_a_wrong_option_is_one_line(name, options, monkeypatch):
    module = importlib.import_module(name)
    monkeypatch.setattr("sys.argv", [name, *options])
    with pytest.raises(UsageError) as caught:
        module.main()
    line = str(caught.value)
    assert options[0] in line
    assert "\n" not in line
    assert line.endswith(f"python -m {name} --help")
