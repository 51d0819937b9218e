"""Gradescope: the export of "Download submissions"."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.people import Person, folder_name


def read(source: Path) -> Collected:
    """What an export holds, zip or folder, with its ``submission_metadata.yml``.

    Raises:
        ValueError: the metadata are missing or cannot be read.
    """
    found, metadata = Collected(), None
    held: list[tuple[PurePosixPath, bytes, str]] = []
    for path, data, trouble in read_files(source):
        if PurePosixPath(path).name == "submission_metadata.yml":
            metadata, root = _read_yaml(data), PurePosixPath(path).parent
        else:
            held.append((PurePosixPath(path), data, trouble))
    if metadata is None:
        raise ValueError(
            f"{source} holds no submission_metadata.yml, so nothing says whose submissions these are"
        )
    folders = set()
    for name, told in metadata.items():
        told = told if isinstance(told, dict) else {}
        submitters = [one for one in told.get(":submitters") or [] if isinstance(one, dict)]
        submission = folder_name(str(name), "")
        folders.add(str(name))
        found.files.setdefault(submission, {})
        if not submitters:
            found.left.append(f"{name} (the metadata names no submitter)")
        for one in submitters:
            email, sid = str(one.get(":email") or ""), str(one.get(":sid") or "")
            when = told.get(":created_at")
            submitted = when.isoformat() if isinstance(when, datetime) else ""
            found.people.append(
                Person(submission, "gradescope", sid or email, str(one.get(":name") or ""), email, submitted)
            )
    for where, data, trouble in held:
        inside = where.relative_to(root) if where.is_relative_to(root) else where
        if inside.parts[0] not in folders or len(inside.parts) < 2 or trouble:
            found.left.append(f"{where} ({trouble or 'no submission that the metadata knows'})")
        else:
            found.add(folder_name(inside.parts[0], ""), "/".join(inside.parts[1:]), data)
    return found


class _RubyLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML with Ruby's tags taken for what stands behind them."""


def _untagged(loader: _RubyLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


_RubyLoader.add_multi_constructor("!ruby/", _untagged)


def _read_yaml(data: bytes) -> dict[Any, Any]:
    try:
        read = yaml.load(data.decode("utf-8-sig"), Loader=_RubyLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"submission_metadata.yml cannot be read: {str(error)[:200]}") from None
    if not isinstance(read, dict):
        raise ValueError("submission_metadata.yml does not list submissions")
    return read
