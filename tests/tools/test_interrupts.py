"""Ctrl-C: late, but not lost."""

import contextlib
import os
import signal
import time

import pytest

from face_command.interrupts import Interrupted, Interrupts


def test_ctrl_c_waits_for_what_must_not_be_left_half_done():
    done = []

    def work(interrupts):
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append(True)

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        work(interrupts)
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_ctrl_c_that_was_lost_is_raised_later():
    with Interrupts() as interrupts:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        with pytest.raises(KeyboardInterrupt), interrupts.held():
            pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_compiled_code_put_in_the_place_of_ours():
    def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None

    with pytest.raises(Interrupted) as raised, Interrupts():
        work()
    assert raised.value.status == 128 + signal.SIGTERM
