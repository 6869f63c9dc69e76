"""How good the diagnoses are: `python -m benchmarks.diagnosis`.

Trains networks with mistakes that people make, and healthy networks. Counts how often Gradient
Health and five published rule sets find, name and locate what is wrong, and how often they raise
false alarms. One part of the suite, with its own architectures and seeds, is for choosing
thresholds; only results on the other part are quoted.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.diagnosis import table
from benchmarks.diagnosis.bodies import PARTS
from benchmarks.diagnosis.judging import judge_all
from benchmarks.diagnosis.training import runs, train_all


def page(log_dir: Path, parts: list[str]) -> str:
    """Returns what there is to say about the runs below `log_dir`, as Markdown."""
    texts = [table.about(_command())]
    for part in parts:
        judged = list(judge_all(log_dir / part))
        texts += [table.title(part, judged), table.tools(judged), table.early(judged)]
        texts += [table.faults(judged)]
    return "\n\n".join(texts)


def mistakes(log_dir: Path, parts: list[str]) -> str:
    """Returns what went wrong below `log_dir`."""
    judged = [run for part in parts for run in judge_all(log_dir / part)]
    return "\n\n".join(table.mistakes(judged))


def _command() -> str:
    """The command line, but for where the runs are kept."""
    kept = re.sub(r" --(logs|rejudge)[ =]\S+", "", " ".join(["", *sys.argv[1:]]))
    return f"python -m benchmarks.diagnosis{kept}"


def main() -> None:
    """Trains, unless there is something to judge again, and prints the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.diagnosis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--part", choices=PARTS, help="only this part; both if left out")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, help="another than the part's own")
    parser.add_argument("--only", default="", help="a piece of the runs' paths, such as fault/raw")
    parser.add_argument("--preset", default="standard", help="of HealthCallback")
    parser.add_argument("--jobs", type=int, default=2, help="processes that train")
    parser.add_argument("--logs", type=Path, help="where to keep the runs, or go on with them")
    parser.add_argument("--rejudge", type=Path, metavar="LOGS", help="judge kept runs, train none")
    parser.add_argument("--mistakes", action="store_true", help="print what went wrong instead")
    options = parser.parse_args()
    parts = [options.part] if options.part else list(reversed(PARTS))
    tell = mistakes if options.mistakes else page
    if options.rejudge:
        print(tell(options.rejudge, parts))
        return
    with tempfile.TemporaryDirectory() as scratch:
        log_dir = options.logs or Path(scratch)
        for part in parts:
            todo = list(runs(part, options.seeds, options.only, options.first_seed))
            trained = train_all(todo, log_dir / part, options.preset, options.jobs)
            for number, path in enumerate(trained, 1):
                print(f"[{number}/{len(todo)}] {part}/{path}", file=sys.stderr, flush=True)
        print(tell(log_dir, parts))


if __name__ == "__main__":
    main()
