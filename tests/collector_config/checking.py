"""Finds what is wrong with a Collector configuration, without a Collector. Reads no file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml

from tests.collector_config.schema import BOOL, COMPONENTS, FLOAT, INT, MAP, SIGNALS, Shape

_PLACEHOLDER = re.compile(r"\$\{env:(?P<name>[A-Z][A-Z0-9_]*)(:-(?P<default>[^${}]*))?\}")


def problems(text: str) -> list[str]:
    """Each a sentence; none for a configuration that the Collector takes."""
    found = list(_bad_placeholders(text))
    try:
        config = yaml.load(_without_placeholders(text), Loader=_Loader)
    except yaml.YAMLError as error:
        return [*found, f"no YAML: {error}"]
    if not isinstance(config, dict):
        return [*found, "no mapping"]
    found += [f"{section}: unknown" for section in config if section not in {*COMPONENTS, "service"}]
    for section, known in COMPONENTS.items():
        for name, body in (config.get(section) or {}).items():
            kind = name.split("/")[0]
            if kind not in known:
                found.append(f"{section}: {name}: no such component")
            else:
                found += _misfits({} if body is None else body, known[kind], f"{section}: {name}")
    found += _service(config)
    return found or list(_limits(config))


class _Loader(yaml.SafeLoader):
    """Refuses a key that comes twice, as the Collector does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(self.construct_object(key, deep=True) for key, _ in node.value)
        if twice := [key for key, times in keys.items() if times > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"key twice: {twice[0]}", node.start_mark)
        return super().construct_mapping(node, deep)


def variables(text: str) -> dict[str, str | None]:
    """The environment variables that a configuration reads, with their defaults."""
    return {match["name"]: match["default"] for match in _PLACEHOLDER.finditer(_without_comments(text))}


def _bad_placeholders(text: str) -> Iterator[str]:
    rest = _PLACEHOLDER.sub("", _without_comments(text)).replace("$$", "")
    for line in rest.splitlines():
        if "$" in line:
            yield f"a lone $ or a placeholder that is no ${{env:NAME:-default}}: {line.strip()}"


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)(^|\s)#.*$", "", text)


def _without_placeholders(text: str) -> str:
    return _PLACEHOLDER.sub(lambda match: match["default"] or "unset", text)


def _misfits(value: Any, shape: Shape, where: str) -> Iterator[str]:
    match shape, value:
        case dict(), dict():
            for key, inner in value.items():
                if key not in shape:
                    yield f"{where}: no such key: {key}"
                else:
                    yield from _misfits(inner, shape[key], f"{where}: {key}")
        case list(), list():
            for place, inner in enumerate(value):
                yield from _misfits(inner, shape[0], f"{where}: {place}")
        case _ if not _fits(value, shape):
            yield f"{where}: {value!r} does not fit"


def _fits(value: Any, shape: Shape) -> bool:
    match shape:
        case dict() | list():
            return False
        case "int":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "float":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "map":
            return isinstance(value, dict)
        case str():
            return isinstance(value, str) and bool(value)
        case frozenset():
            return value in shape
        case _:
            return isinstance(value, str) and shape.fullmatch(value) is not None


assert {INT, FLOAT, BOOL, MAP} == {"int", "float", "bool", "map"}  # the words that `match` compares with


def _service(config: dict[str, Any]) -> Iterator[str]:
    service = config.get("service")
    if not isinstance(service, dict) or not service.get("pipelines"):
        yield "service: no pipeline"
        return
    yield from (f"service: no such key: {key}" for key in service if key != "pipelines")
    used: dict[str, set[str]] = {section: set() for section in COMPONENTS}
    for name, pipeline in service["pipelines"].items():
        where = f"service: {name}"
        if name.split("/")[0] not in SIGNALS:
            yield f"{where}: no such signal"
        yield from (f"{where}: no such key: {key}" for key in pipeline if key not in COMPONENTS)
        for section in COMPONENTS:
            named = pipeline.get(section) or []
            used[section].update(named)
            if not named:
                yield f"{where}: no {section}"
            if len(set(named)) < len(named):
                yield f"{where}: one of the {section} twice"
            yield from (f"{where}: {one} is not defined" for one in named if one not in (config.get(section) or {}))
        yield from _order(where, [one.split("/")[0] for one in pipeline.get("processors") or []])
    for section in COMPONENTS:
        yield from (f"{section}: {one} is not used" for one in config.get(section) or {} if one not in used[section])


def _order(where: str, processors: list[str]) -> Iterator[str]:
    if processors[:1] != ["memory_limiter"]:
        yield f"{where}: memory_limiter is not first"
    if "batch" in processors[:-1]:
        yield f"{where}: batch is not last"


def _limits(config: dict[str, Any]) -> Iterator[str]:
    """What the Collector's own Validate functions hold."""
    for name, body in (config.get("processors") or {}).items():
        if name.split("/")[0] == "memory_limiter" and not body["spike_limit_mib"] < body["limit_mib"]:
            yield f"{name}: spike_limit_mib is not below limit_mib"
        if name.split("/")[0] == "batch" and body["send_batch_max_size"] < body["send_batch_size"]:
            yield f"{name}: send_batch_max_size is below send_batch_size"
    for name, body in (config.get("exporters") or {}).items():
        queue = (body or {}).get("sending_queue") or {}
        batch = queue.get("batch") or {}
        if batch and not batch["min_size"] <= batch["max_size"]:
            yield f"{name}: min_size is above max_size"
