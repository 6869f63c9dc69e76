"""The PEP 517 build backend: setuptools, after the frontend has been built."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from setuptools import build_meta

import frontend

Hook = Callable[..., Any]

prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable


def _also_requiring_node(hook: Hook) -> Hook:
    def get_requires(config_settings: Any = None) -> list[str]:
        return [*hook(config_settings), *frontend.requires()]

    return get_requires


def _after_frontend(hook: Hook) -> Hook:
    def build(*arguments: Any, **options: Any) -> Any:
        frontend.build()
        # setuptools packs whatever an earlier build left here, such as modules deleted since.
        shutil.rmtree(frontend.ROOT / "build", ignore_errors=True)
        return hook(*arguments, **options)

    return build


get_requires_for_build_wheel = _also_requiring_node(build_meta.get_requires_for_build_wheel)
get_requires_for_build_editable = _also_requiring_node(build_meta.get_requires_for_build_editable)
get_requires_for_build_sdist = _also_requiring_node(build_meta.get_requires_for_build_sdist)
build_wheel = _after_frontend(build_meta.build_wheel)
build_editable = _after_frontend(build_meta.build_editable)
build_sdist = _after_frontend(build_meta.build_sdist)
