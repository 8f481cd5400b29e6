// Finds the faces in a picture and prints them as one JSON object.
//
//   node detect.js photo.jpg
//   node detect.js --model face_recognition --min-face-size 40 --url 127.0.0.1:8001 photo.jpg

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const DEADLINE_MS = 30_000;
const LANDMARKS = ["left_eye", "right_eye", "nose", "mouth_left", "mouth_right"];

const CHANNEL_OPTIONS = {
  // grpc-js takes answers of 4 MB at most unless told otherwise.
  "grpc.max_send_message_length": -1,
  "grpc.max_receive_message_length": -1,
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // Full queue, server restarting: ask again. Only requests that fit this buffer are; its default is 1 MB.
  "grpc.per_rpc_retry_buffer_size": 64 * 2 ** 20,
  "grpc.retry_buffer_size": 256 * 2 ** 20,
  "grpc.service_config": JSON.stringify({
    methodConfig: [
      {
        name: [{ service: "inference.GRPCInferenceService" }],
        retryPolicy: {
          maxAttempts: 3,
          initialBackoff: "0.1s",
          maxBackoff: "2s",
          backoffMultiplier: 2,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
  }),
};

function connect(url, protos) {
  const definition = protoLoader.loadSync("grpc_service.proto", { includeDirs: [protos], keepCase: true, longs: Number });
  const { GRPCInferenceService } = grpc.loadPackageDefinition(definition).inference;
  return new GRPCInferenceService(url, grpc.credentials.createInsecure(), CHANNEL_OPTIONS);
}

function request(picture, model, minFaceSize) {
  // A BYTES tensor is, for each element, its length in 4 bytes, little-endian, and the bytes.
  const length = Buffer.alloc(4);
  length.writeUInt32LE(picture.length);
  const outputs = ["boxes", "probabilities", "landmarks"];
  if (model === "face_recognition") outputs.push("embeddings");
  return {
    model_name: model,
    inputs: [{ name: "encoded_image", datatype: "BYTES", shape: [1, 1] }],
    raw_input_contents: [Buffer.concat([length, picture])],
    outputs: outputs.map((name) => ({ name })),
    parameters: minFaceSize === undefined ? {} : { min_face_size: { double_param: Number(minFaceSize) } },
  };
}

function infer(client, message) {
  const deadline = Date.now() + DEADLINE_MS;
  return new Promise((resolve, reject) => {
    client.ModelInfer(message, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

/** The float32 tensors by name, as nested arrays of their shape without the batch dimension. */
function tensors(response) {
  return Object.fromEntries(
    response.outputs.map(({ name, shape }, i) => {
      const raw = response.raw_output_contents[i];
      const values = Array.from({ length: raw.length / 4 }, (_, at) => shortest(raw.readFloatLE(4 * at)));
      return [name, nested(values, shape.slice(1))];
    }),
  );
}

function nested(values, [, ...inner]) {
  if (inner.length === 0) return values;
  const size = inner.reduce((product, side) => product * side);
  const rows = Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));
  return rows.map((row) => nested(row, inner));
}

/** The number with the fewest digits that is still this float32: 0.9, not 0.8999999761581421. */
function shortest(value) {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return Number(value.toPrecision(9));
}

function faces({ boxes, probabilities, landmarks, embeddings }) {
  return boxes.map((box, i) => ({
    box,
    probability: probabilities[i],
    landmarks: Object.fromEntries(LANDMARKS.map((name, k) => [name, landmarks[i][k]])),
    ...(embeddings && { embedding: embeddings[i] }),
  }));
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: "string", default: process.env.TRITON_FACES_URL ?? "127.0.0.1:8001" },
      model: { type: "string", default: "mtcnn" },
      "min-face-size": { type: "string" },
      protos: { type: "string", default: fileURLToPath(new URL("../protos", import.meta.url)) },
    },
  });
  if (positionals.length !== 1) throw new Error("name one picture");
  const [image] = positionals;
  const client = connect(values.url, values.protos);
  try {
    const response = await infer(client, request(await readFile(image), values.model, values["min-face-size"]));
    console.log(JSON.stringify({ image, faces: faces(tensors(response)) }));
  } finally {
    client.close();
  }
}

main().catch((error) => {
  // gRPC's errors have the server's sentence in `details`.
  console.error(`detect: ${error.details ?? error.message}`);
  process.exitCode = 1;
});
