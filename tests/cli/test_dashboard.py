"""`archlab dashboard` and `archlab compare` as a person types them."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.test_commands import archlab
from tests.study.made_up import write_study
from tests.study.spaces import MINI


def test_dashboard_says_where_it_is_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", complete=2)
    command = [sys.executable, "-m", "archlab", "dashboard", "mini", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = re.search(r"http://127\.0\.0\.1:\d+/\S+", process.stdout.readline())
        assert address
        with urllib.request.urlopen(address[0], timeout=30) as page:
            assert b"<html" in page.read().lower()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 0
    assert complaints.strip() == ""


def test_dashboard_of_no_study_is_one_line(tmp_path: Path) -> None:
    shown = archlab("dashboard", "nothing", cwd=tmp_path)
    assert shown.returncode == 2
    assert len(shown.stderr.splitlines()) == 1


def test_compare_prints_the_front_and_writes_a_page(tmp_path: Path) -> None:
    fewer = MINI.replace("  res_blocks: [1/2, 1/1]\n", "")
    for name, text in (("a", MINI), ("b", fewer)):
        write_study(tmp_path / "studies", name, complete=5, text=text)
    shown = archlab("compare", "a", "b", "--format", "json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    front = json.loads(shown.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    blocks = {row["study"]: row["res_blocks"] for row in front}
    assert blocks.keys() == {"a", "b"}  # so that one lacks the other's knob
    assert blocks["b"] is None
    assert (tmp_path / "reports" / "compare" / "a+b" / "index.html").is_file()
    alone = archlab("compare", "a", cwd=tmp_path)
    assert (alone.returncode, len(alone.stderr.splitlines())) == (2, 1)
