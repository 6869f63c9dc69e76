"""The log on disk: one writer, one reader, and the page that both follow, docs/log_format.md."""

from tensorboard import version

from tensorboard_gradhealth import requirements

requirements.need("TensorBoard", version.VERSION)
