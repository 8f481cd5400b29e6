// Pictures come in: chosen, dropped or pasted, in whatever order.

import { byId } from "./elements.js";

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Calls `taken` with a list of files whenever there are some. */
export function takeFiles(taken) {
  const input = byId("files");
  byId("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const files = [...input.files];
    // So that the same file can be chosen again.
    input.value = "";
    if (files.length) taken(files);
  });
  takeDropped(taken);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    taken(files);
  });
}

function takeDropped(taken) {
  const veil = byId("drop");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    // Only where it leaves the window: between two elements there is another to go to.
    if (!event.relatedTarget) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) taken(files);
  });
}
