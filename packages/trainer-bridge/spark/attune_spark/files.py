"""Files that every node can open: plain paths (/Volumes/…, a mount, a folder of this machine) or abfss:// addresses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.fs as fs
import pyarrow.parquet as pq
from safetensors.numpy import load, save


def _open(path: str) -> tuple[fs.FileSystem, str]:
    if "://" in path:
        system, inside = fs.FileSystem.from_uri(path)
        return system, inside
    return fs.LocalFileSystem(), path.removeprefix("file:")


def join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def exists(path: str) -> bool:
    system, inside = _open(path)
    return bool(system.get_file_info(inside).type != fs.FileType.NotFound)


def read_bytes(path: str) -> bytes:
    system, inside = _open(path)
    with system.open_input_stream(inside) as stream:
        return bytes(stream.read())


def write_bytes(path: str, content: bytes) -> None:
    """Written aside and renamed, so that a kill leaves the file before."""
    system, inside = _open(path)
    system.create_dir(inside.rsplit("/", 1)[0], recursive=True)
    with system.open_output_stream(f"{inside}.new") as stream:
        stream.write(content)
    system.move(f"{inside}.new", inside)


def remove(path: str) -> None:
    system, inside = _open(path)
    if system.get_file_info(inside).type == fs.FileType.File:
        system.delete_file(inside)


def remove_folder(path: str) -> None:
    system, inside = _open(path)
    if system.get_file_info(inside).type == fs.FileType.Directory:
        system.delete_dir(inside)


def read_parquet(folder: str, columns: list[str] | None) -> pa.Table:
    system, inside = _open(folder)
    return pq.read_table(inside, columns=columns, filesystem=system)


def read_tensors(path: str) -> dict[str, np.ndarray]:
    return dict(load(read_bytes(path)))


def write_tensors(path: str, tensors: dict[str, np.ndarray]) -> None:
    write_bytes(path, save({name: np.ascontiguousarray(values) for name, values in tensors.items()}))


def newest_epoch(folder: str) -> int | None:
    """Of an artifact folder: the highest number that has a manifest."""
    system, inside = _open(join(folder, "epochs"))
    found = system.get_file_info(fs.FileSelector(inside, allow_not_found=True))
    epochs = [int(entry.base_name) for entry in found if entry.base_name.isdigit()]
    complete = [epoch for epoch in epochs if exists(join(folder, f"epochs/{epoch}/manifest.json"))]
    return max(complete, default=None)
