"""Gradescope: the export of "Download submissions"."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.people import Person, folder_name

METADATA = "submission_metadata.yml"
OF_STUDENT = re.compile(r"submission_\d+")  # the folder of one submission
MAX_METADATA = 20_000_000  # bytes; a class of 1,000 has 2 MB
MAX_DEPTH = 30
MAX_ALIASES = 10_000


def read(source: Path) -> Collected:
    """What an export holds, zip or folder, with its ``submission_metadata.yml``.

    Raises:
        ValueError: the metadata are missing or cannot be read.
    """
    root = _root(source)
    found = Collected()
    metadata = next(_read_yaml(data) for path, data, _ in read_files(source) if path == str(root / METADATA))
    folders = {}
    for name, told in metadata.items():
        told = told if isinstance(told, dict) else {}
        listed = told.get(":submitters")
        submitters = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        submission = folder_name("", str(name))
        folders[str(name)] = submission
        found.files.setdefault(submission, {})
        if not submitters:
            found.left.append(f"{name} (the metadata names no submitter)")
        for one in submitters:
            email, sid = _text(one.get(":email")), _text(one.get(":sid"))
            when = told.get(":created_at")
            submitted = when.isoformat() if isinstance(when, datetime) else ""
            found.people.append(
                Person(submission, "gradescope", sid or email, _text(one.get(":name")), email, submitted)
            )
    for path, data, trouble in read_files(source):
        where = PurePosixPath(path)
        if where == root / METADATA:
            continue
        inside = where.relative_to(root)
        if inside.name == METADATA:
            trouble = "handed in by a student; only the export's own says whose what is"
        if inside.parts[0] not in folders or len(inside.parts) < 2 or trouble:
            found.left.append(f"{where} ({trouble or 'no submission that the metadata knows'})")
        else:
            found.add(folders[inside.parts[0]], "/".join(inside.parts[1:]), data)
    return found


def _root(source: Path) -> PurePosixPath:
    """The folder of the export: the platform's metadata lie in it, beside all submissions.

    A student's file of that name lies in the folder of a submission, and other submissions lie outside.

    Raises:
        ValueError: there is none.
    """
    paths = [PurePosixPath(path) for path, _, _ in read_files(source)]
    places = sorted((path.parent for path in paths if path.name == METADATA), key=lambda one: len(one.parts))
    for place in places[:1]:
        if not OF_STUDENT.fullmatch(place.name) and all(path.is_relative_to(place) for path in paths):
            return place
    raise ValueError(
        f"{source} holds no {METADATA} beside its submissions, so nothing says whose submissions these are"
    )


def _text(value: Any) -> str:
    """A name or id in the metadata; nothing else, because what nests may unfold without end."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


class _RubyLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML with Ruby's tags taken for what stands behind them; no merging, few aliases, limited depth."""

    depth = 0
    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Composes one node.

        Raises:
            yaml.YAMLError: the document is made to unfold.
        """
        if self.check_event(yaml.events.AliasEvent):
            self.aliases += 1
        self.depth += 1
        if self.depth > MAX_DEPTH or self.aliases > MAX_ALIASES:
            raise yaml.YAMLError("it is nested too deeply, or repeats too much by reference")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuses merge keys.

        Raises:
            yaml.YAMLError: there is one.
        """
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("it merges mappings, which Gradescope does not")


def _untagged(loader: _RubyLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


_RubyLoader.add_multi_constructor("!ruby/", _untagged)


def _read_yaml(data: bytes) -> dict[Any, Any]:
    if len(data) > MAX_METADATA:
        raise ValueError(f"{METADATA} is {len(data) / 1e6:.0f} MB; the limit is {MAX_METADATA / 1e6:.0f} MB")
    try:
        read = yaml.load(data.decode("utf-8-sig"), Loader=_RubyLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError, TypeError) as error:
        raise ValueError(f"{METADATA} cannot be read: {str(error)[:200]}") from None
    if not isinstance(read, dict):
        raise ValueError(f"{METADATA} does not list submissions")
    return read
