"""What the package is and what it needs. How it is built is in _build/, tools in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = runpy.run_path(str(ROOT / "tensorboard_gradhealth" / "version.py"))["VERSION"]

setup(
    name="tensorboard-gradhealth",
    version=VERSION,
    description="A TensorBoard plugin that tells you why your network is not training",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "THIRD_PARTY_NOTICES"],
    keywords="tensorboard tensorflow keras gradients debugging deep-learning",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["tensorboard_gradhealth", "tensorboard_gradhealth.*"]),
    package_data={
        "tensorboard_gradhealth": ["py.typed", "static/*"],
        "tensorboard_gradhealth.report": ["styles/*.css"],
        "tensorboard_gradhealth.storage": ["*.proto", "*.pyi"],
    },
    install_requires=[
        "numpy>=1.26",
        # The generated code is of 4.25 and runs on all that came since.
        "protobuf>=4.25,<8",
        "tensorboard>=2.17,<3",
    ],
    extras_require={
        "tensorflow": ["keras>=3.4", "tensorflow>=2.17"],
        # The small build of TensorFlow, where there is one.
        "cpu": [
            "keras>=3.4",
            "tensorflow-cpu>=2.17; platform_machine == 'x86_64'",
            "tensorflow>=2.17; platform_machine != 'x86_64'",
        ],
        "demo": ["scikit-learn>=1.4"],
        "dev": [
            "build>=1.2",
            "fsspec>=2024.6",  # reads memory:// where TensorBoard has no TensorFlow
            "hypothesis>=6.100",
            "mypy>=2.0",
            "playwright>=1.50",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.17,<0.18",
            "types-protobuf>=6.30",
        ],
    },
    entry_points={
        "console_scripts": ["gradhealth = tensorboard_gradhealth.cli:main"],
        "tensorboard_plugins": [
            "gradhealth = tensorboard_gradhealth.backend.loader:GradientHealthLoader",
        ],
    },
)
