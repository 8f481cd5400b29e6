#!/bin/sh
# Starts the embedded server in its container, with the supervisor's health on port 8003.
#
# TRITON_FACES_TRACE_RATE      one of so many requests is traced, where OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says where to
# TRITON_FACES_GALLERY         where the people are whom face_identification knows; `faces serve` reads it itself
# TRITON_FACES_SERVE_OPTIONS   more options of `faces serve`, with spaces between
# /run/secrets/tls_*           gRPC is encrypted where the certificate is not empty
set -eu

secrets=${TRITON_FACES_SECRETS:-/run/secrets}

set --
if [ -s "$secrets/tls_certificate" ]; then
    set -- --tls-cert "$secrets/tls_certificate" --tls-key "$secrets/tls_key"
    if [ -s "$secrets/tls_client_authority" ]; then
        set -- "$@" --tls-ca "$secrets/tls_client_authority"
    fi
fi

# Every interface of the container: which of the host's it is reachable on is for docker to say. The options are words.
# shellcheck disable=SC2086
exec faces serve --repository /models --host 0.0.0.0 --health-port 8003 --trace-rate "${TRITON_FACES_TRACE_RATE:-1}" \
    "$@" ${TRITON_FACES_SERVE_OPTIONS:-}
