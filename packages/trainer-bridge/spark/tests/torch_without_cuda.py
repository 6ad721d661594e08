"""Makes PyTorch from PyPI run on a machine without a GPU and without its 4 GB of CUDA libraries.

Usage: torch_without_cuda.py SITE_PACKAGES, after `pip install --no-deps torch`.

PyPI's torch for Linux is built for CUDA and cannot be imported unless cuBLAS, cuDNN, NCCL and others are there, although a
CPU never calls them. For each that is missing this writes a library of the same name into torch/lib, with the symbols
torch's own libraries ask for; every one of them returns an error (100, cudaErrorNoDevice). CUDA then says that there is
no device. For tests and benchmarks only: clusters use the PyTorch of their runtime.
"""

import struct
import sys
from collections import defaultdict
from pathlib import Path

STUBBED = {
    "libcublas.so",
    "libcublasLt.so",
    "libcudnn.so",
    "libcufft.so",
    "libcufile.so",
    "libcusolver.so",
    "libcusparse.so",
    "libcusparseLt.so",
    "libnccl.so",
    "libnvrtc.so",
    "libnvshmem_host.so",
    "libcuda.so",
}
PAGE = 4096
SHT_DYNSYM, SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_DYNAMIC = 11, 0x6FFFFFFE, 0x6FFFFFFF, 6


class Elf:
    """The parts of a 64-bit little-endian shared library that say what it needs."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(64)
            (sections_at,) = struct.unpack_from("<Q", head, 40)
            size, count = struct.unpack_from("<HH", head, 58)
            file.seek(sections_at)
            table = file.read(size * count)
            self.sections = [struct.unpack_from("<IIQQQQIIQQ", table, size * i) for i in range(count)]
            wanted = {SHT_DYNSYM, SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_DYNAMIC}
            linked = {section[6] for section in self.sections if section[1] in wanted}
            self.bytes: dict[int, bytes] = {}
            for index, (_, kind, _, _, offset, length, *_) in enumerate(self.sections):
                if kind in wanted or index in linked:
                    file.seek(offset)
                    self.bytes[index] = file.read(length)

    def _section(self, kind: int) -> tuple[bytes, bytes, int]:
        """Content, its strings, and the number of entries the header tells; empty when there is none."""
        for index, section in enumerate(self.sections):
            if section[1] == kind:
                return self.bytes[index], self.bytes.get(section[6], b""), section[7]
        return b"", b"", 0

    def needed(self) -> list[str]:
        content, strings, _ = self._section(SHT_DYNAMIC)
        entries = [struct.unpack_from("<QQ", content, at) for at in range(0, len(content), 16)]
        return [text(strings, value) for tag, value in entries if tag == 1]

    def undefined(self) -> list[tuple[str, str | None, str | None]]:
        """Symbols to be found elsewhere: name, and the version and library asked for where one is."""
        needs, strings, count = self._section(SHT_GNU_VERNEED)
        versions: dict[int, tuple[str, str]] = {}
        at = 0
        for _ in range(count):
            _, auxiliaries, file, first, following = struct.unpack_from("<HHIII", needs, at)
            inner = at + first
            for _ in range(auxiliaries):
                _, _, index, name, further = struct.unpack_from("<IHHII", needs, inner)
                versions[index & 0x7FFF] = (text(strings, name), text(strings, file))
                inner += further
            at += following
        symbols, names, _ = self._section(SHT_DYNSYM)
        versym, _, _ = self._section(SHT_GNU_VERSYM)
        found = []
        for number in range(1, len(symbols) // 24):
            name, _, _, section = struct.unpack_from("<IBBH", symbols, number * 24)
            if section != 0:
                continue
            (index,) = struct.unpack_from("<H", versym, number * 2)
            version, library = versions.get(index & 0x7FFF, (None, None))
            found.append((text(names, name), version, library))
        return found


def text(strings: bytes, at: int) -> str:
    return strings[at : strings.index(b"\0", at)].decode()


def elf_hash(name: str) -> int:
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


def library(soname: str, symbols: dict[str, str | None]) -> bytes:
    """A shared library of this name in which every symbol is a function that returns 100."""
    strings = bytearray(b"\0")

    def add(value: str) -> int:
        at = len(strings)
        strings.extend(value.encode() + b"\0")
        return at

    versions = sorted({version for version in symbols.values() if version is not None})
    names = list(symbols)
    soname_at = add(soname)
    name_at = [add(name) for name in names]
    version_at = [add(version) for version in versions]
    count = len(names) + 1

    # Everything that is only read, from 0: headers, symbols, strings, hash table, versions, code.
    symbols_at = 64 + 3 * 56
    strings_at = symbols_at + count * 24
    hash_at = -(-(strings_at + len(strings)) // 8) * 8
    buckets = max(1, count // 2)
    versym_at = hash_at + (2 + buckets + count) * 4
    verdef_at = -(-(versym_at + count * 2) // 8) * 8
    definitions = 1 + len(versions)
    code_at = -(-(verdef_at + definitions * 28) // 16) * 16
    code = b"\xb8\x64\x00\x00\x00\xc3"  # mov eax, 100; ret
    dynamic_at = -(-(code_at + len(code)) // PAGE) * PAGE
    out = bytearray(dynamic_at)

    for number, at in enumerate(name_at, 1):
        struct.pack_into("<IBBHQQ", out, symbols_at + number * 24, at, 0x12, 0, 1, code_at, len(code))
        version = symbols[names[number - 1]]
        index = 1 if version is None else 2 + versions.index(version)
        struct.pack_into("<H", out, versym_at + number * 2, index)
    out[strings_at : strings_at + len(strings)] = strings
    struct.pack_into("<II", out, hash_at, buckets, count)
    heads = [0] * buckets
    chain = [0] * count
    for number, name in enumerate(names, 1):
        bucket = elf_hash(name) % buckets
        chain[number], heads[bucket] = heads[bucket], number
    struct.pack_into(f"<{buckets + count}I", out, hash_at + 8, *heads, *chain)
    for number, (name, at) in enumerate([(soname, soname_at), *zip(versions, version_at, strict=True)]):
        last = number == definitions - 1
        flags = 1 if number == 0 else 0
        where = verdef_at + number * 28
        struct.pack_into("<HHHHIII", out, where, 1, flags, number + 1, 1, elf_hash(name), 20, 0 if last else 28)
        struct.pack_into("<II", out, where + 20, at, 0)
    out[code_at : code_at + len(code)] = code

    tags = [
        (14, soname_at),
        (4, hash_at),
        (5, strings_at),
        (6, symbols_at),
        (10, len(strings)),
        (11, 24),
        (0x6FFFFFF0, versym_at),
        (0x6FFFFFFC, verdef_at),
        (0x6FFFFFFD, definitions),
        (0, 0),
    ]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    out += dynamic
    struct.pack_into("<16sHHIQQQIHHHHHH", out, 0, b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    headers = [
        (1, 5, 0, 0, 0, dynamic_at, dynamic_at, PAGE),
        (1, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), PAGE),
        (2, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8),
    ]
    for number, header in enumerate(headers):
        struct.pack_into("<IIQQQQQQ", out, 64 + number * 56, *header)
    return bytes(out)


def stub_missing(site_packages: Path) -> list[str]:
    """@returns names of the libraries that were made"""
    folder = site_packages / "torch" / "lib"
    ours = [Elf(path) for path in sorted(folder.glob("*.so"))]
    needed = {name for elf in ours for name in elf.needed()}
    missing = {name for name in needed if name.split(".so")[0] + ".so" in STUBBED and not find(site_packages, name)}
    symbols: dict[str, dict[str, str | None]] = defaultdict(dict)
    loose: dict[str, None] = {}
    for elf in ours:
        for name, version, library_name in elf.undefined():
            if library_name in missing:
                symbols[library_name][name] = version
            elif library_name is None and name.startswith(("cu", "nccl", "nv")):
                loose[name] = None
    # Libraries without versions: their symbols do not say where they come from, any of the stubs may have them.
    for name in missing:
        if not symbols[name]:
            symbols[name].update(loose)
    for name in missing:
        (folder / name).write_bytes(library(name, symbols[name]))
    return sorted(missing)


def find(site_packages: Path, name: str) -> bool:
    return any((site_packages / "nvidia").glob(f"*/lib/{name}"))


if __name__ == "__main__":
    print("\n".join(stub_missing(Path(sys.argv[1]))))
