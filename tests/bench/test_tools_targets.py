"""Where the tools write: what cannot be meant is refused before a meter is read for minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import main

READ = ["updatelog", "read", "--port", "emulated", "--skip-key-check", "--lang", "en"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--save-log", "x.txt", "--save-hdlc", "x.txt"], "--save-log and --save-hdlc name the same file"),
        (["--save-hdlc", "x.txt", "--save-trace", "./x.txt"], "--save-hdlc and --save-trace name the same file"),
        (["--save-log", "folder"], "is a folder, a file is wanted (--save-all takes a folder)"),
        (["--save-all", "file"], "is a file, a folder is wanted"),
    ],
)
def test_a_place_where_nothing_can_be_saved_is_refused_before_the_meter_is_read(
    options: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("here before", "utf-8")
    assert main([*READ, *options]) == 2
    told = capsys.readouterr()
    assert expected in told.err
    assert "Update-Log" not in told.out and "number" not in told.out, "no meter was read"
    assert not Path("x.txt").exists()


def test_files_of_their_own_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, frames = tmp_path / "log.txt", tmp_path / "hdlc.txt"
    assert main([*READ, "--save-log", str(log), "--save-hdlc", str(frames)]) == 1, "the key was skipped"
    capsys.readouterr()
    assert log.read_text("utf-8") != frames.read_text("utf-8")


def test_an_empty_firmware_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload, image = tmp_path / "empty.bin", tmp_path / "new.img"
    payload.touch()
    assert main(["app-image", "build", "--version", "2.1", "--payload", str(payload), "--out", str(image)]) == 2
    assert "empty.bin: there is nothing in it" in capsys.readouterr().err
    assert not image.exists()
    payload.write_bytes(b"1")
    assert main(["app-image", "build", "--version", "2.1", "--payload", str(payload), "--out", str(image)]) == 0
