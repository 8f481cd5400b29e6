#!/usr/bin/env bash
# Probability and box of each face, with curl, grep and sed: detect.sh PHOTO [ADDRESS]
set -euo pipefail
address=${2:-${FACES_URL:-http://127.0.0.1:8080}}
headers=(--header 'Content-Type: application/octet-stream')
if [[ ${FACES_KEY:-} ]]; then headers+=(--header "Authorization: Bearer $FACES_KEY"); fi
answer=$(curl --silent --show-error --max-time 30 "${headers[@]}" --data-binary "@$1" "${address%/}/v1/detect")
if [[ $answer != '{"images":'* ]]; then
  sed 's/.*"detail":"\(\([^"\\]\|\\.\)*\)".*/\1/' <<<"$answer" >&2
  exit 1
fi
faces=$(grep -o '"box":\[[^]]*\],"probability":[^,}]*' <<<"$answer") || exit 0
sed 's/"box":\[\(.*\)\],"probability":\(.*\)/\2 \1/; s/,/ /g' <<<"$faces"
