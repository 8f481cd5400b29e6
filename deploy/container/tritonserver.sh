#!/bin/sh
# Starts tritonserver in NVIDIA's image, with the flags of server/face_server/invocation.py (tests/test_compose.py compares).
#
# TRITON_FACES_MODELS      what to load, with spaces between
# TRITON_FACES_GALLERY     where the people are whom face_identification knows; empty: there is no such model
# TRITON_FACES_ADMIN_KEY   opens model control, shared memory, tracing and logging; without it nobody knows the key
# OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, TRITON_FACES_TRACE_RATE
#                          traces; the first is OpenTelemetry's own and speaks to our models too
# /run/secrets/tls_*       gRPC is encrypted where the certificate is not empty
set -eu

secrets=${TRITON_FACES_SECRETS:-/run/secrets}
key=${TRITON_FACES_ADMIN_KEY:-$(cat /proc/sys/kernel/random/uuid)}
# For this process alone, not for the models' ones.
unset TRITON_FACES_ADMIN_KEY
restricted=model-repository,shared-memory,trace,logging:admin-key=$key
http=0.0.0.0

set --
for model in $TRITON_FACES_MODELS ${TRITON_FACES_GALLERY:+face_names face_identification}; do
    set -- "$@" "--load-model=$model"
done

if [ -s "$secrets/tls_certificate" ]; then
    # Triton cannot encrypt HTTP: it stays in this container, for the health check.
    http=127.0.0.1
    set -- "$@" --grpc-use-ssl=true \
        "--grpc-server-cert=$secrets/tls_certificate" "--grpc-server-key=$secrets/tls_key"
    if [ -s "$secrets/tls_client_authority" ]; then
        set -- "$@" --grpc-use-ssl-mutual=true "--grpc-root-cert=$secrets/tls_client_authority"
    fi
fi

if [ -n "${OTEL_EXPORTER_OTLP_TRACES_ENDPOINT:-}" ]; then
    set -- "$@" --trace-config=mode=opentelemetry --trace-config=level=TIMESTAMPS \
        "--trace-config=rate=${TRITON_FACES_TRACE_RATE:-1}" \
        "--trace-config=opentelemetry,url=$OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" \
        --trace-config=opentelemetry,resource=service.name=triton-faces
fi

exec tritonserver \
    --model-repository=/models \
    --model-control-mode=explicit \
    --backend-config=python,shm-default-byte-size=16777216 \
    --backend-config=python,shm-growth-byte-size=16777216 \
    "--http-address=$http" --http-port=8000 \
    --grpc-address=0.0.0.0 --grpc-port=8001 \
    --grpc-http2-min-recv-ping-interval-without-data=10000 \
    --metrics-address=0.0.0.0 --metrics-port=8002 \
    "--http-restricted-api=$restricted" \
    "--grpc-restricted-protocol=$restricted" \
    --metrics-config=summary_latencies=true \
    --disable-auto-complete-config \
    --exit-timeout-secs=30 \
    --log-verbose=0 \
    "$@"
