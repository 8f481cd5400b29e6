// Crops and copies without faces: made by the service, saved by the browser.

import { ask, formOf, Problem, problemOf } from "./api.js";

/** Has the browser save bytes under a name. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser reads it after the click, at its own time.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || "picture";

const ENDINGS = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };
const ending = (blob) => ENDINGS[blob.type] ?? "png";

/** The bytes of a `data:` URL; it is not fetched, as nothing but the service is. */
export function bytesOf(url) {
  const [, type, text] = /^data:([^;,]*);base64,(.*)$/s.exec(url) ?? [];
  if (text === undefined) throw new Problem("The service answered with a crop that cannot be read.");
  return new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type });
}

const post = (path, { file, name }, parameters, accept, signal) =>
  ask(path, { method: "POST", body: formOf(file, name, parameters), headers: { Accept: accept }, signal });

/** Saves one face's crop. */
export async function saveCrop(picture, place, parameters) {
  const response = await post("/v1/crop", picture, parameters, "application/json");
  const [image] = (await response.json()).images;
  if (image.error) throw problemOf(image.error);
  const crop = image.faces[place]?.crop;
  if (!crop) throw new Problem("The service found no such face now.");
  const blob = bytesOf(crop);
  download(blob, `${stem(picture.name)}-face${place + 1}.${ending(blob)}`);
}

/** Saves the crops of all faces, as one archive. */
export async function saveCrops(picture, parameters) {
  const response = await post("/v1/crop", picture, parameters, "application/zip");
  download(await response.blob(), `${stem(picture.name)}-faces.zip`);
}

/** Saves a copy without faces. method: blur, pixelate or mask. */
export async function saveWithoutFaces(picture, method, parameters) {
  const response = await post("/v1/blur", picture, { ...parameters, method }, "image/*");
  const blob = await response.blob();
  download(blob, `${stem(picture.name)}-without-faces.${ending(blob)}`);
}
