"""`faces batch`: a folder or a bucket of pictures to Parquet tables of faces, on this machine or on a cluster.

    sources   → what there is to read      manifest → what a run is, what of it is done
    shards    → a table of some pictures   running  → all of them, by Ray's workers

Needs the extra `batch`. What a target holds is told in docs/batch.md.
"""
