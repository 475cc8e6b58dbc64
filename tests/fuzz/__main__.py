"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz [--seconds 60] [target ...]`. What `make fuzz` calls.

Each target runs in a process of its own, for a fuzzer ends its process. What it found interesting stays in
.cache/fuzz and is where the next run begins; an input that broke a promise stays there too, and its path is told.
"""

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.trees import changed

CACHE = Path(".cache/fuzz")

_INSTRUMENTED = (
    "connector.formats",
    "connector.core",
    "connector.tiktok",
    "phonenumbers",
    "tests.cpu",  # so that bounds take into account what instruments cost
)
_MOST_BYTES = 16_384
_STARTS_IN = 60
"""Seconds that a process may take beside the fuzzing itself: importing instrumented code is slow."""

_DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+)")


def main(names: Sequence[str], seconds: int) -> int:
    """Fuzz these targets one after the other; 0 when all of them held."""
    try:
        importlib.import_module("atheris")
    except ImportError:
        print("atheris is not installed: run make fuzz", file=sys.stderr)
        return 2
    held = [_fuzz_apart(name, seconds) for name in names]
    return 0 if all(held) else 1


def _fuzz_apart(name: str, seconds: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz", "--inside", "--seconds", str(seconds), name]
    ended = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds + _STARTS_IN,
    )
    found = _DONE.search(ended.stdout)
    if ended.returncode or not found:
        said = [line for line in ended.stdout.splitlines() if not line.startswith("INFO")]
        print("\n".join([*said[-60:], f"{name}: BROKEN, see {CACHE / name}"]), flush=True)
        return False
    runs, edges, features = found.groups()
    print(f"{name}: held in {runs} runs, {edges} branches, {features} features", flush=True)
    return True


def _fuzz(name: str, seconds: int) -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=[*_INSTRUMENTED]):
        importlib.import_module("phonenumbers")
        targets = importlib.import_module("tests.fuzz.targets")
    check, seeds = targets.TARGETS[name]
    corpus = CACHE / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        begin, words = Path(folder) / "seeds", Path(folder) / "words"
        begin.mkdir()
        for number, seed in enumerate(seeds()):
            (begin / str(number)).write_bytes(seed)
        words.write_text("\n".join(map(_quoted, targets.WORDS)) + "\n")
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={_MOST_BYTES}",
            f"-dict={words}",
            f"-artifact_prefix={CACHE / name}/",
            "-timeout=5",
            "-print_final_stats=1",
        ]
        arguments = [sys.argv[0], *options, str(corpus), str(begin)]
        atheris.Setup(arguments, check, custom_mutator=_mutator(atheris, targets.WORDS))
        atheris.Fuzz()


def _mutator(atheris: Any, words: Sequence[str]) -> Callable[[bytes, int, int], bytes]:
    """Changes the bytes or, where they are JSON, as often the tree."""

    def mutate(value: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        tree = changed(value, random, words) if random.random() < 0.5 else None
        return atheris.Mutate(value, most) if tree is None or len(tree) > most else tree

    return mutate


def _quoted(word: str) -> str:
    """As an entry of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"'


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help="all without any")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    if given.inside:
        _fuzz(given.targets[0], given.seconds)
    else:
        known = importlib.import_module("tests.fuzz.targets").TARGETS
        sys.exit(main(given.targets or [*known], given.seconds))
