"""The session of a job, and how the code gets to where it runs."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from pyspark.sql import SparkSession


def pack() -> bytes:
    """This package as a zip that Python imports from."""
    package = Path(__file__).parent
    if package.parent.is_file():
        # It was imported from one.
        return package.parent.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(package.glob("*.py")):
            archive.write(path, f"{package.name}/{path.name}")
    return content.getvalue()


def start_session(name: str) -> SparkSession:
    """The cluster's session, or one of this machine as spark-submit was told. Its workers find this package."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    archive = Path(tempfile.mkdtemp(prefix="attune-")) / "attune_spark.zip"
    archive.write_bytes(pack())
    spark.sparkContext.addPyFile(str(archive))
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    return spark
