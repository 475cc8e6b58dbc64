"""Runs all tests: `python -m tests [pytest's options]`. What `make test` calls.

Two sessions side by side: the tests that hold calls against the clock have the machine's first attention, all
others share what is left with a lower priority. On two cores that is half the time of one after the other, and a
busy neighbour cannot make a call look late.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

_PYTEST = (sys.executable, "-m", "pytest", "--quiet")
_LOW_PRIORITY = 15
_NO_TESTS = 5


def main(options: Sequence[str]) -> int:
    """Run both sessions; 0 when both are green. What the quiet one printed comes after the other."""
    with tempfile.TemporaryFile() as output:
        paced = subprocess.Popen(
            [*_PYTEST, "-m", "paced and not deploy", *options],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        others = subprocess.run(
            [*_PYTEST, "-m", "not paced and not deploy", "-n", "2", *options],
            check=False,
            preexec_fn=_be_nice,
        )
        code = paced.wait()
        output.seek(0)
        sys.stdout.write(output.read().decode(errors="replace"))
    codes = {code, others.returncode} - {0, _NO_TESTS}
    return max(codes, default=0)


def _be_nice() -> None:
    os.nice(_LOW_PRIORITY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
