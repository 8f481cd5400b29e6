"""What can end a run, as one tree.

    BatchError
      BadSource         nothing can be listed there, or it holds no picture
      TargetRefused     the target cannot be taken: of another run, in use, or an address that must not be
      StoreUnavailable  a bucket that does not take or give what it should; the run can be resumed
        DiskFailed      a disk likewise, where waiting does not help
      WorkFailed        a shard failed again and again; the run can be resumed
      Disagreement      what `verify` found wrong

A picture that cannot be read is none of these: it is a row with its reason.
"""


class BatchError(Exception):
    """Base of all; every message is one sentence for the person who started the run."""


class BadSource(BatchError):
    """Nothing can be listed there, or it holds no picture."""


class TargetRefused(BatchError):
    """The target belongs to another run, is in use, or its address must not be used."""


class StoreUnavailable(BatchError):
    """A bucket, or a disk, does not take or give what it should, after all retries."""


class DiskFailed(StoreUnavailable):
    """A disk: full, or broken. Its word is final."""


class WorkFailed(BatchError):
    """A shard failed more often than it is tried."""


class Disagreement(BatchError):
    """Manifest and shards do not say the same."""
