"""What a command prints, and how it ends."""

import errno
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from pipeline.ground import console, storage


def ended(main, capsys) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        console.run(main)
    return left.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO]
)
def test_a_disk_that_takes_nothing_is_one_line(capsys, number):
    def main():
        raise OSError(number, os.strerror(number), "data/a.npy")

    status, said = ended(main, capsys)
    assert status == 1
    assert said.startswith(f"error: data/a.npy: {os.strerror(number)}; ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("of_numpy", [False, True])
def test_a_file_that_cannot_grow_leaves_nothing_half_written(tmp_path, capsys, of_numpy):
    def main():
        if of_numpy:
            with storage.StoreWriter(tmp_path / "a.txt", {"x": 1}, {}) as writer:
                writer.add("u", {"x": np.zeros((100_000, 1))})
        else:
            storage.write_text(tmp_path / "a.txt", "x" * 100_000)

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        status, said = ended(main, capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"error: {tmp_path / 'a.txt'}: ")
    assert ("File too large" if not of_numpy else "100000 requested and") in said
    assert list(Path(tmp_path).iterdir()) == []


def test_a_defect_keeps_its_traceback():
    def main():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "nowhere")

    with pytest.raises(FileNotFoundError):
        console.run(main)


def test_a_name_with_a_line_break_stays_in_its_line_and_a_table_keeps_its_lines(capsys):
    console.say("a\nb.wav")
    console.say_text("| a |\n| b |\n")
    assert capsys.readouterr().out == "a\\nb.wav\n| a |\n| b |\n"
