"""What the help says is what the commands do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.cli import main

ROOT = Path(__file__).parents[2]


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("command", "codes"),
    [
        (("export", "trudi"), "0 1 2 3 130"),
        (("export", "certificates"), "0 2"),
        (("gateway-control",), "0 1 2 3"),
        (("logs", "verify"), "0 1 2"),
        (("logs", "export"), "0 2"),
        (("simulate",), "0 1 2 3 130 143"),
        (("report",), "0 2 3"),
        (("list",), "0 2"),
        (("updatelog", "verify"), "0 1 2"),
        (("updatelog", "print"), "0 2 3"),
        (("app-image", "build"), "0 2 3"),
    ],
)
def test_the_help_tells_the_exit_codes(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...], codes: str
) -> None:
    told = help_of(capsys, *command).partition("exit codes: ")[2]
    assert " ".join(re.findall(r"(?:^|; |, )(\d+)(?= )", told)) == codes


def test_a_home_interface_that_nobody_reaches_is_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    password = tmp_path / "password"
    password.write_text("x\n")
    way = ["--han", "127.0.0.1:1", "--type", "casa", "--user", "otto", "--password-file", str(password)]
    assert main(["export", "trudi", *way, "--out", str(tmp_path / "values.xml")]) == 3
    assert "bench trouble: --han:" in capsys.readouterr().err


def test_nobody_at_the_control_socket_is_trouble_and_a_wrong_field_wrong_use(tmp_path: Path) -> None:
    assert main(["gateway-control", str(tmp_path), "info"]) == 3
    assert main(["gateway-control", str(tmp_path), "do"]) == 2


def test_the_help_of_export_speaks_of_the_home_interface(capsys: pytest.CaptureFixture[str]) -> None:
    assert "export what a gateway holds: values out of its memory or over its home interface" in help_of(capsys)


def test_the_help_says_when_the_folder_of_resume_may_be_left_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "DIR may be left away when --out DIR names the folder" in help_of(capsys, "run")
    assert main(["run", "--resume"]) == 2
    assert "--resume needs the run folder" in capsys.readouterr().err
    assert main(["run", "--resume", "--out", str(tmp_path)]) == 2
    assert "there is no run.json here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["--foo", "list"], "smgw-bench"),
        (["gateway", "--type", "ppc", "--han", "127.0.0.1:0", "--foo"], "smgw-bench gateway"),
        (["export", "trudi", "--han", "x", "--foo"], "smgw-bench export trudi"),
        (["logs", "--foo", "verify", "--data", "x"], "smgw-bench logs"),
        (["decode", "sml", "x", "--foo"], "smgw-bench decode sml"),
    ],
)
def test_an_unknown_option_leads_to_the_help_of_its_command(
    capsys: pytest.CaptureFixture[str], arguments: list[str], command: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"{command}: unrecognized arguments: --foo (see '{command} --help')\n"


def test_explain_names_the_products_as_the_command_line_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(ROOT / "scenarios" / "home" / "program_ppc_trudi.yaml")]) == 0
    assert "\nGateway: ppc (SMGW of Power Plus Communications AG)\n" in capsys.readouterr().out
    assert main(["explain", str(ROOT / "scenarios" / "home" / "login_and_reading.yaml")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "Gateways: ppc (SMGW of Power Plus Communications AG), conexa (CONEXA 3.0 of Theben AG), casa (CASA" in printed
    )
