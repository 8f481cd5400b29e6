// The faces of a picture as a list to walk through, and what is known of the chosen one.

import { Problem } from "./api.js";
import { tagOf } from "./drawing.js";
import { byId, element, say, walkable } from "./elements.js";
import { saveCrop } from "./saving.js";

const SIDE = 112;

/** A face cut out of what the browser shows, square, upright, with some of its surroundings. Null where it shows nothing. */
export function cutOut(picture, { box: [x1, y1, x2, y2], angle = 0 }, side = SIDE, around = 0.15) {
  if (!picture.image) return null;
  const canvas = element("canvas", { width: side, height: side, "aria-hidden": "true" });
  const length = Math.max(x2 - x1, y2 - y1) * (1 + 2 * around);
  const [left, top] = [(x1 + x2 - length) / 2, (y1 + y2 - length) / 2];
  const context = canvas.getContext("2d");
  context.translate(side / 2, side / 2);
  // It lies turned clockwise by its angle.
  context.rotate((-angle * Math.PI) / 180);
  context.drawImage(picture.image, left, top, length, length, -side / 2, -side / 2, side, side);
  return canvas;
}

const percent = (probability) => `${(Math.floor(probability * 1e4) / 100).toFixed(2)} %`;

/** What a face is called: its name, or its number. */
const called = (face, place) => face.person ?? `Face ${place + 1}`;

export class FaceList {
  /** selected: called with a place; extra: elements for the chosen face beside its numbers, such as a form. */
  constructor({ selected, extra }) {
    this.extra = extra;
    this.answer = null;
    this.place = undefined;
    this.list = element("div", { class: "faces", role: "listbox", "aria-label": "Faces" });
    this.details = element("div", { class: "details" });
    byId("faces").append(this.list, this.details);
    walkable(this.list, selected);
  }

  /** Shows the faces of a picture; selected: the place of the chosen one, or null. */
  show(picture, selected) {
    const isNew = this.answer !== picture.answer;
    if (isNew) this.fill(picture);
    if (isNew || this.place !== selected) this.choose(picture, selected);
  }

  fill(picture) {
    const hadFocus = this.list.contains(document.activeElement);
    this.answer = picture.answer;
    this.list.hidden = picture.faces.length === 0;
    this.list.replaceChildren(...picture.faces.map((face, place) =>
      element("div", { class: "face", role: "option", "aria-label": `${called(face, place)}, ${percent(face.probability)}` },
        cutOut(picture, face) ?? element("span", { class: "number", "aria-hidden": "true" }, String(place + 1)),
        element("small", { "aria-hidden": "true" }, tagOf(face)))));
    if (hadFocus) (this.list.firstElementChild ?? byId("main")).focus();
  }

  choose(picture, selected) {
    this.place = selected;
    [...this.list.children].forEach((option, place) => {
      option.setAttribute("aria-selected", String(place === selected));
      option.tabIndex = place === (selected ?? 0) ? 0 : -1;
    });
    const face = picture.faces[selected];
    this.details.replaceChildren(...(face ? this.about(picture, face, selected) : []));
  }

  about(picture, face, place) {
    const [x1, y1, x2, y2] = face.box;
    const facts = [
      ["Probability", percent(face.probability)],
      ["Box", `${Math.round(x2 - x1)} × ${Math.round(y2 - y1)} at ${Math.round(x1)}, ${Math.round(y1)}`],
    ];
    if (face.angle) facts.push(["Turned", `${face.angle}° clockwise`]);
    if ("person" in face) facts.push(["Likeliest", likeliest(face)]);
    const problem = element("p", { class: "problem", role: "alert", hidden: true });
    return [
      element("h3", {}, called(face, place)),
      element("dl", { class: "facts" }, ...facts.map(([name, fact]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, fact)))),
      element("p", { class: "buttons" }, element("button", {
        type: "button",
        onclick: (event) => busyWhile(event.target, problem, () => saveCrop(picture, place, picture.answer.parameters)),
      }, "Save this face")),
      problem,
      ...this.extra(picture, face, place),
    ];
  }
}

function likeliest({ candidates = [], distance, threshold }) {
  if (!candidates.length) return "nobody is enrolled";
  return `${candidates[0].person}, distance ${distance.toFixed(2)}; the same person below ${threshold.distance.toFixed(2)}`;
}

/** Does something that a button asks for, once; a problem is said in its place. Resolves to whether it was done. */
export async function busyWhile(button, place, doing) {
  say(place, null);
  // Not disabled: that would take the focus away from under the keyboard.
  if (button.getAttribute("aria-busy") === "true") return false;
  button.setAttribute("aria-busy", "true");
  try {
    await doing();
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(place, error.words);
    return false;
  } finally {
    button.removeAttribute("aria-busy");
  }
}
