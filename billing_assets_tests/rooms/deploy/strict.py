"""Kubernetes manifests against the API's own model classes, as its Python client ships them: no unknown field, no
missing one, no value of a wrong type."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubernetes.client import models

_KINDS = {
    "Job": models.V1Job,
    "CronJob": models.V1CronJob,
    "Deployment": models.V1Deployment,
    "Service": models.V1Service,
    "ConfigMap": models.V1ConfigMap,
    "Secret": models.V1Secret,
    "ServiceAccount": models.V1ServiceAccount,
    "Role": models.V1Role,
    "RoleBinding": models.V1RoleBinding,
    "NetworkPolicy": models.V1NetworkPolicy,
    "PersistentVolumeClaim": models.V1PersistentVolumeClaim,
}
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "datetime": (str, datetime),
}


def faults(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest, each with its place; an empty list for a good one."""
    kind = manifest["kind"]
    return list(_look(manifest, _KINDS[kind].__name__, kind))


def fragment_faults(value: Any, model: str) -> list[str]:
    """The same for a part of one, e.g. a `V1PodSpec`."""
    return list(_look(value, model, model))


def _look(value: Any, kind: str, place: str) -> Iterator[str]:
    if value is None or kind == "object":
        return
    if found := re.fullmatch(r"list\[(.+)\]", kind):
        yield from _list(value, found[1], place)
    elif found := re.fullmatch(r"dict[\[(]str, (.+)[\])]", kind):
        if isinstance(value, dict):
            for name, one in value.items():
                yield from _look(one, found[1], f"{place}.{name}")
        else:
            yield f"{place}: expected a map, found {value!r}"
    elif kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "bool"):
            yield f"{place}: expected {kind}, found {value!r}"
    else:
        yield from _model(value, kind, place)


def _list(value: Any, kind: str, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place}: expected a list, found {value!r}"
        return
    for number, one in enumerate(value):
        yield from _look(one, kind, f"{place}[{number}]")


def _model(value: Any, kind: str, place: str) -> Iterator[str]:
    model = getattr(models, kind)
    if not isinstance(value, dict):
        yield f"{place}: expected {kind}, found {value!r}"
        return
    names = {theirs: ours for ours, theirs in model.attribute_map.items()}
    for name, one in value.items():
        if name in names:
            yield from _look(one, model.openapi_types[names[name]], f"{place}.{name}")
        else:
            yield f"{place}.{name}: no field of {kind}"
    try:
        model(**{names[name]: one for name, one in value.items() if name in names})  # refuses what lacks a needed field
    except ValueError as error:
        yield f"{place}: {error}"
