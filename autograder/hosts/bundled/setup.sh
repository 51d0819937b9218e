#!/usr/bin/env bash
# Installs what grading needs into a container, once. Says and does nothing where everything is installed already.
#   AUTOGRADER_PYTHON   an interpreter to use before all others
#   AUTOGRADER_VENV     where a virtual environment is made if no interpreter has everything (default /opt/autograder)
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
base=$(dirname "$source")
venv=${AUTOGRADER_VENV:-/opt/autograder}
requirements=("$source/requirements.txt" "$source/requirements.constraints.txt")

# otter's image has an empty one, on which plugins fail; its own `touch` keeps this. Gradescope puts the real one there.
[[ -s $base/submission_metadata.json ]] || echo '{}' >"$base/submission_metadata.json"

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

complete() {
  "$1" - "${requirements[@]}" 2>/dev/null <<'PYTHON'
import importlib.metadata as metadata, re, sys
if sys.version_info < (3, 11):
    sys.exit(1)
wanted, pinned = (open(path, encoding="utf-8").read().split("\n") for path in sys.argv[1:])
pins = dict(line.split("==") for line in pinned if "==" in line)
for line in wanted:
    name = re.match(r"[\w.-]*", line)[0].lower()
    if name and metadata.version(name).split("+")[0] != pins.get(name, metadata.version(name).split("+")[0]):
        sys.exit(1)
PYTHON
}

found=
for python in ${AUTOGRADER_PYTHON:-} "$venv/bin/python" python3 python3.14 python3.13 python3.12 python3.11; do
  if path=$(command -v "$python") && complete "$path"; then found=$path; break; fi
done

if [[ -z $found ]]; then
  newest=
  for python in ${AUTOGRADER_PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if path=$(command -v "$python") && recent "$path"; then newest=$path; break; fi
  done
  if [[ -z $newest ]] || ! "$newest" -c 'import ensurepip, venv' 2>/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    if [[ $newest ]]; then
      apt-get install -y -q --no-install-recommends python3-venv
    else
      apt-get install -y -q --no-install-recommends python3.11 python3.11-venv || {
        echo "This image has no Python 3.11 or newer, and its packages have none. Choose another image." >&2; exit 1; }
      newest=$(command -v python3.11)
    fi
  fi
  "$newest" -m venv "$venv"
  read -r -a flags <"$source/requirements.flags"
  "$venv/bin/python" -m pip install --progress-bar off --disable-pip-version-check --no-cache-dir "${flags[@]}" -r "${requirements[0]}" -c "${requirements[1]}"
  found=$venv/bin/python
fi
echo "$found" >"$base/interpreter"

# The grader itself lies where a submission's user cannot read it.
rm -rf "$base/package"
"$found" -m zipfile -e "$source"/requirements.*.whl "$base/package"
chmod 700 "$source" "$base/package"
