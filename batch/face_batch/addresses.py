"""Addresses of places: what they may say, and which of pyarrow's file systems they lead to.

Credentials come from where the stores' own tools have them (environment, configuration files, the machine's role), and
never from an address: addresses are written into manifests, tables and logs.
"""

import os
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pyarrow as pa
from pyarrow import fs

from face_batch.errors import BadSource, TargetRefused

SCHEMES = ("s3", "gs", "az")

_WITHOUT_SECRETS = {
    "s3": ("endpoint_override", "region", "scheme"),
    "gs": ("endpoint_override", "scheme", "anonymous", "retry_limit_seconds"),
    "az": (),
}
"""What an address may say after its `?`, as pyarrow reads it."""

_BUCKET = re.compile(r"[\w.$-]+")
# What follows this is a query: `=` is seldom in the part of a path that follows the `?` of a pattern.
_QUERY = re.compile(r"\?(?=[^/?]*=)")


def is_remote(address: str) -> bool:
    """Whether an address is of an object store."""
    return address.partition("://")[0] in SCHEMES


def store_of(address: str) -> str:
    """Scheme and bucket, which one connection is for: another bucket may lie elsewhere. Nothing for this machine."""
    return f"{address.partition('://')[0]}://{bucket_of(address)}" if is_remote(address) else ""


def split_query(address: str) -> tuple[str, str]:
    """An address without what it says of its store, and that."""
    begin = _QUERY.search(address) if is_remote(address) else None
    return (address[: begin.start()], address[begin.end() :]) if begin else (address, "")


def check_address(address: str) -> None:
    """Raises TargetRefused for an address that nothing reads, that must not be written down, or says what none does."""
    if not is_remote(address):
        if "://" in address:
            raise TargetRefused(f"{_shown(address)} is no address that is read: a path, s3://, gs:// or az:// is")
        return
    scheme = address.partition("://")[0]
    bare, query = split_query(address)
    if _credentials(address):
        raise TargetRefused(
            f"{_shown(address)} holds credentials, which would be written into the manifest: give them in the "
            "environment, as the store's own tools read them"
        )
    if not _BUCKET.fullmatch(bucket_of(bare)):
        raise TargetRefused(f"{bare} names no bucket")
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name not in _WITHOUT_SECRETS[scheme]:
            known = ", ".join(_WITHOUT_SECRETS[scheme]) or "nothing"
            raise TargetRefused(f"{bare} says {name}= of its store; it may say {known}")


def bucket_of(address: str) -> str:
    return address.partition("://")[2].partition("/")[0]


def _credentials(address: str) -> bool:
    # A secret may hold anything, so that what follows a name and a colon cannot be told from it.
    bare, query = split_query(address)
    return "@" in query or not {"@", ":"}.isdisjoint(bucket_of(bare))


def _shown(address: str) -> str:
    """Without what may be secret."""
    return f"{address.partition('://')[0]}://…" if _credentials(address) else address.partition("?")[0]


def filesystem(scheme: str, bucket: str, query: str) -> Any:
    """Of a store. Raises BadSource where it cannot be opened."""
    try:
        if scheme == "az":
            return _azure()
        options = dict(parse_qsl(query))
        if scheme == "s3":
            return _s3(bucket, options)
        # As pyarrow has it for Google's.
        user = "anonymous@" if options.pop("anonymous", "") == "true" else ""
        return fs.FileSystem.from_uri(f"{scheme}://{user}{bucket}?{urlencode(options)}")[0]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OSError) as error:
        raise BadSource(f"{scheme}://{bucket} cannot be opened: {words(error)}") from error


def _s3(bucket: str, told: dict[str, str]) -> Any:
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if url and "endpoint_override" not in told:
        scheme, _, endpoint = url.rstrip("/").rpartition("://")
        told |= {"scheme": scheme or "https", "endpoint_override": endpoint}
    if "endpoint_override" not in told and "region" not in told:
        told["region"] = fs.resolve_s3_region(bucket)
    # A Place tries again by itself, and knows what cannot help; ten attempts of the store's library take minutes.
    retries = fs.AwsStandardS3RetryStrategy(max_attempts=2)
    return fs.S3FileSystem(
        **told,
        retry_strategy=retries,
        connect_timeout=10,
        request_timeout=60,
        # Small files in one request, which leaves no parts behind in the store where it is cut off.
        allow_delayed_open=True,
    )


def _azure() -> Any:
    """Account and key, or nothing for the machine's identity, as Azure's own tools name them."""
    account = os.environ.get("AZURE_STORAGE_ACCOUNT", "")
    if not account:
        raise ValueError("AZURE_STORAGE_ACCOUNT must name the account")
    options = {}
    if key := os.environ.get("AZURE_STORAGE_KEY"):
        options["account_key"] = key
    if emulator := os.environ.get("AZURE_STORAGE_AUTHORITY"):
        # HOST:PORT. It speaks HTTP, and answers for both of Azure's services.
        for service in ("blob", "dfs"):
            options |= {f"{service}_storage_authority": emulator, f"{service}_storage_scheme": "http"}
    return fs.AzureFileSystem(account_name=account, **options)


def words(error: Exception) -> str:
    """An error in one line. pyarrow's own go on for pages, and name the file once more."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error) if number is None else os.strerror(number)
    return " ".join(text.split())[:300]
