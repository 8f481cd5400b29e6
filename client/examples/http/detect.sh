#!/usr/bin/env bash
# Finds the faces in a picture and prints them as one JSON object; needs bash, curl, sed and awk.
#
#   ./detect.sh photo.jpg
#   ./detect.sh --model face_recognition --min-face-size 40 --url http://127.0.0.1:8000 photo.jpg
set -euo pipefail
# Lengths in bytes, numbers with a point.
export LC_ALL=C

deadline_s=30
url=http://127.0.0.1:8000 model=mtcnn min_face_size=
while (($# > 1)); do
  case $1 in
    --url) url=$2 ;;
    --model) model=$2 ;;
    --min-face-size) min_face_size=$2 ;;
    *) echo "detect: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
image=${1:?name one picture}

# --- The request: a JSON header, and behind it the input as the header says, in bytes ---

length=$(wc -c < "$image")
outputs='{"name": "boxes"}, {"name": "probabilities"}, {"name": "landmarks"}'
if [[ $model == face_recognition ]]; then outputs+=', {"name": "embeddings"}'; fi
parameters=
if [[ $min_face_size ]]; then parameters='"min_face_size": '$min_face_size; fi
header='{"inputs": [{"name": "encoded_image", "datatype": "BYTES", "shape": [1, 1],
  "parameters": {"binary_data_size": '$((length + 4))'}}],
  "outputs": ['$outputs'], "parameters": {'$parameters'}}'

# A BYTES tensor is, for each element, its length in 4 bytes, little-endian, and the bytes.
length_prefix() {
  local escaped
  printf -v escaped '\\x%02x' $((length & 255)) $((length >> 8 & 255)) $((length >> 16 & 255)) $((length >> 24))
  printf %b "$escaped"
}

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# curl asks again, two times, when the queue is full (503) or the server cannot be reached.
# Without `Expect:` it would wait up to a second for a "100 Continue" before it sends a large picture.
if ! { printf %s "$header"; length_prefix; cat -- "$image"; } |
  curl --silent --show-error --fail-with-body --max-time "$deadline_s" --retry 2 --retry-connrefused \
    --header "Inference-Header-Content-Length: ${#header}" --header 'Content-Type: application/octet-stream' \
    --header 'Expect:' --data-binary @- --output "$answer" "$url/v2/models/$model/infer"; then
  # Triton says {"error":"..."}.
  reason=$(cat "$answer")
  echo "detect: ${reason:-no answer from $url}" >&2
  exit 1
fi

# --- The answer: {"outputs": [{"name": "boxes", ..., "shape": [1, N, 4], "data": [...]}, ...]} ---

# The numbers of a tensor; nothing where the answer has no such tensor.
tensor() {
  sed -nE 's/.*"name":"'"$1"'"[^}]*"data":\[([^]]*)\].*/\1/p' "$answer"
}

for name in boxes probabilities landmarks embeddings; do printf "%s\\n" "$(tensor "$name")"; done | image=$image awk '
  function part(values, begin, count,    text, k) {
    for (k = 1; k <= count; k++) text = text (k > 1 ? ", " : "") values[begin + k]
    return "[" text "]"
  }
  NR == 1 { split($0, box, ",") }
  NR == 2 { found = split($0, probability, ",") }
  NR == 3 { split($0, point, ",") }
  NR == 4 { size = found ? split($0, embedding, ",") / found : 0 }
  END {
    split("left_eye right_eye nose mouth_left mouth_right", names, " ")
    image = ENVIRON["image"]
    gsub(/["\\]/, "\\\\&", image)
    printf "{\"image\": \"%s\", \"faces\": [", image
    for (i = 0; i < found; i++) {
      printf "%s{\"box\": %s, ", (i ? ", " : ""), part(box, 4 * i, 4)
      printf "\"probability\": %s, \"landmarks\": {", probability[i + 1]
      for (k = 0; k < 5; k++) printf "%s\"%s\": %s", (k ? ", " : ""), names[k + 1], part(point, 10 * i + 2 * k, 2)
      printf "}"
      if (size) printf ", \"embedding\": %s", part(embedding, size * i, size)
      printf "}"
    }
    print "]}"
  }'
