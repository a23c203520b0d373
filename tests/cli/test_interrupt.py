"""Ctrl-C, whatever Python is doing: the process that waits hears it, says the last line and leaves nothing running."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from archlab.cli.go_on import how_to_go_on, without_more

BUSY = {
    "holding the lock of Python": "deque(repeat(0), maxlen=0)",
    "waiting for a thread": "threading.Thread(target=time.sleep, args=(300,)).start()",
    "swallowing it": "\n    while True:\n        try: time.sleep(300)\n        except KeyboardInterrupt: pass",
    "ending in order": "time.sleep(300)",
}


def start(code: str) -> subprocess.Popen[str]:
    """A command whose work is ``code``; it prints ``busy`` when it begins, after it has started a process."""
    script = f"""
import os, subprocess, sys, threading, time
from collections import deque
from itertools import repeat
from archlab.cli.interrupt import interrupted, say_when_interrupted, supervised
def work():
    print(subprocess.Popen(["sleep", "300"], stdout=-3, stderr=-3).pid)
    say_when_interrupted("to go on: archlab again")
    print("busy", flush=True)
    {code}
    return 0
def run():
    try: return work()
    except KeyboardInterrupt: return interrupted()
sys.exit(supervised(run))
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def begun(process: subprocess.Popen[str]) -> int:
    """The number of the process that it has started."""
    assert process.stdout is not None
    number = int(process.stdout.readline())
    assert process.stdout.readline() == "busy\n"
    return number


def is_gone(number: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("way", BUSY)
def test_it_is_heard_and_the_line_that_says_how_to_go_on_is_the_last(way: str) -> None:
    with start(BUSY[way]) as process:
        started = begun(process)
        time.sleep(0.5)  # it is busy now
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said == "\nto go on: archlab again\n"
        assert way == "ending in order" or is_gone(started)
        if way == "ending in order":
            os.kill(started, signal.SIGKILL)


@pytest.mark.parametrize("times", [1, 2])
def test_what_has_to_be_saved_is_waited_for_until_ctrl_c_comes_again(times: int) -> None:
    saving = """
    say_when_interrupted("saved", patience_seconds=60)
    try: time.sleep(300)
    except KeyboardInterrupt:
        print("saving", flush=True)
        time.sleep(1.5)  # longer than anything else is waited for
        print("written", flush=True)
        raise"""
    with start(saving) as process:
        os.kill(begun(process), signal.SIGKILL)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "saving\n"
        if times == 2:
            process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
        assert shown == ("written\n" if times == 1 else "")
        assert (process.returncode, said) == (130, "\nsaved\n")


@pytest.mark.parametrize(
    ("code", "returned"),
    [("return 3", 3), ("sys.exit(2)", 2), ("os.kill(os.getpid(), 9)", -9), ("os.kill(os.getpid(), 11)", -11)],
)
def test_it_ends_as_its_work_ended(code: str, returned: int) -> None:
    with start(code) as process:
        os.kill(begun(process), signal.SIGKILL)
        assert process.wait(60) == returned


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_work_ends_with_the_process_that_waits_for_it(number: signal.Signals) -> None:
    with start(BUSY["ending in order"]) as process:
        os.kill(begun(process), signal.SIGKILL)
        (child,) = psutil.Process(process.pid).children()
        process.send_signal(number)
        assert process.wait(60) == -number
        assert is_gone(child.pid)


def test_there_is_no_traceback_while_archlab_starts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "archlab", "study", "nothing.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not psutil.Process(process.pid).children() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode in (130, 2)  # the study that is not there may be quicker
    assert "Traceback" not in said


def test_the_command_to_go_on_has_no_password_and_asks_for_nothing_twice() -> None:
    arguments = ["study", "a b.yaml", "--more", "3", "--storage", "postgresql://me:p@ss w/rd@host/db?password=x&a=1"]
    said = how_to_go_on(arguments)
    assert said.endswith("archlab study 'a b.yaml' --more 3 --storage 'postgresql://me:***@host/db?password=***&a=1'")
    assert without_more(arguments, "a b.yaml", "mine") == ["study", "mine", *arguments[4:]]
    assert without_more(["study", "s.yaml", "--more=3"], "s.yaml", "s") == ["study", "s"]
    overridden = ["study", "s.yaml", "--set", "proxy.seeds=3"]
    assert without_more([*overridden, "--more", "3", "--set=trial.minutes=1"], "s.yaml", "s") == ["study", "s"]
    assert without_more(overridden, "s.yaml", "s") == overridden
    assert not re.search("p@ss|w/rd", said)
