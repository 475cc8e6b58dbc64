"""A bounded run of load under misfortune on a real broker, with a verdict: docs/reliability.md.

    python -m tests.chaos [--seconds 600] [--seed S] [--rate 3500] [--no-kills] [--long-freezes] [--markdown]

Ends by comparing audiences, letters and offsets with the model. Exit 0 only when nothing is lost and nothing wrong.
"""

import argparse
import random
import sys

from tests.chaos import report
from tests.chaos.run import Plan, run


def main(plan: Plan, *, as_markdown: bool) -> int:
    """Run, and print what came of it; the exit code."""
    print(f"seed {plan.seed}, {plan.seconds:.0f} seconds", flush=True)
    try:
        result = run(plan)
    except AssertionError as failure:
        print(f"seed {plan.seed}: no verdict: {failure}")
        return 1
    print((report.markdown if as_markdown else report.table)(result))
    failures = result.failures()
    for one in failures:
        print(f"seed {plan.seed}: {one}")
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--rate", type=int, default=Plan.rate, help="events a second")
    parser.add_argument("--no-kills", action="store_true", help="kill no connector")
    parser.add_argument("--long-freezes", action="store_true", help="freeze past the session, too")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    planned = Plan(
        options.seconds,
        options.seed,
        options.rate,
        kills=not options.no_kills,
        long_freezes=options.long_freezes,
    )
    sys.exit(main(planned, as_markdown=options.markdown))
