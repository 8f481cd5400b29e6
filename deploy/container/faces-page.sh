#!/bin/sh
# Starts the page and the REST API in their container, on port 8080.
#
# TRITON_FACES_URL             the servers' gRPC; `faces page` reads it itself
# TRITON_FACES_GALLERY         where people are enrolled, which it reads too; their names come from the server
# TRITON_FACES_PAGE_BIND       the host's address that the port is published on. Without keys nobody is let in unless it is
#                              the host's own, and then by its names alone
# TRITON_FACES_PAGE_OPTIONS    more options of `faces page`, with spaces between
# /run/secrets/page_keys       API keys: callers need one where the file is not empty
# /run/secrets/page_tls_*      whose certificates the servers must have, and the one to come with, where not empty
set -eu

secrets=${TRITON_FACES_SECRETS:-/run/secrets}

set --
if [ -s "$secrets/page_keys" ]; then
    set -- --keys "$secrets/page_keys"
else
    case ${TRITON_FACES_PAGE_BIND:-} in
        127.*) set -- --without-keys --allow-host localhost ;;
    esac
fi
if [ -n "${TRITON_FACES_GALLERY:-}" ]; then
    set -- "$@" --served
fi
if [ -s "$secrets/page_tls_authority" ]; then
    set -- "$@" --tls-ca "$secrets/page_tls_authority"
fi
if [ -s "$secrets/page_tls_certificate" ]; then
    set -- "$@" --tls-cert "$secrets/page_tls_certificate" --tls-key "$secrets/page_tls_key"
fi

# Every interface of the container: which of the host's it is reachable on is for docker to say. The options are words.
# shellcheck disable=SC2086
exec faces page --host 0.0.0.0 --port 8080 "$@" ${TRITON_FACES_PAGE_OPTIONS:-}
