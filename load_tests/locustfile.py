"""Load on the face models over gRPC.

locust -f load_tests/locustfile.py                                       the web page, on port 8089
locust -f load_tests/locustfile.py --headless -u 8 -t 30s                closed loop of 8 users
locust -f load_tests/locustfile.py --headless -u 8 --rate 2 -t 30s       open loop, 16 requests a second
locust -f load_tests/locustfile.py --headless --rate 1 --stages 1-20@30,20@60,60@10,20@30
locust -f load_tests/locustfile.py --headless -u 8 -t 30s Detection      one model alone
"""

from face_load import hooks
from face_load.users import Detection, Recognition

hooks.install()

__all__ = ["Detection", "Recognition"]
