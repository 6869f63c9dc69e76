"""The packaged files of the frontend, and what stands in for them where they were not built."""

from __future__ import annotations

from importlib import resources

ENTRY = "index.js"

_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

_NOT_BUILT = """\
export function render() {
  document.documentElement.lang = 'en';
  document.title = 'Gradient Health';
  document.body.style.cssText = 'margin:2rem;font:16px/1.5 sans-serif;background:#fff;color:#222';
  const main = document.body.appendChild(document.createElement('main'));
  const add = (name, text) => {
    main.appendChild(document.createElement(name)).textContent = text;
  };
  add('h1', 'The frontend of Gradient Health is not built');
  add('p', 'This installation lacks its browser part. In a copy of the sources, run:');
  add('pre', 'make frontend');
  add('p', 'or install the package again with: pip install . (it builds the browser part).');
}
"""


def load(name: str) -> tuple[bytes, str] | None:
    """Returns content and media type of a packaged file; None if there is no such file.

    Files are found by listing the folder, never by joining the name to a path, so that no name
    can lead out of it.
    """
    folder = resources.files("tensorboard_gradhealth").joinpath("static")
    files = {file.name: file for file in folder.iterdir()} if folder.is_dir() else {}
    suffix = name[name.rfind(".") :]
    if name in files and suffix in _TYPES and files[name].is_file():
        return files[name].read_bytes(), _TYPES[suffix]
    if name == ENTRY:
        return _NOT_BUILT.encode(), _TYPES[".js"]
    return None
