"""Raw data to the prepared form (docs/data.md): `python -m preprocess`, or `prepare_frames` for DataFrames."""

from preprocess.frames import prepare_frames

__all__ = ["prepare_frames"]
