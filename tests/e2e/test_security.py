"""What nobody may do without the key, and where a server listens."""

import pytest
import tritonclient.grpc as grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from face_server import EmbeddedTriton, Settings
from face_server.http_api import ADMIN_HEADER, NoAnswer, ask
from tests.e2e.conftest import REPOSITORY
from tests.e2e.sockets import listening


@pytest.fixture(scope="module")
def small():
    """A server that may be played with, whose HTTP alone stays on this machine."""
    settings = Settings(host="0.0.0.0", http_host="localhost", models=("pnet",))
    with EmbeddedTriton(REPOSITORY, settings) as server:
        yield server


def test_listens_on_loopback_unless_told_otherwise(triton):
    # gRPC's own way to write the same address.
    assert set(listening(triton).values()) <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_http_alone_may_stay_on_this_machine(small):
    assert small.http_url == f"http://127.0.0.1:{small.ports[0]}"
    assert [listening(small)[port] for port in small.ports] == ["127.0.0.1", "::", "0.0.0.0"]


# gRPC's header has a prefix.
RPC_HEADER = f"triton-grpc-protocol-{ADMIN_HEADER}"

# A name that nobody has: with the key these calls get as far as Triton's own answer, and change nothing.
NONE = "nobody"
RPC_CALLS = {
    "RepositoryIndex": service_pb2.RepositoryIndexRequest(),
    "RepositoryModelLoad": service_pb2.RepositoryModelLoadRequest(model_name=NONE),
    "RepositoryModelUnload": service_pb2.RepositoryModelUnloadRequest(model_name=NONE),
    "SystemSharedMemoryStatus": service_pb2.SystemSharedMemoryStatusRequest(),
    "SystemSharedMemoryRegister": service_pb2.SystemSharedMemoryRegisterRequest(name=NONE, key=f"/{NONE}", byte_size=1),
    "SystemSharedMemoryUnregister": service_pb2.SystemSharedMemoryUnregisterRequest(),
    "CudaSharedMemoryStatus": service_pb2.CudaSharedMemoryStatusRequest(),
    "CudaSharedMemoryRegister": service_pb2.CudaSharedMemoryRegisterRequest(name=NONE, raw_handle=b"x", byte_size=1),
    "CudaSharedMemoryUnregister": service_pb2.CudaSharedMemoryUnregisterRequest(),
    "TraceSetting": service_pb2.TraceSettingRequest(),
    "LogSettings": service_pb2.LogSettingsRequest(),
}


# Of these Triton itself says no to nobody, or to a machine without a GPU.
NO_EVEN_WITH_THE_KEY = ("RepositoryModelLoad", "SystemSharedMemoryRegister", "CudaSharedMemory")


@pytest.mark.parametrize("call", RPC_CALLS)
def test_restricted_over_grpc(call, small):
    with grpc.grpc.insecure_channel(small.grpc_url) as channel:
        method = getattr(service_pb2_grpc.GRPCInferenceServiceStub(channel), call)
        for header, key in ((RPC_HEADER, ""), (RPC_HEADER, "a guess"), (ADMIN_HEADER, small.admin_key)):
            with pytest.raises(grpc.grpc.RpcError, match="This protocol is restricted"):
                method(RPC_CALLS[call], metadata=((header, key),))
        said = no_of(lambda: method(RPC_CALLS[call], metadata=((RPC_HEADER, small.admin_key),)))
    assert "restricted" not in said
    assert not said or call.startswith(NO_EVEN_WITH_THE_KEY)


HTTP_CALLS = {
    "repository/index": {},
    f"repository/models/{NONE}/load": {},
    f"repository/models/{NONE}/unload": {},
    "systemsharedmemory/status": None,
    f"systemsharedmemory/region/{NONE}/register": {"key": f"/{NONE}", "offset": 0, "byte_size": 1},
    "systemsharedmemory/unregister": {},
    "cudasharedmemory/status": None,
    f"cudasharedmemory/region/{NONE}/register": {"raw_handle": {"b64": ""}, "device_id": 0, "byte_size": 1},
    "cudasharedmemory/unregister": {},
    "trace/setting": None,
    "models/pnet/trace/setting": {"trace_level": ["OFF"]},
    "logging": {},
}


@pytest.mark.parametrize("path", HTTP_CALLS)
def test_restricted_over_http(path, small):
    url = f"{small.http_url}/v2/{path}"
    for key in (None, "a guess", small.admin_key[:-1]):
        with pytest.raises(NoAnswer, match="This API is restricted"):
            ask(url, HTTP_CALLS[path], key)
    said = no_of(lambda: ask(url, HTTP_CALLS[path], small.admin_key))
    assert "restricted" not in said
    assert not said or path.startswith("cuda") or path.endswith(("/load", "/register"))


ROUNDABOUT = (
    *("v2//repository/index", "v2/./repository/index", "v2/repository/index/", "v2/repository/index?x"),
    *("V2/repository/index", "v2/%72epository/index", "v2/models/../repository/index", "v2/repository%2Findex"),
)


@pytest.mark.parametrize("path", ROUNDABOUT)
def test_no_simple_way_around_the_restriction(path, small):
    """Not a proof: Triton 2.51 has advisories on going around it (docs/security.md)."""
    assert no_of(lambda: ask(f"{small.http_url}/{path}", {}))


def no_of(call):
    """Triton's words where it refuses a call; empty where it does not."""
    try:
        call()
    except (grpc.grpc.RpcError, NoAnswer) as error:
        return str(error)
    return ""


def test_what_is_open_to_all(small):
    """Statistics are read-only in this protocol; configurations hold no secrets."""
    assert ask(f"{small.http_url}/v2/models/pnet/stats")["model_stats"]
    assert ask(f"{small.http_url}/v2/models/pnet/config")["name"] == "pnet"
    with grpc.InferenceServerClient(small.grpc_url) as client:
        assert client.is_server_ready()
        with pytest.raises(InferenceServerException, match="restricted"):
            client.load_model("pnet")
