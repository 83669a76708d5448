"""All tutorials on digits at once: rows, stacked layers, both directions.

Each training has a core; the longest are the first, so that no core waits for another at the end.
A picture for each tutorial goes to data/tutorials.
"""

from __future__ import annotations

from examples import classifier, mnist_bidirectional, mnist_rows, mnist_stacked
from pipeline.ground.console import run

LONGEST_FIRST = {
    "mnist_bidirectional": mnist_bidirectional.tasks,
    "mnist_stacked": mnist_stacked.tasks,
    "mnist_rows": mnist_rows.tasks,
}


def main() -> None:
    """Train, test, draw."""
    given = classifier.options("digits", __doc__).parse_args()
    tutorials = {classifier.picture(name): tasks() for name, tasks in LONGEST_FIRST.items()}
    classifier.main(tutorials, given)


if __name__ == "__main__":
    run(main)
