"""What otter calls run_otter.py: grades the submission below a folder, by default this file's parent."""

import sys
from pathlib import Path

from autograder.hosts.otter import run

if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)))
