// Probability and box of each face: node detect.mjs PHOTO [ADDRESS]
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const [photo, address = process.env.FACES_URL ?? "http://127.0.0.1:8080"] = process.argv.slice(2);
const headers = process.env.FACES_KEY ? { Authorization: `Bearer ${process.env.FACES_KEY}` } : {};
const body = new FormData();
body.append("image", new Blob([await readFile(photo)]), basename(photo));
const request = { method: "POST", body, headers, signal: AbortSignal.timeout(30_000) };
const response = await fetch(new URL("/v1/detect", address), request);
const answer = await response.json();
if (!response.ok) {
  console.error(answer.detail);
  process.exit(1);
}
for (const { probability, box } of answer.images[0].faces) console.log(probability, ...box);
