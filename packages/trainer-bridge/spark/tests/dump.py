"""What prepare.py wrote, as JSON on standard output, for comparison with the TypeScript implementation."""

import json
import sys

from attune_spark import files
from attune_spark.data import load_ids, load_meta, load_tables, load_together, load_visits

folder = sys.argv[1]
meta = load_meta(folder)
visits = load_visits(folder)
tables = load_tables(folder, "", meta["items"], meta["neighbours"])
pairs = files.read_parquet(files.join(folder, "pairs"), ["source", "target", "units"])
steps = files.read_parquet(files.join(folder, "popularity"), ["row", "steps"])
print(
    json.dumps(
        {
            "meta": meta,
            "ids": load_ids(folder),
            "offsets": visits.offsets.tolist(),
            "rows": visits.rows.tolist(),
            "kinds": visits.kinds.tolist(),
            "times": visits.times.tolist(),
            "tables": {
                name: values.ravel().tolist()
                for name, values in (tables._asdict() | load_together(folder, meta["items"])).items()
            },
            "pairs": [pairs.column(name).to_pylist() for name in ("source", "target", "units")],
            "steps": [steps.column(name).to_pylist() for name in ("row", "steps")],
        }
    )
)
