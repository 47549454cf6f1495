"""What functions say of texts, or why they do not; nothing of it needs torch."""

import signal
import subprocess
import sys

import pytest
from scored_texts import lengths

from moo.chemistry.outcomes import leave_ctrl_c, outcomes_of


def test_outcomes_are_numbers_or_reasons():
    assert outcomes_of(lengths, 2, ["ab", "raise", "", "much"]) == [
        (2.0, 1.0),
        "KeyError: 'no such text'",
        (0.0, 0.0),
        "gave 3 numbers for one text, 2 objectives were declared",
    ]
    assert outcomes_of(lengths, 2, []) == []


@pytest.mark.parametrize("module", ["outcomes", "molecules", "folding"])
def test_a_process_that_scores_needs_no_torch(module):
    code = f"import sys, moo.chemistry.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ctrl_c_is_left_to_others():
    before = signal.getsignal(signal.SIGINT)
    try:
        leave_ctrl_c()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
